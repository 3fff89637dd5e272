"""How bad a case is and by when it must be settled.

Score = base of the reason + band of the amount at risk + closeness of the close + one per missed SLA (at most two).
Source of the rule: the severity rule of the exception taxonomy in the domain specification.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from finsync.core.money import Money
from finsync.core.periods import add_business_days
from finsync.core.reasons import Reason

# Upper bound of each amount band, in major units of the functional currency, and the points below it.
AMOUNT_BANDS: tuple[tuple[int, int], ...] = ((100, 0), (10_000, 1), (100_000, 2))
AMOUNT_POINTS_MAX = 3
# Business days to the period's cut-off, and the points up to that distance; a negative distance is past it.
CLOSE_BANDS: tuple[tuple[int, int], ...] = ((-1, 3), (2, 2), (5, 1))
MISSED_SLA_POINTS_MAX = 2
PRIORITY_FLOORS: tuple[tuple[int, str], ...] = ((8, "P1"), (6, "P2"), (4, "P3"))
P1_SLA = timedelta(hours=4)
SLA_BUSINESS_DAYS = {"P2": 1, "P3": 3, "P4": 5}
_WORDS = {"P1": "Critical", "P2": "High", "P3": "Medium", "P4": "Low"}


@dataclass(frozen=True)
class Severity:
    """A score with its priority (P1 is the most urgent), its word and how it came about."""

    score: int
    priority: str
    word: str
    explanation: str


class Escalation(StrEnum):
    """Whom a late case is shown to."""

    NONE = "NONE"
    E1 = "E1"  # team lead
    E2 = "E2"  # controller, head of integration
    E3 = "E3"  # CFO and CIO


def score(
    reason: Reason,
    amount_at_risk_functional: Money | None,
    business_days_to_close: int | None,
    missed_slas: int,
    *,
    materiality: Money | None = None,
) -> Severity:
    """Score one case.

    ``amount_at_risk_functional`` is the gross effect if it is never fixed, in the entity's functional currency;
    ``None`` where no amount is known. ``business_days_to_close`` counts to the cut-off of the period concerned,
    0 on its day, negative after it while the period is still open, ``None`` where no period is at stake.
    ``materiality`` (same currency) lifts anything from half of it into the highest band.
    """
    if missed_slas < 0:
        raise ValueError(f"missed_slas cannot be negative: {missed_slas}")
    amount = _amount_points(amount_at_risk_functional, materiality)
    close = _close_points(business_days_to_close)
    age = min(missed_slas, MISSED_SLA_POINTS_MAX)
    points = reason.base + amount + close + age
    priority = next((name for floor, name in PRIORITY_FLOORS if points >= floor), "P4")
    at_risk = "no amount known" if amount_at_risk_functional is None else f"{abs(amount_at_risk_functional)} at risk"
    explanation = (
        f"{reason.title}: {reason.base} for its kind, {amount} for {at_risk}, "
        f"{close} for {_close_words(business_days_to_close)}, {age} for missed deadlines; {points} is {priority}"
    )
    return Severity(points, priority, _WORDS[priority], explanation)


def _amount_points(amount: Money | None, materiality: Money | None) -> int:
    if amount is None:
        return 0
    size = abs(amount)
    if materiality is not None and size * 2 >= materiality:
        return AMOUNT_POINTS_MAX
    return next((points for bound, points in AMOUNT_BANDS if size < Money.of(bound, size.currency)), AMOUNT_POINTS_MAX)


def _close_points(business_days_to_close: int | None) -> int:
    if business_days_to_close is None:
        return 0
    return next((points for bound, points in CLOSE_BANDS if business_days_to_close <= bound), 0)


def _close_words(business_days_to_close: int | None) -> str:
    if business_days_to_close is None:
        return "no close at stake"
    if business_days_to_close < 0:
        return "a cut-off already past"
    return f"{business_days_to_close} business days to the cut-off"


def sla_due(priority: str, opened_at: datetime, zone: tzinfo, holidays: Collection[date] = ()) -> datetime:
    """When a case of this priority must be settled: P1 four hours, else 1, 3 or 5 business days at the same local time.

    ``opened_at`` must know its time zone; ``zone`` is the entity's, where its business days are counted.
    """
    if opened_at.tzinfo is None:
        raise ValueError("opened_at needs a time zone")
    if priority == "P1":
        return opened_at + P1_SLA
    local = opened_at.astimezone(zone)
    day = add_business_days(local.date(), SLA_BUSINESS_DAYS[priority], holidays)
    return datetime.combine(day, local.time(), tzinfo=zone)


def escalation(now: datetime, opened_at: datetime, due: datetime, *, p1_within_one_day_of_cutoff: bool) -> Escalation:
    """Whom to show a case: the team lead at half its SLA, the controller at all of it, CFO and CIO at twice."""
    used, whole = now - opened_at, due - opened_at
    if p1_within_one_day_of_cutoff or used >= 2 * whole:
        return Escalation.E3
    if used >= whole:
        return Escalation.E2
    return Escalation.E1 if 2 * used >= whole else Escalation.NONE
