"""How fast one connection may be called: a token bucket, a concurrency that adapts, and when a route is paused.

Pure arithmetic; posting.services.governor keeps the numbers. Source: reliability.md 7 (concurrency halves on 429 and
grows by one a minute, never above the vendor's limit) and 8.25 (an open breaker burns no attempts).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

BURST_SECONDS = 1.0  # the bucket holds what one second of the vendor's rate allows, at least one call
CONCURRENCY_GROWS_EVERY_SECONDS = 60.0
FAILURES_IN_A_ROW_MAX = 5
THROTTLE_SECONDS_DEFAULT = 5.0  # a 429 without Retry-After
THROTTLE_SECONDS_MAX = 3_600.0
PROBE_SECONDS = 30.0
WAITING_PROBE_SECONDS = 5.0  # a target still being set up is asked more often: somebody watches
IN_FLIGHT_POLL_SECONDS = 0.5  # all slots are taken by other workers
RATE_PER_SECOND_MIN = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Rate and concurrency of one connection; ``rate_per_second`` and ``concurrency_max`` are the vendor's limits."""

    rate_per_second: float
    tokens: float
    tokens_at: datetime
    concurrency_max: int
    concurrency_now: int
    concurrency_changed_at: datetime
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many calls may start now, and if none when to ask again."""

    slots: int
    again_seconds: float
    pace: Pace


def allowance(pace: Pace, now: datetime, in_flight: int) -> Allowance:
    """Return what may start now; the tokens are not yet spent (see ``spent``)."""
    held = _grown(_refilled(pace, now), now)
    if held.not_before is not None and held.not_before > now:
        return Allowance(slots=0, again_seconds=(held.not_before - now).total_seconds(), pace=held)
    free = held.concurrency_now - in_flight
    if free <= 0:
        return Allowance(slots=0, again_seconds=IN_FLIGHT_POLL_SECONDS, pace=held)
    if held.tokens < 1:
        return Allowance(
            slots=0, again_seconds=(1 - held.tokens) / max(held.rate_per_second, RATE_PER_SECOND_MIN), pace=held
        )
    return Allowance(slots=min(free, int(held.tokens)), again_seconds=0, pace=held)


def spent(pace: Pace, calls: int) -> Pace:
    """Return the pace after ``calls`` calls were started. Tokens may go below zero: look-ups are not held back."""
    return replace(pace, tokens=pace.tokens - calls)


def throttled(pace: Pace, now: datetime, asked_at: datetime, retry_after_seconds: float | None) -> Pace:
    """Return the pace after a 429 to a call begun at ``asked_at``.

    Several calls in flight are refused together: only those begun after the last change halve it again.
    """
    pause = min(retry_after_seconds or THROTTLE_SECONDS_DEFAULT, THROTTLE_SECONDS_MAX)
    wanted = now + timedelta(seconds=pause)
    held = replace(pace, not_before=max(wanted, pace.not_before) if pace.not_before else wanted)
    if asked_at <= pace.concurrency_changed_at:
        return held
    return replace(held, concurrency_now=max(1, pace.concurrency_now // 2), concurrency_changed_at=now)


def _refilled(pace: Pace, now: datetime) -> Pace:
    seconds = max(0.0, (now - pace.tokens_at).total_seconds())
    full = max(1.0, pace.rate_per_second * BURST_SECONDS)
    return replace(pace, tokens=min(full, pace.tokens + seconds * pace.rate_per_second), tokens_at=now)


def _grown(pace: Pace, now: datetime) -> Pace:
    minutes = int((now - pace.concurrency_changed_at).total_seconds() // CONCURRENCY_GROWS_EVERY_SECONDS)
    if minutes < 1 or pace.concurrency_now >= pace.concurrency_max:
        return pace
    return replace(
        pace,
        concurrency_now=min(pace.concurrency_max, pace.concurrency_now + minutes),
        concurrency_changed_at=pace.concurrency_changed_at
        + timedelta(seconds=minutes * CONCURRENCY_GROWS_EVERY_SECONDS),
    )
