"""By when an effect must be there. Business days are counted in the entity's time zone.

Source of the rule: the deadline classes of the lifecycle table in the domain specification.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from finsync.core.periods import Period, add_business_days, next_business_day


class DeadlineClass(StrEnum):
    """How long an effect may take after its anchor, which is the source's timestamp unless an effect names another."""

    D1 = "D1"  # 15 minutes
    D2 = "D2"  # 1 hour
    D3 = "D3"  # 4 hours
    D4 = "D4"  # next business day 10:00
    D5 = "D5"  # 2 business days
    AT = "AT"  # at the anchor itself
    DAY_AFTER = "DAY_AFTER"  # one calendar day after the anchor
    BEFORE_48H = "BEFORE_48H"  # 48 hours before the anchor
    WD1 = "WD1"  # cut-off of the anchor's period: first business day after it, 18:00


@dataclass(frozen=True)
class BusinessCalendar:
    """The entity's time zone and its holidays."""

    zone: tzinfo
    holidays: Collection[date] = frozenset()


ELAPSED = {
    DeadlineClass.D1: timedelta(minutes=15),
    DeadlineClass.D2: timedelta(hours=1),
    DeadlineClass.D3: timedelta(hours=4),
    DeadlineClass.AT: timedelta(0),
    DeadlineClass.DAY_AFTER: timedelta(days=1),
    DeadlineClass.BEFORE_48H: timedelta(hours=-48),
}
D4_TIME = time(10)
D5_BUSINESS_DAYS = 2
CUT_OFF_TIME = time(18)
HARD_STOP_BEFORE_CUT_OFF = timedelta(hours=4)


def cut_off(period: Period, calendar: BusinessCalendar) -> datetime:
    """When a period closes for postings: the first business day after it, 18:00 local time."""
    first_day = next_business_day(period.end - timedelta(days=1), calendar.holidays)
    return datetime.combine(first_day, CUT_OFF_TIME, tzinfo=calendar.zone)


def hard_stop(period: Period, calendar: BusinessCalendar) -> datetime:
    """The latest due time of anything that belongs to a period: four hours before its cut-off."""
    return cut_off(period, calendar) - HARD_STOP_BEFORE_CUT_OFF


def due_at(
    deadline_class: DeadlineClass,
    anchor: datetime,
    calendar: BusinessCalendar,
    *,
    period: Period | None = None,
) -> datetime:
    """When an effect is due: its class counted from the anchor, or the hard stop of ``period`` if that is earlier.

    ``anchor`` must know its time zone. ``period`` is the accounting period at stake; an event that is known only
    after the hard stop is due at once, in the past. The class ``WD1`` is itself the cut-off and is not pulled forward.
    """
    if anchor.tzinfo is None:
        raise ValueError("the anchor of a deadline needs a time zone")
    local = anchor.astimezone(calendar.zone)
    if deadline_class is DeadlineClass.WD1:
        return cut_off(Period.of(local.date()), calendar)
    if deadline_class is DeadlineClass.D4:
        due = datetime.combine(next_business_day(local.date(), calendar.holidays), D4_TIME, tzinfo=calendar.zone)
    elif deadline_class is DeadlineClass.D5:
        day = add_business_days(local.date(), D5_BUSINESS_DAYS, calendar.holidays)
        due = datetime.combine(day, local.time(), tzinfo=calendar.zone)
    else:
        due = anchor + ELAPSED[deadline_class]
    return due if period is None else min(due, hard_stop(period, calendar))
