"""Customers."""

from dataclasses import dataclass
from typing import ClassVar

from finsync.core.keys import business_key
from finsync.core.records.base import Record, record
from finsync.core.records.lineage import Lineage


def customer_key(account_id: str) -> str:
    """Return the aggregate key of a customer: the CRM account id is golden (domain.md 1.3)."""
    return business_key("customer", account_id)


@record
@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRecord(Record):
    """A customer as its system of record (CRM) states it."""

    record_type: ClassVar[str] = "customer"
    lineage: Lineage
    account_id: str
    name: str
    entity: str
    currency: str
    country: str
    tax_id: str = ""
    active: bool = True

    @property
    def aggregate_key(self) -> str:
        return customer_key(self.account_id)
