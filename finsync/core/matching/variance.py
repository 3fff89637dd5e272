"""What one pair of a reconciliation is: matched, on its way, or broken, and how.

One pure decision. Bulk comparison is done in SQL and must agree with this function.
Source of the rule: the break classification of the reconciliation controls in the domain specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from finsync.core.money import Money
from finsync.core.records.observed import Observed


class VarianceClass(StrEnum):
    """The classes of 8.2. Exchange differences are not among them: a pair is compared in one currency."""

    MATCHED = "MATCHED"
    IN_TRANSIT = "IN_TRANSIT"
    TIMING_CUTOFF = "TIMING_CUTOFF"
    ROUNDING = "ROUNDING"
    MISSING_A = "MISSING_A"
    MISSING_B = "MISSING_B"
    AMOUNT = "AMOUNT"
    STATE = "STATE"
    DUPLICATE = "DUPLICATE"
    MANUAL = "MANUAL"


# May be open when a control is signed, itemised with an expected clearing date.
MAY_BE_OPEN_AT_SIGN_OFF = frozenset({VarianceClass.IN_TRANSIT, VarianceClass.TIMING_CUTOFF})
AGREEING = frozenset({VarianceClass.MATCHED, VarianceClass.ROUNDING})


@dataclass(frozen=True)
class Variance:
    """The class of a pair, A minus B (``None`` where they cannot be subtracted), and the sentence for the screen."""

    kind: VarianceClass
    difference: Money | None
    explanation: str


def classify(
    a: Observed | None,
    b: Observed | None,
    *,
    age: timedelta,
    sla: timedelta,
    tolerance: Money | None = None,
    count_a: int = 1,
    count_b: int = 1,
    manual: bool = False,
    a_expects_b: bool = True,
    amount_may_lag: bool = False,
    names: tuple[str, str] = ("A", "B"),
) -> Variance:
    """Classify one pair; ``a`` is the side upstream.

    ``age`` is the time since the younger side last changed, ``sla`` what the leg between them may take. ``tolerance``
    is the rounding allowance per document (``None``: zero, as for ledger control accounts); it hides amounts only,
    never counts or states. ``count_a`` and ``count_b`` are how many documents carry the key; ``manual`` says that a
    side was made or changed by hand; ``a_expects_b`` is false where A's state asserts that B must be absent (a draft);
    ``amount_may_lag`` marks balances and totals, which differ while a document between the sides is on its way.

    The first that applies: DUPLICATE, then for one side alone MATCHED (rightly absent), MANUAL, IN_TRANSIT, MISSING;
    for both STATE (must be absent), MANUAL, IN_TRANSIT (amounts that may lag) or AMOUNT, IN_TRANSIT or STATE,
    TIMING_CUTOFF, ROUNDING, MATCHED.
    Raises ``ValueError`` if both sides are missing.
    """
    if a is None and b is None:
        raise ValueError("a pair needs at least one side")
    pair = _Pair(a, b, age <= sla, tolerance, manual, a_expects_b, amount_may_lag, *names)
    if (a is not None and count_a > 1) or (b is not None and count_b > 1):
        words = f"{pair.name_a} has {count_a if a else 0}, {pair.name_b} has {count_b if b else 0}"
        return Variance(VarianceClass.DUPLICATE, pair.difference, words)
    if a is None or b is None:
        return pair.one_side()
    return pair.content_break(a, b) or pair.state_break(a, b) or pair.agreement(a, b)


@dataclass(frozen=True)
class _Pair:
    a: Observed | None
    b: Observed | None
    within_sla: bool
    tolerance: Money | None
    manual: bool
    a_expects_b: bool
    amount_may_lag: bool
    name_a: str
    name_b: str

    @property
    def difference(self) -> Money | None:
        """A minus B; a missing side counts as nothing."""
        if self.a is None:
            return -self.b.amount if self.b is not None else None
        if self.b is None:
            return self.a.amount
        return self.a.amount - self.b.amount if self.a.amount.currency == self.b.amount.currency else None

    def one_side(self) -> Variance:
        """Only A or only B is there."""
        absent = self.name_b if self.b is None else self.name_a
        if self.a is not None and not self.a_expects_b:
            words = f"{self.name_a} is {_state(self.a)}, so {self.name_b} rightly has nothing"
            return Variance(VarianceClass.MATCHED, None, words)
        if self.b is not None and self.manual:
            words = f"made by hand in {self.name_b}; {self.name_a} does not know it"
            return Variance(VarianceClass.MANUAL, self.difference, words)
        if self.within_sla:
            return Variance(VarianceClass.IN_TRANSIT, self.difference, f"not in {absent} yet, within its time")
        kind = VarianceClass.MISSING_B if self.b is None else VarianceClass.MISSING_A
        return Variance(kind, self.difference, f"missing in {absent}, past its time")

    def content_break(self, a: Observed, b: Observed) -> Variance | None:
        """B must not be there at all, or not with this amount."""
        if not self.a_expects_b:
            words = f"{self.name_a} is {_state(a)}, so {self.name_b} must have nothing"
            return Variance(VarianceClass.STATE, self.difference, words)
        difference, kind = self.difference, VarianceClass.MANUAL if self.manual else VarianceClass.AMOUNT
        words = f"{self.name_a} says {a.amount}, {self.name_b} {b.amount}{', changed by hand' if self.manual else ''}"
        if difference is None:
            return Variance(kind, None, words)
        allowed = Money.zero(difference.currency) if self.tolerance is None else self.tolerance
        if abs(difference) <= allowed:
            return None
        if self.amount_may_lag and self.within_sla and not self.manual:
            return Variance(VarianceClass.IN_TRANSIT, difference, f"{words}; what makes the difference is on its way")
        return Variance(kind, difference, f"{words}: {difference} apart")

    def state_break(self, a: Observed, b: Observed) -> Variance | None:
        """State, version or period differ; version 0 means the system keeps none."""
        if a.state != b.state or (a.version and b.version and a.version != b.version):
            words = f"{self.name_a} is {_state(a)}, {self.name_b} is {_state(b)}"
            if self.within_sla:
                return Variance(VarianceClass.IN_TRANSIT, self.difference, f"{words}; the change is within its time")
            return Variance(VarianceClass.STATE, self.difference, words)
        if a.period != b.period:
            words = f"{self.name_a} has it in {a.period or 'no period'}, {self.name_b} in {b.period or 'no period'}"
            return Variance(VarianceClass.TIMING_CUTOFF, self.difference, words)
        return None

    def agreement(self, a: Observed, b: Observed) -> Variance:
        """Nothing left but rounding."""
        if self.difference:
            words = f"{self.difference} apart, within the {self.tolerance} for rounding"
            return Variance(VarianceClass.ROUNDING, self.difference, words)
        return Variance(VarianceClass.MATCHED, self.difference, f"{a.amount}, {_state(b)} on both sides")


def _state(side: Observed) -> str:
    return f"{side.state or 'there'} at version {side.version}" if side.version else side.state or "there"
