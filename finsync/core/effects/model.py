"""What one row of the lifecycle table is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from finsync.core.effects.deadlines import DeadlineClass
from finsync.core.money import Money

FactValue = str | int | bool | Money | None


class System(StrEnum):
    """The columns of the table: where an effect must be seen."""

    BILLING = "billing"
    GATEWAY = "gateway"
    REVENUE = "revenue"
    ERP = "erp"


class EffectKind(StrEnum):
    """What must be seen there. ``DOCUMENT`` stands for any document, where its absence is asserted."""

    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"
    INVOICE = "invoice"
    CREDIT_MEMO = "credit_memo"
    STATUS = "status"
    PAYMENT = "payment"
    REFUND = "refund"
    BALANCE_TRANSACTION = "balance_transaction"
    SCHEDULE = "schedule"
    HOLD = "hold"
    JOURNAL = "journal"
    MATCH = "match"
    APPROVAL = "approval"
    DOCUMENT = "document"


@dataclass(frozen=True)
class Cell:
    """One expectation of one row. ``amount`` names the fact that holds the expected amount, "" if none is known
    beforehand; ``anchor`` the instant the deadline counts from; ``must_exist`` is false for an asserted absence;
    ``only_if`` a fact and the value it must have for this expectation to count (a refund only of a paid invoice).
    """

    system: System
    kind: EffectKind
    deadline: DeadlineClass
    code: str
    text: str
    amount: str = ""
    anchor: str = "source_ts"
    must_exist: bool = True
    only_if: tuple[str, FactValue] | None = None


@dataclass(frozen=True)
class Row:
    """One commercial event with everything it must and must not cause.

    ``where`` tells rows of one event apart by facts, e.g. billed in advance or in arrears. ``number`` is the row of
    the lifecycle table in the domain specification.
    """

    number: int
    events: tuple[str, ...]
    cells: tuple[Cell, ...]
    where: Mapping[str, FactValue] | None = None


@dataclass(frozen=True)
class ExpectedEffect:
    """One effect to look for. ``amount`` is in transaction currency, ``None`` where it is not known beforehand.

    With ``must_exist`` false the effect must *not* be there, and finding it raises ``code_if_missing``.
    """

    kind: EffectKind
    system: System
    amount: Money | None
    deadline_class: DeadlineClass
    code_if_missing: str
    explanation: str
    anchor: str = "source_ts"
    must_exist: bool = True
