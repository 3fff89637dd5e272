"""What the billing platform states: subscriptions and invoices with their lines and tax."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from finsync.core.keys import business_key
from finsync.core.money import Money
from finsync.core.records.base import Record, Requirement, record
from finsync.core.records.contract import contract_key
from finsync.core.records.lineage import Lineage
from finsync.core.records.party import customer_key


class InvoiceStatus(StrEnum):
    """Invoice states as Stripe names them; the canonical ones (domain.md 1.2)."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class RevenueTreatment(StrEnum):
    """Where the net of an invoice line goes when it is issued."""

    DEFERRED = "deferred"
    IMMEDIATE = "immediate"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxLine:
    """Tax on one invoice line in one jurisdiction; ``rate`` is a fraction (0.0825)."""

    tax_code: str
    jurisdiction: str
    rate: Decimal
    base: Money
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One invoice line; service period is ``[service_start, service_end)``."""

    line_id: str
    description: str
    product: str
    quantity: Decimal
    net: Money
    service_start: date | None
    service_end: date | None
    proration: bool
    revenue_treatment: RevenueTreatment
    taxes: tuple[TaxLine, ...] = ()


def _contract_requirement(entity: str, contract_number: str, version: int) -> tuple[Requirement, ...]:
    """A document that names no contract (a standalone sale) waits for none."""
    return (Requirement(contract_key(entity, contract_number), version),) if contract_number else ()


@record
@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRecord(Record):
    """A subscription as billing runs it, naming the contract version it executes."""

    record_type: ClassVar[str] = "subscription"
    lineage: Lineage
    entity: str
    subscription_id: str
    account_id: str
    contract_number: str
    contract_version: int
    status: str
    currency: str
    product: str
    quantity: Decimal
    unit_price: Money
    period_start: date
    period_end: date

    @property
    def aggregate_key(self) -> str:
        return business_key("subscription", self.lineage.system, self.subscription_id)

    @property
    def requires(self) -> tuple[Requirement, ...]:
        return _contract_requirement(self.entity, self.contract_number, self.contract_version)


def invoice_key(entity: str, system: str, number: str) -> str:
    """Return the aggregate key of an invoice: entity + billing system + invoice number."""
    return business_key("invoice", entity, system, number)


@record
@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRecord(Record):
    """An invoice with lines and tax. Contract number and version are mandatory (version awareness, domain.md 1.1)."""

    record_type: ClassVar[str] = "invoice"
    lineage: Lineage
    entity: str
    number: str
    invoice_id: str
    account_id: str
    contract_number: str
    contract_version: int
    amendment_ref: str
    status: InvoiceStatus
    currency: str
    invoice_date: date
    due_date: date | None
    net: Money
    tax: Money
    total: Money
    amount_paid: Money
    lines: tuple[InvoiceLine, ...]

    @property
    def aggregate_key(self) -> str:
        return invoice_key(self.entity, self.lineage.system, self.number)

    @property
    def requires(self) -> tuple[Requirement, ...]:
        return (
            Requirement(customer_key(self.account_id)),
            *_contract_requirement(self.entity, self.contract_number, self.contract_version),
        )
