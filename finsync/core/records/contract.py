"""Contract versions: commercial intent, the spine everything else refers to."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from finsync.core.keys import business_key
from finsync.core.money import Money
from finsync.core.proration import ProrationRule
from finsync.core.records.base import Record, Requirement, record
from finsync.core.records.lineage import Lineage
from finsync.core.records.party import customer_key


class ChangeType(StrEnum):
    """Why a contract version exists (domain.md 1.2)."""

    NEW = "NEW"
    UPSELL = "UPSELL"
    DOWNSELL = "DOWNSELL"
    RENEW = "RENEW"
    CANCEL = "CANCEL"


def contract_key(entity: str, contract_number: str) -> str:
    """Return the aggregate key of a contract; its versions are applied in order 1, 2, 3 …"""
    return business_key("contract", entity, contract_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractLine:
    """One product line as it stands after this version; ``[start, end)``; price per unit and price period."""

    line_id: str
    product: str
    quantity: Decimal
    unit_price: Money
    price_period_months: int
    start: date
    end: date


@record
@dataclass(frozen=True, slots=True, kw_only=True)
class ContractVersionRecord(Record):
    """Version n of a contract: the lines in force from ``effective_date``, with the proration rule that prices changes.

    ``added`` are the quantities this version adds (negative: removes), priced by ``unit_price`` over
    ``[effective_date, end)``; for version 1 they equal ``lines``.
    """

    record_type: ClassVar[str] = "contract_version"
    lineage: Lineage
    entity: str
    contract_number: str
    version: int
    change_type: ChangeType
    account_id: str
    currency: str
    term_start: date
    term_end: date
    effective_date: date
    lines: tuple[ContractLine, ...]
    added: tuple[ContractLine, ...]
    proration: ProrationRule
    amendment_ref: str = ""

    @property
    def aggregate_key(self) -> str:
        return contract_key(self.entity, self.contract_number)

    @property
    def business_key(self) -> str:
        return business_key("contract", self.entity, self.contract_number, f"v{self.version}")

    @property
    def requires(self) -> tuple[Requirement, ...]:
        return (Requirement(customer_key(self.account_id)),)
