"""Facts waiting to be applied, the lanes that order them, the entities, and the change log."""

from finsync.canonical.models.billing import Invoice, InvoiceLine, Subscription, TaxLine
from finsync.canonical.models.cash import Payment, PaymentApplication
from finsync.canonical.models.contract import Contract, ContractVersion
from finsync.canonical.models.facts import Aggregate, CanonicalChange, Fact, FactWait, FetchWish, SourceAlias
from finsync.canonical.models.party import Customer, LegalEntity
from finsync.canonical.models.revenue import RevenueSchedule, SchedulePeriod

__all__ = [
    "Aggregate",
    "CanonicalChange",
    "Contract",
    "ContractVersion",
    "Customer",
    "Fact",
    "FactWait",
    "FetchWish",
    "Invoice",
    "InvoiceLine",
    "LegalEntity",
    "Payment",
    "PaymentApplication",
    "RevenueSchedule",
    "SchedulePeriod",
    "SourceAlias",
    "Subscription",
    "TaxLine",
]
