"""What a send and its answer mean: reliability.md 3.2, rules R3 and R4."""

from __future__ import annotations

from finsync.core.lifecycle import PostingState
from finsync.core.posting.values import (
    ATTEMPTS_MAX,
    BACKOFF_SECONDS_FIRST,
    BACKOFF_SECONDS_MAX,
    DESK_LOOKUP_SECONDS,
    LOOKUP_PAUSES_SECONDS,
    RETRY_AFTER_SECONDS_MAX,
    SEND_GUARD_PARTS,
    Answer,
    Move,
    Route,
    Standing,
    Verdict,
)


def may_send(seconds_since_claim: float, lease_seconds: float) -> bool:
    """Whether a claim may still be sent (R4). ``seconds_since_claim`` is measured with a monotonic clock."""
    return seconds_since_claim <= lease_seconds / SEND_GUARD_PARTS


def attempts_exhausted(attempts: int) -> bool:
    """Whether a READY posting has used up its attempts."""
    return attempts >= ATTEMPTS_MAX


def retry_seconds(attempts: int, chance: float) -> float:
    """Return the pause before the next attempt: 5 s doubled per attempt, at most 10 min, times ``chance`` in [0, 1)."""
    doubled = BACKOFF_SECONDS_FIRST * (1 << max(attempts - 1, 0))
    return chance * min(BACKOFF_SECONDS_MAX, doubled)


def after_send(standing: Standing, route: Route, answer: Answer, chance: float) -> Move:  # noqa: PLR0911
    """Return the move from SENDING that an answer means."""
    match answer.verdict:
        case Verdict.POSTED:
            return posted(route, answer.document_id, answer.number, "the target answered with its document")
        case Verdict.ACCEPTED:
            return Move(
                to=PostingState.ACCEPTED,
                reason="taken; the target confirms later",
                next_seconds=LOOKUP_PAUSES_SECONDS[0],
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


def exhausted(standing: Standing, findable: bool, last_answer: str) -> Move:
    """Return the move of a READY posting that has used up its attempts."""
    return to_desk("ERP_ATTEMPTS_EXHAUSTED", last_answer, sends=standing.sends, findable=findable)
