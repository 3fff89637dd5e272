"""What 'Retry' on the desk means for each subject: the rooms' own functions, tied together here."""

from connectors.services.inbox import replay
from exceptions_queue.services import ResolutionAction, register
from exceptions_queue.services.work import NotPossible
from finsync.canonical.services.apply import retry_fact
from finsync.core.lifecycle import PostingState
from finsync.posting.models import Posting
from finsync.posting.services.actions import ConflictError, retry
from finsync.posting.services.governor import probe_now
from finsync.posting.services.janitor import register_period_closed
from finsync.posting.services.plan import wake_changes
from finsync.posting.services.release import look_again, next_open_date


def register_actions() -> None:
    """Make every subject's action known to the desk."""
    # A period the ERP closed between planning and sending is met like one that was closed before.
    register_period_closed(next_open_date)
    register(ResolutionAction("inbox", "Read again", _replay, lambda pk: f"/events/{pk}/"))
    register(ResolutionAction("fact", "Apply again", retry_fact, lambda pk: f"/events/of-fact/{pk}/"))
    register(ResolutionAction("change", "Plan again", _plan_again, lambda pk: f"/trace/?change={pk}"))
    register(ResolutionAction("posting", "Retry", _retry_posting, lambda pk: f"/trace/{pk}/"))
    register(ResolutionAction("connection", "Probe again", _probe, lambda pk: "/connections/"))


def _replay(message_id: int, actor: str) -> str:
    replay(message_id)
    return "the letter is read again"


def _plan_again(change_id: int, actor: str) -> str:
    wake_changes([change_id])
    return "its documents are planned again"


def _retry_posting(posting_id: int, actor: str) -> str:
    if Posting.objects.filter(pk=posting_id, status=PostingState.HELD).exists():
        return look_again(posting_id, actor)
    try:
        return retry(posting_id, actor)
    except ConflictError as conflict:
        raise NotPossible(str(conflict)) from conflict


def _probe(connection_id: int, actor: str) -> str:
    return probe_now(connection_id)
