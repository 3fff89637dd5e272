"""What the revenue engine states: a schedule version per contract version."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from finsync.core.keys import business_key
from finsync.core.money import Money
from finsync.core.records.base import Record, Requirement, record
from finsync.core.records.contract import contract_key
from finsync.core.records.lineage import Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePeriod:
    """Revenue planned for one calendar month, ``period`` as ``2026-02``; ``ends_on`` is the first day after it."""

    period: str
    ends_on: date
    amount: Money


@record
@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueScheduleRecord(Record):
    """The revenue plan of one contract at one schedule version; the periods sum to ``total``."""

    record_type: ClassVar[str] = "revenue_schedule"
    lineage: Lineage
    entity: str
    schedule_id: str
    schedule_version: int
    contract_number: str
    contract_version: int
    currency: str
    total: Money
    periods: tuple[SchedulePeriod, ...]

    @property
    def aggregate_key(self) -> str:
        return business_key("schedule", self.entity, self.contract_number)

    @property
    def business_key(self) -> str:
        return business_key("schedule", self.entity, self.contract_number, f"v{self.schedule_version}")

    @property
    def requires(self) -> tuple[Requirement, ...]:
        return (Requirement(contract_key(self.entity, self.contract_number), self.contract_version),)
