"""Times and codes in the words of the screen."""

from datetime import UTC, datetime, timedelta

HOURS_PER_DAY = 24
MINUTES_SHOWN_BELOW_HOURS = 4
SOON = timedelta(hours=4)  # an SLA under four hours is shown in amber (ui.md 3.4)


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units: 9 s, 4 m 05 s, 3 h 05 m, 1 d 4 h."""
    seconds = int(abs(length).total_seconds())
    minutes, hours = seconds // 60, seconds // 3600
    if hours >= HOURS_PER_DAY:
        rest = hours % HOURS_PER_DAY
        return f"{hours // HOURS_PER_DAY} d {rest} h" if rest else f"{hours // HOURS_PER_DAY} d"
    if hours:
        return f"{hours} h {minutes % 60:02d} m" if minutes % 60 and hours < MINUTES_SHOWN_BELOW_HOURS else f"{hours} h"
    if minutes:
        return f"{minutes} m {seconds % 60:02d} s" if minutes < 10 and seconds % 60 else f"{minutes} m"
    return f"{seconds} s"


def milliseconds(count: int | None) -> str:
    """Return a duration measured in milliseconds: 412 ms, 3.2 s, 2 m."""
    if count is None:
        return "–"
    if count < 1000:
        return f"{count} ms"
    return f"{count / 1000:.1f} s" if count < 60_000 else span(timedelta(milliseconds=count))


def moment(at: datetime) -> str:
    """Return an instant to the second: 1 Jun 2026 04:12:07 UTC."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y %H:%M:%S} UTC"


def minute(at: datetime) -> str:
    """Return an instant to the minute: 1 Jun 2026 04:12 UTC."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y %H:%M} UTC"


def sla(due: datetime | None, now: datetime, *, paused: bool = False) -> tuple[str, str]:
    """Return the words and the tone ("", soon, over) of a deadline."""
    if paused:
        return "Paused", ""
    if due is None:
        return "None", ""
    left = due - now
    if left < timedelta(0):
        return f"Over by {span(left)}", "over"
    return span(left), "soon" if left < SOON else ""


# Which parts of a business key a person says, by what the key is about; the kind itself and the system go unsaid.
_SAID = {
    "customer": slice(1, None),
    "contract": slice(2, None),
    "schedule": slice(2, None),
    "revenue": slice(2, None),
    "invoice": slice(3, 4),
    "payment": slice(2, None),
    "payment_application": slice(2, 3),
    "subscription": slice(2, None),
}


def tail(key: str) -> str:
    """Return what a person calls a business key: INV-2 for ``invoice:US01:stripe:INV-2:v1``, C-1 v2 for a contract."""
    parts = key.split(":")
    return " ".join(parts[_SAID.get(parts[0], slice(-1, None))]) or key


def plain(code: str) -> str:
    """Return a code as words: ``payment_application`` as Payment application."""
    return code.replace("_", " ").replace("-", " ").strip().capitalize()
