"""Days, seconds and rounding of the double. Documents are dated in UTC."""

import calendar
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from connectors.systems.stripe.sandbox.shapes import Json

SECONDS_PER_DAY = 86_400


def half_up(value: Fraction) -> int:
    """Nearest whole number, ties away from zero."""
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return -whole if value < 0 else whole


def business_day(seconds: Any, text: Any) -> date:
    """A business day: in seconds, as text, or today."""
    if seconds:
        return day_of(int(seconds))
    return date.fromisoformat(text) if text else datetime.now(UTC).date()


def day_of(second: int) -> date:
    """The day of a second."""
    return datetime.fromtimestamp(second, UTC).date()


def second_of(day: date) -> int:
    """The second a day begins."""
    return (day - date(1970, 1, 1)).days * SECONDS_PER_DAY


def after_interval(start: date, recurring: Json) -> date:
    """The day a billing period ends; a day the month does not have becomes its last."""
    count = int(recurring["interval_count"])
    match recurring["interval"]:
        case "day":
            return start + timedelta(days=count)
        case "week":
            return start + timedelta(weeks=count)
        case interval:
            months = start.month - 1 + count * (12 if interval == "year" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))
