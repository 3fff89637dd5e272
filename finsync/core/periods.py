"""Dates and accounting periods. Every span of time is half-open, [start, end): the end day is the first day outside.

A connector whose source counts the last day in (Zuora, NetSuite, Salesforce) adds one day before it calls in here.
Dates are calendar days in the legal entity's time zone; turning an instant into such a day is the caller's work.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

SATURDAY = 5  # date.weekday()
_LABEL = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True, order=True, slots=True)
class Period:
    """A calendar month as an accounting period. Periods sort by time."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not 1 <= self.month <= 12:
            raise ValueError(f"month must be 1 to 12, not {self.month}")

    @classmethod
    def of(cls, day: date) -> Period:
        """The period a day falls in. Raises TypeError for an instant, whose day depends on a time zone."""
        return cls(calendar_day(day).year, day.month)

    @classmethod
    def parse(cls, label: str) -> Period:
        """The period written "2026-02". Raises ValueError naming any other text."""
        match = _LABEL.fullmatch(label)
        if not match:
            raise ValueError(f"{label!r} is not a period such as 2026-02")
        return cls(int(match[1]), int(match[2]))

    @property
    def start(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def end(self) -> date:
        """First day after the period."""
        return self.next().start

    @property
    def label(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def next(self) -> Period:
        return Period(self.year + self.month // 12, self.month % 12 + 1)

    def previous(self) -> Period:
        return Period(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    def contains(self, day: date) -> bool:
        return self.start <= calendar_day(day) < self.end

    def days_within(self, start: date, end: date) -> int:
        """How many days of [start, end) fall into this period."""
        return max(0, (min(end, self.end) - max(start, self.start)).days)

    def __str__(self) -> str:
        return self.label


def days(start: date, end: date) -> int:
    """Number of days in [start, end). Raises ValueError if the end is before the start."""
    count = (calendar_day(end) - calendar_day(start)).days
    if count < 0:
        raise ValueError(f"a span cannot end ({end}) before it starts ({start})")
    return count


def periods_between(start: date, end: date) -> list[Period]:
    """Every period that [start, end) touches, in order; none for an empty span."""
    if days(start, end) == 0:
        return []
    period, last = Period.of(start), Period.of(end - timedelta(days=1))
    found = [period]
    while period < last:
        period = period.next()
        found.append(period)
    return found


def add_months(day: date, months: int) -> date:
    """The same day of the month so many months on; a day the month lacks becomes its last day (31 Jan + 1 = 28 Feb).

    Always count from the first anchor (`add_months(anchor, 2)`), never step by step: 28 Feb + 1 would drift to 28 Mar.
    """
    year, month0 = divmod(calendar_day(day).year * 12 + day.month - 1 + months, 12)
    return date(year, month0 + 1, min(day.day, monthrange(year, month0 + 1)[1]))


def anchored_spans(start: date, end: date, anchor: date, months: int) -> list[tuple[date, date]]:
    """The price periods of `months` months, counted from `anchor`, that [start, end) touches; ends not cut off.

    The anchor may lie before, inside or after the span: a bill day of 15 is the 15th of any month.
    """
    if months < 1:
        raise ValueError(f"a price period is at least one month, not {months}")
    if days(start, end) == 0:
        return []
    first = ((start.year - anchor.year) * 12 + start.month - anchor.month) // months
    if add_months(anchor, first * months) > start:
        first -= 1
    bounds = [add_months(anchor, first * months)]
    while bounds[-1] < end:
        bounds.append(add_months(anchor, (first + len(bounds)) * months))
    return list(pairwise(bounds))


def is_business_day(day: date, holidays: Collection[date] = ()) -> bool:
    """Monday to Friday and no holiday."""
    return calendar_day(day).weekday() < SATURDAY and day not in holidays


def add_business_days(day: date, count: int, holidays: Collection[date] = ()) -> date:
    """The count-th business day strictly after `day` (count 1 or more)."""
    if count < 1:
        raise ValueError(f"count must be 1 or more, not {count}")
    while count:
        day += timedelta(days=1)
        count -= is_business_day(day, holidays)
    return day


def next_business_day(day: date, holidays: Collection[date] = ()) -> date:
    """The first business day strictly after `day`."""
    return add_business_days(day, 1, holidays)


def calendar_day(day: date) -> date:
    """The day itself; raises TypeError for an instant (datetime), which has a day only in a named time zone."""
    if isinstance(day, datetime) or not isinstance(day, date):
        raise TypeError(f"a calendar day is needed, not {day!r}: name the time zone and take its date first")
    return day
