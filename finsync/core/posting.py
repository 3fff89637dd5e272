"""Decisions of the posting machine: what is known of a posting, an answer and the clock in, the next move out.

Nothing here does anything: a store applies a move by compare-and-set. States and legal moves: core.lifecycle. Source of
the rules: reliability.md 3.1 to 3.3; R numbers below are its rules. Times are seconds unless said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from finsync.core.lifecycle import PostingState

SEND_GUARD_PARTS = 3  # R4: nothing is sent later than a third of the lease after the claim
ATTEMPTS_MAX = 6
BACKOFF_SECONDS_FIRST = 5.0
BACKOFF_SECONDS_MAX = 600.0
RETRY_AFTER_SECONDS_MAX = 3_600.0  # a target that asks for more is asked again in an hour
LOOKUP_PAUSES_SECONDS = (5.0, 30.0, 120.0, 600.0, 1_800.0)
LOOKUP_PAUSE_SECONDS_MAX = 3_600.0
UNKNOWN_SECONDS_MAX = 4 * 3_600.0
CONFIRMATION_SECONDS_MAX = 24 * 3_600.0
VERIFICATIONS = 2  # R8: after quiesce and lag, and again the next day
SECOND_VERIFICATION_SECONDS = 24 * 3_600.0
DESK_LOOKUP_SECONDS = 3_600.0  # how often a posting on the desk is looked up, for its first day; then daily
DESK_LOOKUPS_HOURLY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one document type is posted over one connection.

    ``idempotency`` is the class A, B, C or D of reliability.md 3.1; ``quiesce_seconds`` the longest time a request may
    stay in flight, ``lag_seconds`` how late a search may show a new document.
    """

    idempotency: str
    findable: bool = True
    key_window_seconds: float = 0
    confirms_later: bool = False
    lease_seconds: float = 180
    quiesce_seconds: float = 900
    lag_seconds: float = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a decision needs to know of a posting.

    ``lease_ended_at`` is the end of the last lease under which something may have been sent; ``doubtful_since`` when it
    became UNKNOWN or ACCEPTED; ``negatives`` and ``first_negative_at`` count look-ups since the last send that found
    nothing.
    """

    state: PostingState
    intent: str = "post"
    sends: int = 0
    attempts: int = 0
    lookups: int = 0
    negatives: int = 0
    first_negative_at: datetime | None = None
    first_sent_at: datetime | None = None
    lease_ended_at: datetime | None = None
    doubtful_since: datetime | None = None
    document_id: str = ""
    verified_count: int = 0


class Verdict(StrEnum):
    """What came of one send. The three middle ones and REJECTED are definite negatives (R3)."""

    POSTED = "POSTED"
    ACCEPTED = "ACCEPTED"
    NOT_SENT = "NOT_SENT"  # the send guard held it back
    TRY_LATER = "TRY_LATER"
    AUTH_FAILED = "AUTH_FAILED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One send, classified. ``code`` is the reason code of a refusal; ``http_status`` 429 means throttled."""

    verdict: Verdict
    detail: str = ""
    code: str = ""
    document_id: str = ""
    number: str = ""
    http_status: int | None = None
    retry_after_seconds: float | None = None


