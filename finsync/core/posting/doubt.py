"""What a look-up means, and when 'not found' proves anything: reliability.md 3.1 and 3.3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from finsync.core.lifecycle import PostingState
from finsync.core.posting.sending import posted, to_desk
from finsync.core.posting.values import (
    CONFIRMATION_SECONDS_MAX,
    LOOKUP_PAUSE_SECONDS_MAX,
    LOOKUP_PAUSES_SECONDS,
    PAUSED_RECHECK_SECONDS,
    UNANSWERED_PAUSE_SECONDS_MAX,
    UNKNOWN_SECONDS_MAX,
    Hit,
    Move,
    Route,
    Standing,
)


def class_now(route: Route, standing: Standing, now: datetime) -> str:
    """Return the class that holds now: a key older than half its window is treated as absent (class A becomes C)."""
    if route.idempotency != "A":
        return route.idempotency
    sent = standing.first_sent_at
    young = sent is not None and now - sent < timedelta(seconds=route.key_window_seconds / 2)
    return "A" if young else "C"


def quiet_at(standing: Standing, route: Route) -> datetime | None:
    """Return when nothing sent under the last lease can still arrive or be hidden from a search (3.3)."""
    if standing.lease_ended_at is None:
        return None
    return standing.lease_ended_at + timedelta(seconds=route.quiesce_seconds + route.lag_seconds)


def absence_is_authoritative(standing: Standing, route: Route, asked_at: datetime) -> bool:
    """Whether 'not found', asked at ``asked_at``, proves that nothing exists and nothing will arrive (3.3).

    To send again, classes A and B need no proof: the target itself refuses a second document. To cancel they do,
    because a request in flight would still make the first one.
    """
    held = class_now(route, standing, asked_at)
    if held in ("A", "B") and standing.intent == "post":
        return True
    quiet, first = quiet_at(standing, route), standing.first_negative_at
    if held == "D" or quiet is None or first is None:
        return False
    return asked_at >= quiet and asked_at - first >= timedelta(seconds=route.lag_seconds)


def lookup_seconds(standing: Standing, route: Route, now: datetime) -> float:
    """Return the pause before the next look-up: the schedule, cut short where absence could be proven earlier."""
    done = standing.lookups
    pause = LOOKUP_PAUSES_SECONDS[done] if done < len(LOOKUP_PAUSES_SECONDS) else LOOKUP_PAUSE_SECONDS_MAX
    quiet, first = quiet_at(standing, route), standing.first_negative_at
    if quiet is not None and first is not None:
        proof = max(quiet, first + timedelta(seconds=route.lag_seconds))
        until_proof = math.ceil((proof - now).total_seconds())
        if until_proof > 0:
            pause = min(pause, until_proof)
    return pause


def after_lookup(  # noqa: PLR0911
    standing: Standing, route: Route, hits: Sequence[Hit], asked_at: datetime
) -> Move:
    """Return the move from UNKNOWN or ACCEPTED that a look-up, begun at ``asked_at``, means."""
    if standing.state == PostingState.ACCEPTED:
        return _after_confirmation(standing, route, hits, asked_at)
    if len(hits) > 1:
        return _desk(standing, route, "ERP_DUPLICATE_POST", several(hits))
    if not hits:
        return _after_negative(standing, route, asked_at)
    hit = hits[0]
    if not hit.fingerprint_ok:
        reason = f"document {hit.document_id} carries our reference but not our content: {hit.detail}"
        return _desk(standing, route, "ERP_CONTENT_MISMATCH", reason)
    if hit.complete:
        late_wish = "; the wish to cancel came too late" if standing.intent == "cancel" else ""
        return posted(route, hit.document_id, hit.number, f"found in the target by our reference{late_wish}")
    if standing.intent == "cancel" or route.idempotency == "D":
        return _desk(standing, route, "ERP_PARTIAL_POST", f"a half-made document {hit.document_id} is there")
    return Move(
        to=PostingState.READY,
        reason=f"found half-made as {hit.document_id}; it is completed, not made again",
        next_seconds=0,
        resume_id=hit.document_id,
    )


def lookup_failed(standing: Standing, route: Route, reason: str, now: datetime, *, for_ever: bool = False) -> Move:
    """Return the move when the target could not be asked; ``for_ever`` where it never can be."""
    if for_ever:
        return _desk(standing, route, "ERP_POST_UNKNOWN", f"the target cannot be asked: {reason}")
    move = _ask_again(standing, route, f"could not be looked up: {reason}", now)
    if move.to != standing.state or move.next_seconds is None:
        return move
    return replace(move, next_seconds=min(move.next_seconds, UNANSWERED_PAUSE_SECONDS_MAX))


def route_paused(standing: Standing, route: Route, now: datetime) -> Move:
    """Return the move of a doubt whose route is paused: it is not counted as asked, but it grows old."""
    move = _ask_again(standing, route, "its route is paused", now)
    if move.to != standing.state:
        return move
    return replace(move, lookups=standing.lookups, next_seconds=PAUSED_RECHECK_SECONDS)


def confirmation_refused(code: str, reason: str) -> Move:
    """Return the move of an accepted document that the target refuses in the end."""
    return Move(to=PostingState.REJECTED, reason=reason, code=code, next_seconds=0)


def _after_negative(standing: Standing, route: Route, asked_at: datetime) -> Move:
    if route.idempotency == "D":
        return _desk(standing, route, "ERP_POST_UNKNOWN", "not found, and this target is never told a thing twice")
    if absence_is_authoritative(standing, route, asked_at):
        if standing.intent == "cancel":
            verify = route.quiesce_seconds + route.lag_seconds
            return Move(to=PostingState.CANCELLED, reason="surely not in the target; cancelled", verify_seconds=verify)
        # A half-made document that was resumed is gone too: begin anew.
        return Move(to=PostingState.READY, reason="surely not in the target; sent again", next_seconds=0, resume_id="")
    # It is not too old as long as the target answers: one more look-up in time proves it.
    seen = replace(standing, negatives=standing.negatives + 1, first_negative_at=standing.first_negative_at or asked_at)
    return _later(seen, route, "not found, which proves nothing yet", asked_at)


def _after_confirmation(standing: Standing, route: Route, hits: Sequence[Hit], asked_at: datetime) -> Move:
    if len(hits) == 1 and hits[0].complete and hits[0].fingerprint_ok:
        return posted(route, hits[0].document_id, hits[0].number, "the target confirmed it")
    if len(hits) > 1 or (hits and not hits[0].fingerprint_ok):
        return Move(to=PostingState.UNKNOWN, reason="the confirmation does not fit what was sent", next_seconds=0)
    return _ask_again(standing, route, "not confirmed yet", asked_at)


def _ask_again(standing: Standing, route: Route, reason: str, now: datetime) -> Move:
    """Return the same state with a later look-up, or what follows when that has gone on too long."""
    waited = (now - standing.doubtful_since).total_seconds() if standing.doubtful_since else 0.0
    if standing.state == PostingState.ACCEPTED and waited > CONFIRMATION_SECONDS_MAX:
        return Move(
            to=PostingState.UNKNOWN, reason=reason, next_seconds=0, code="ERP_CONFIRMATION_OVERDUE", on_desk=True
        )
    if standing.state == PostingState.UNKNOWN and waited > UNKNOWN_SECONDS_MAX:
        return _desk(standing, route, "ERP_POST_UNKNOWN", f"in doubt for more than four hours; {reason}")
    return _later(standing, route, reason, now)


def _later(standing: Standing, route: Route, reason: str, now: datetime) -> Move:
    return Move(
        to=standing.state,
        reason=reason,
        next_seconds=lookup_seconds(standing, route, now),
        lookups=standing.lookups + 1,
        negatives=standing.negatives,
        first_negative_at=standing.first_negative_at,
    )


def _desk(standing: Standing, route: Route, code: str, reason: str) -> Move:
    if standing.state == PostingState.ACCEPTED:  # the table knows no way from ACCEPTED to the desk but through doubt
        return Move(to=PostingState.UNKNOWN, reason=reason, next_seconds=0)
    return to_desk(code, reason, sends=standing.sends, findable=route.findable)


def several(hits: Sequence[Hit]) -> str:
    """Return the sentence that names the documents found under one reference."""
    return "the target holds several documents under our reference: " + ", ".join(hit.document_id for hit in hits)
