"""What the gateway states: payments and what they were taken for."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar

from finsync.core.keys import business_key
from finsync.core.money import Money
from finsync.core.records.base import Record, Requirement, record
from finsync.core.records.billing import invoice_key
from finsync.core.records.lineage import Lineage
from finsync.core.records.party import customer_key


class PaymentStatus(StrEnum):
    """Payment states of the gateway."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def payment_key(system: str, payment_id: str) -> str:
    """Return the aggregate key of a payment."""
    return business_key("payment", system, payment_id)


@record
@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord(Record):
    """Money taken from a customer by the gateway; ``fee`` is the gateway's own charge."""

    record_type: ClassVar[str] = "payment"
    lineage: Lineage
    entity: str
    payment_id: str
    account_id: str
    status: PaymentStatus
    amount: Money
    fee: Money | None
    method: str
    captured_on: date
    failure_code: str = ""

    @property
    def aggregate_key(self) -> str:
        return payment_key(self.lineage.system, self.payment_id)

    @property
    def requires(self) -> tuple[Requirement, ...]:
        return (Requirement(customer_key(self.account_id)),)


@record
@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentApplicationRecord(Record):
    """The part of a payment that settles one invoice; append-only by ``sequence``."""

    record_type: ClassVar[str] = "payment_application"
    lineage: Lineage
    entity: str
    payment_id: str
    sequence: int
    account_id: str
    invoice_system: str
    invoice_number: str
    amount: Money
    applied_on: date

    @property
    def aggregate_key(self) -> str:
        return business_key("payment_application", self.lineage.system, self.payment_id, self.sequence)

    @property
    def requires(self) -> tuple[Requirement, ...]:
        return (
            Requirement(payment_key(self.lineage.system, self.payment_id)),
            Requirement(invoice_key(self.entity, self.invoice_system, self.invoice_number)),
        )
