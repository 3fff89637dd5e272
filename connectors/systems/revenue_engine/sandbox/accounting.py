"""The engine's own arithmetic: obligations spread by day, and three ways to account for a modification.

Written on whole minor units, apart from finsync's: two independent calculations are worth comparing.
"""

from dataclasses import dataclass, field, replace
from datetime import date

SEPARATE, PROSPECTIVE, CATCH_UP = "separate_contract", "prospective", "catch_up"
TREATMENTS = (SEPARATE, PROSPECTIVE, CATCH_UP)

Month = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """An amount earned evenly by day over [start, end), counted no further than ``stop``."""

    minor: int
    start: date
    end: date
    stop: date

    def earned(self, day: date) -> int:
        """What is earned before ``day``, rounded half away from zero."""
        elapsed = min(max((min(day, self.stop) - self.start).days, 0), (self.end - self.start).days)
        doubled, whole = 2 * abs(self.minor) * elapsed, 2 * (self.end - self.start).days
        rounded = (doubled + whole // 2) // whole
        return -rounded if self.minor < 0 else rounded


@dataclass(frozen=True, slots=True)
class Plan:
    """What a contract earns, month by month; ``past`` are months that a catch-up may no longer change."""

    pieces: tuple[Piece, ...] = ()
    past: dict[Month, int] = field(default_factory=dict)

    def earned(self, day: date) -> int:
        """What is earned before ``day``."""
        return sum(piece.earned(day) for piece in self.pieces)

    def months(self) -> dict[Month, int]:
        """Revenue of each month: the rounded running total less what earlier months have."""
        if not self.pieces:
            return dict(self.past)
        starts = [piece.start for piece in self.pieces] + [date(*month, 1) for month in self.past]
        month, last = month_of(min(starts)), max(min(piece.end, piece.stop) for piece in self.pieces)
        table: dict[Month, int] = {}
        running = 0
        while date(*month, 1) < last:
            table[month] = self.past.get(month, self.earned(after(month)) - running)
            running += table[month]
            month = month_of(after(month))
        return table


def first_version(lines: list[tuple[int, date, date]]) -> Plan:
    """The plan of a new contract: each line (minor units, start, end) an obligation of its own."""
    return Plan(tuple(Piece(minor, start, end, end) for minor, start, end in lines))


def modified(plan: Plan, lines: list[tuple[int, date, date]], effective: date, treatment: str) -> Plan:
    """The plan after a modification that adds ``lines`` on ``effective``."""
    if treatment == SEPARATE or not plan.pieces:
        return replace(plan, pieces=plan.pieces + first_version(lines).pieces)
    end = max([piece.end for piece in plan.pieces] + [end for _, _, end in lines])
    price = sum(plan.months().values()) + sum(minor for minor, _, _ in lines)
    if treatment == PROSPECTIVE:
        kept = tuple(replace(piece, stop=min(piece.stop, effective)) for piece in plan.pieces)
        return replace(plan, pieces=(*kept, Piece(price - plan.earned(effective), effective, end, end)))
    past = {month: minor for month, minor in plan.months().items() if after(month) <= effective}
    start = min(piece.start for piece in plan.pieces)
    return Plan((Piece(price, start, end, end),), past)


def month_of(day: date) -> Month:
    """The month a day lies in."""
    return day.year, day.month


def after(month: Month) -> date:
    """The first day after a month."""
    year, number = month
    return date(year + number // 12, number % 12 + 1, 1)
