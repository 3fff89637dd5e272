"""Frozen records of the canonical model: what connectors produce and every other room reads."""

from finsync.core.records.base import RECORD_TYPES, Record, Requirement, fact_hash, from_json, structure, to_json
from finsync.core.records.billing import (
    InvoiceLine,
    InvoiceRecord,
    InvoiceStatus,
    RevenueTreatment,
    SubscriptionRecord,
    TaxLine,
    invoice_key,
)
from finsync.core.records.cash import PaymentApplicationRecord, PaymentRecord, PaymentStatus, payment_key
from finsync.core.records.contract import ChangeType, ContractLine, ContractVersionRecord, contract_key
from finsync.core.records.lineage import Lineage
from finsync.core.records.party import CustomerRecord, customer_key
from finsync.core.records.revenue import RevenueScheduleRecord, SchedulePeriod

__all__ = [
    "RECORD_TYPES",
    "ChangeType",
    "ContractLine",
    "ContractVersionRecord",
    "CustomerRecord",
    "InvoiceLine",
    "InvoiceRecord",
    "InvoiceStatus",
    "Lineage",
    "PaymentApplicationRecord",
    "PaymentRecord",
    "PaymentStatus",
    "Record",
    "Requirement",
    "RevenueScheduleRecord",
    "RevenueTreatment",
    "SchedulePeriod",
    "SubscriptionRecord",
    "TaxLine",
    "contract_key",
    "customer_key",
    "fact_hash",
    "from_json",
    "invoice_key",
    "payment_key",
    "structure",
    "to_json",
]
