"""What people ask for, and what it means for a posting as it stands (R9)."""

from __future__ import annotations

from datetime import date

from finsync.core.lifecycle import PostingState
from finsync.core.posting.sending import posted
from finsync.core.posting.values import Move, Refusal, Route, Standing


def retry_asked(standing: Standing) -> Move | Refusal:
    """Return the move of a person's retry. What was ever sent is looked up before anything else (R9)."""
    if standing.state != PostingState.EXCEPTION:
        return Refusal(f"It is {standing.state.lower()}, not on the desk; only an exception can be retried.")
    to = PostingState.UNKNOWN if standing.sends else PostingState.READY
    return Move(to=to, reason="retry asked for", next_seconds=0, intent="post", fresh=True)


def cancel_asked(standing: Standing) -> Move | Refusal:
    """Return the move of a person's cancellation; what was ever sent is cancelled only once it is surely absent."""
    if standing.state == PostingState.EXCEPTION and standing.sends:
        return Move(
            to=PostingState.UNKNOWN, reason="cancellation asked for", next_seconds=0, intent="cancel", fresh=True
        )
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


def redated(day: date) -> Move:
    """Return the move of a document whose period was closed and that now carries another accounting date."""
    reason = f"its period is closed; dated {day.isoformat()} instead"
    return Move(to=PostingState.UNKNOWN, reason=reason, next_seconds=0, intent="post", fresh=True)
