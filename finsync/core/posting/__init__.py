"""Decisions of the posting machine: what is known of a posting, an answer and the clock in, the next move out.

Nothing here does anything: a store applies a move by compare-and-set. States and legal moves: core.lifecycle. R numbers
are the rules of reliability.md 3.2.
"""

from finsync.core.posting.doubt import (
    absence_is_authoritative,
    after_lookup,
    class_now,
    confirmation_refused,
    lookup_failed,
    lookup_seconds,
    quiet_at,
    route_paused,
)
from finsync.core.posting.sending import (
    after_send,
    attempts_exhausted,
    exhausted,
    late,
    lease_expired,
    may_send,
    posted,
    retry_seconds,
    to_desk,
)
from finsync.core.posting.values import Answer, Finding, Hit, Move, Refusal, Route, Standing, Verdict
from finsync.core.posting.verification import after_verification, verification_failed
from finsync.core.posting.wishes import cancel_asked, link_asked, redated, retry_asked

__all__ = [
    "Answer",
    "Finding",
    "Hit",
    "Move",
    "Refusal",
    "Route",
    "Standing",
    "Verdict",
    "absence_is_authoritative",
    "after_lookup",
    "after_send",
    "after_verification",
    "attempts_exhausted",
    "cancel_asked",
    "class_now",
    "confirmation_refused",
    "exhausted",
    "late",
    "lease_expired",
    "link_asked",
    "lookup_failed",
    "lookup_seconds",
    "may_send",
    "posted",
    "quiet_at",
    "redated",
    "retry_asked",
    "retry_seconds",
    "route_paused",
    "to_desk",
    "verification_failed",
]