class Hit(Protocol):
    """A document the target shows under our reference (connectors.contract.Found)."""

    @property
    def document_id(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def complete(self) -> bool: ...
    @property
    def fingerprint_ok(self) -> bool: ...
    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a posting goes and what is written with it.

    ``next_seconds`` counts from the moment the store applies it (None: parked or terminal). ``while_leased``: only while
    the lease is valid, else the store applies ``late(move)`` instead (R3). ``code`` names the failure; ``on_desk`` raises
    its case. ``verify_seconds`` sets when the target is asked once more whether exactly one document exists (R8).
    ``refund_attempt`` takes the claim back from the attempts, ``fresh`` counts them from zero again. ``intent`` and
    ``resume_id`` stay as they are where None; all other values replace what the posting had.
    """

    to: PostingState
    reason: str
    next_seconds: float | None = None
    while_leased: bool = False
    code: str = ""
    on_desk: bool = False
    refund_attempt: bool = False
    fresh: bool = False
    intent: str | None = None
    lookups: int = 0
    negatives: int = 0
    first_negative_at: datetime | None = None
    resume_id: str | None = None
    document_id: str = ""
    number: str = ""
    verify_seconds: float | None = None


# ---- sending ---------------------------------------------------------------------------------------------------


def may_send(seconds_since_claim: float, lease_seconds: float) -> bool:
    """Whether a claim may still be sent (R4). ``seconds_since_claim`` is measured with a monotonic clock."""
    return seconds_since_claim <= lease_seconds / SEND_GUARD_PARTS


def attempts_exhausted(attempts: int) -> bool:
    """Whether a READY posting has used up its attempts."""
    return attempts >= ATTEMPTS_MAX


def retry_seconds(attempts: int, chance: float) -> float:
    """Return the pause before the next attempt: 5 s doubled per attempt, at most 10 min, full jitter by ``chance`` in [0, 1)."""
    return chance * min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_FIRST * 2 ** max(attempts - 1, 0))


def after_send(standing: Standing, route: Route, answer: Answer, chance: float) -> Move:
    """Return the move from SENDING that an answer means."""
    match answer.verdict:
        case Verdict.POSTED:
            return posted(route, answer.document_id, answer.number, "the target answered with its document")
        case Verdict.ACCEPTED:
            return Move(
                to=PostingState.ACCEPTED, reason="taken; the target confirms later", next_seconds=LOOKUP_PAUSES_SECONDS[0]
            )
        case Verdict.NOT_SENT:
            return Move(
                to=PostingState.READY, reason=answer.detail, next_seconds=0, while_leased=True, refund_attempt=True
            )
        case Verdict.TRY_LATER:
            pause = max(retry_seconds(standing.attempts, chance), answer.retry_after_seconds or 0)
            return Move(
                to=PostingState.READY,
                reason=answer.detail,
                next_seconds=min(pause, RETRY_AFTER_SECONDS_MAX),
                while_leased=True,
            )
        case Verdict.AUTH_FAILED:
            # The whole route stops; this document did nothing wrong and keeps its attempt.
            return Move(
                to=PostingState.READY, reason=answer.detail, next_seconds=0, while_leased=True, refund_attempt=True
            )
        case Verdict.REJECTED:
            return Move(
                to=PostingState.REJECTED, reason=answer.detail, code=answer.code, next_seconds=0, while_leased=True
            )
    return Move(to=PostingState.UNKNOWN, reason=answer.detail, next_seconds=LOOKUP_PAUSES_SECONDS[0])


def late(move: Move) -> Move:
    """Return what a definite negative becomes when it is told after the lease ended: a doubt (R3)."""
    return Move(
        to=PostingState.UNKNOWN,
        reason=f"told after the lease ended, so it is looked up: {move.reason}",
        next_seconds=LOOKUP_PAUSES_SECONDS[0],
    )


def lease_expired() -> Move:
    """Return the move of a posting whose sender was not heard of until its lease ended."""
    return Move(
        to=PostingState.UNKNOWN,
        reason="the sender was not heard of until its lease ended",
        next_seconds=LOOKUP_PAUSES_SECONDS[0],
    )


def posted(route: Route, document_id: str, number: str, reason: str) -> Move:
    """Return the move to POSTED, with its first verification (R8) after quiesce and lag."""
    return Move(
        to=PostingState.POSTED,
        reason=reason,
        document_id=document_id,
        number=number,
        verify_seconds=route.quiesce_seconds + route.lag_seconds if route.findable else None,
    )


def to_desk(code: str, reason: str, *, sends: int, findable: bool) -> Move:
    """Return the move to EXCEPTION. What may exist in the target is still looked up from time to time, as evidence."""
    verify = DESK_LOOKUP_SECONDS if sends and findable else None
    return Move(to=PostingState.EXCEPTION, reason=reason, code=code, on_desk=True, verify_seconds=verify)


# ---- doubt -----------------------------------------------------------------------------------------------------


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

    To send again, classes A and B need no proof: the target itself refuses a second document. To cancel they do, because
    a request in flight would still make the first one.
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


def after_lookup(standing: Standing, route: Route, hits: Sequence[Hit], asked_at: datetime) -> Move:
    """Return the move from UNKNOWN or ACCEPTED that a look-up, begun at ``asked_at``, means."""
    if standing.state == PostingState.ACCEPTED:
        return _after_confirmation(standing, route, hits, asked_at)
    if len(hits) > 1:
        return _desk(standing, route, "ERP_DUPLICATE_POST", _several(hits))
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
    return _ask_again(standing, route, f"could not be looked up: {reason}", now)


def confirmation_refused(code: str, reason: str) -> Move:
    """Return the move of an accepted document that the target refuses in the end."""
    return Move(to=PostingState.REJECTED, reason=reason, code=code, next_seconds=0)


def _after_negative(standing: Standing, route: Route, asked_at: datetime) -> Move:
    if route.idempotency == "D":
        return _desk(standing, route, "ERP_POST_UNKNOWN", "not found, and this target is never told a thing twice")
    if absence_is_authoritative(standing, route, asked_at):
        if standing.intent == "cancel":
            verify = route.quiesce_seconds + route.lag_seconds
            return Move(
                to=PostingState.CANCELLED, reason="surely not in the target; cancelled", verify_seconds=verify
            )
        # A half-made document that was resumed is gone too: begin anew.
        return Move(to=PostingState.READY, reason="surely not in the target; sent again", next_seconds=0, resume_id="")
    seen = replace(
        standing, negatives=standing.negatives + 1, first_negative_at=standing.first_negative_at or asked_at
    )
    return _ask_again(seen, route, "not found, which proves nothing yet", asked_at)


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


def _several(hits: Sequence[Hit]) -> str:
    return "the target holds several documents under our reference: " + ", ".join(hit.document_id for hit in hits)


# ---- what people ask for ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a wish does not fit the posting as it stands, and what would."""

    why: str


def retry_asked(standing: Standing) -> Move | Refusal:
    """Return the move of a person's retry. What was ever sent is looked up before anything else (R9)."""
    if standing.state != PostingState.EXCEPTION:
        return Refusal(f"It is {standing.state.lower()}, not on the desk; only an exception can be retried.")
    to = PostingState.UNKNOWN if standing.sends else PostingState.READY
    return Move(to=to, reason="retry asked for", next_seconds=0, intent="post", fresh=True)


def cancel_asked(standing: Standing) -> Move | Refusal:
    """Return the move of a person's cancellation; what was ever sent is cancelled only once it is surely absent."""
    if standing.state == PostingState.EXCEPTION and standing.sends:
        return Move(to=PostingState.UNKNOWN, reason="cancellation asked for", next_seconds=0, intent="cancel", fresh=True)
    if standing.state in (PostingState.HELD, PostingState.READY, PostingState.EXCEPTION) and not standing.sends:
        return Move(to=PostingState.CANCELLED, reason="cancelled before anything was sent", intent="cancel")
    if standing.state == PostingState.POSTED:
        return Refusal("It is posted, and posted is final. Post a reversal instead.")
    if standing.state == PostingState.CANCELLED:
        return Refusal("It is cancelled already.")
    return Refusal(f"It is {standing.state.lower()}; it can be cancelled once it is settled or on the desk.")


def link_asked(standing: Standing, route: Route, document_id: str, number: str) -> Move | Refusal:
    """Return the move of linking a target document that a person found, and a second one confirmed."""
    if standing.state != PostingState.EXCEPTION:
        return Refusal(f"It is {standing.state.lower()}; only an exception is linked by hand.")
    return posted(route, document_id, number, "linked by hand with evidence")


# ---- verification (R8) -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a verification saw. ``code`` is "" where all is well; ``next_seconds`` None where no further one is due."""

    code: str
    detail: str
    next_seconds: float | None
    counts: bool = True


def after_verification(standing: Standing, hits: Sequence[Hit]) -> Finding:
    """Return what a look-up of a POSTED, CANCELLED or EXCEPTION posting tells; it never changes the state."""
    code, detail = _verified(standing, hits)
    if standing.state == PostingState.EXCEPTION:
        hourly = standing.verified_count < DESK_LOOKUPS_HOURLY
        pause = DESK_LOOKUP_SECONDS if hourly else SECOND_VERIFICATION_SECONDS
        return Finding(code=code, detail=detail, next_seconds=pause)
    more = standing.verified_count + 1 < VERIFICATIONS
    return Finding(code=code, detail=detail, next_seconds=SECOND_VERIFICATION_SECONDS if more else None)


def verification_failed(reason: str) -> Finding:
    """Return the finding when the target could not be asked: nothing is known, it is asked again."""
    return Finding(code="", detail=reason, next_seconds=DESK_LOOKUP_SECONDS, counts=False)


def _verified(standing: Standing, hits: Sequence[Hit]) -> tuple[str, str]:
    if len(hits) > 1:
        return "ERP_DUPLICATE_POST", _several(hits)
    if standing.state == PostingState.CANCELLED:
        return ("ERP_CONTENT_MISMATCH", f"cancelled here, but the target holds {hits[0].document_id}") if hits else ("", "")
    if standing.state == PostingState.EXCEPTION:
        if not hits:
            return "", "not in the target at the last look-up"
        return "", f"the target holds it as {hits[0].document_id}; link it, or retry and it is found"
    if not hits:
        return "ERP_MANUAL_EDIT", f"document {standing.document_id} is not in the target any more"
    if hits[0].document_id != standing.document_id or not hits[0].fingerprint_ok:
        return "ERP_CONTENT_MISMATCH", f"the target holds {hits[0].document_id}: {hits[0].detail or 'another document'}"
    return "", "exactly one document"
