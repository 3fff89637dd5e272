"""What people may do to a posting. Each locks the row and checks its state: of two operators one wins.

A retry never skips the look-up (R9). Linking a target document, and cancelling what was sent, need two people.
"""

from dataclasses import replace

from django.utils import timezone

from connectors.models import Connection
from finsync.audit.services import recording
from finsync.core import posting as rules
from finsync.core.lifecycle import PostingState
from finsync.core.posting import Move, Refusal
from finsync.posting.machine import Ticket
from finsync.posting.models import Posting, Proposal
from finsync.posting.services import sql
from finsync.posting.services.doors import route
from finsync.posting.services.rows import Row, fetch
from finsync.posting.services.store import PostgresStore, standing_of, subject_of


class ConflictError(Exception):
    """The action does not fit the posting as it stands; the message says why and what is possible."""


def retry(posting_id: int, actor: str) -> str:
    """Start a posting on the desk again; what was ever sent is looked up first. Returns what happens now.

    ``actor`` is ``user:<name>``. Raises ConflictError.
    """
    with recording(actor):
        ticket, _ = _locked(posting_id)
        move = _apply(ticket, rules.retry_asked(ticket.standing))
    if move.to == PostingState.UNKNOWN:
        return "It is looked up in the target first, and sent again only if it is surely not there."
    return "It is sent again; nothing had been sent before."


def cancel(posting_id: int, actor: str, reason: str = "") -> str:
    """Cancel a posting of which nothing was ever sent. Raises ConflictError; see ``propose_cancel`` for the others."""
    with recording(actor):
        ticket, _ = _locked(posting_id)
        if ticket.standing.state == PostingState.EXCEPTION and ticket.standing.sends:
            raise ConflictError("It was sent at least once: cancelling it takes a second person. Propose it instead.")
        _apply(ticket, _worded(rules.cancel_asked(ticket.standing), reason))
    return "It is cancelled; nothing was ever sent."


def propose_link(posting_id: int, document_id: str, number: str, evidence: str, actor: str) -> Proposal:
    """Propose that a target document is this posting's; a second person confirms. Raises ConflictError."""
    if not document_id.strip() or not evidence.strip():
        raise ConflictError("Name the target's document and say how you know that it is the one.")
    with recording(actor):
        ticket, how = _locked(posting_id)
        _possible(rules.link_asked(ticket.standing, how, document_id, number))
        return _propose(
            posting_id, actor, Proposal.Kind.LINK, evidence, document_id=document_id.strip(), number=number.strip()
        )


def propose_cancel(posting_id: int, evidence: str, actor: str) -> Proposal:
    """Propose to cancel a posting that was sent at least once; a second person confirms. Raises ConflictError."""
    if not evidence.strip():
        raise ConflictError("Say why it must not be posted.")
    with recording(actor):
        ticket, _ = _locked(posting_id)
        if not ticket.standing.sends:
            raise ConflictError("Nothing was ever sent: cancel it at once.")
        _possible(rules.cancel_asked(ticket.standing))
        return _propose(posting_id, actor, Proposal.Kind.CANCEL, evidence)


def confirm(proposal_id: int, actor: str) -> str:
    """Confirm what another person proposed, and do it. Raises ConflictError, also for the same person."""
    with recording(actor):
        proposal = Proposal.objects.get(pk=proposal_id)
        ticket, how = _locked(proposal.posting_id)
        proposal = Proposal.objects.select_for_update().get(pk=proposal_id)
        if proposal.confirmed_by or proposal.withdrawn_by:
            raise ConflictError("This was decided already.")
        if proposal.proposed_by == actor:
            raise ConflictError("You proposed this yourself; another person has to confirm it.")
        proposal.confirmed_by, proposal.decided_at = actor, timezone.now()
        proposal.save()
        if proposal.kind == Proposal.Kind.LINK:
            _apply(ticket, rules.link_asked(ticket.standing, how, proposal.document_id, proposal.number))
            return f"It is posted as {proposal.number or proposal.document_id}."
        _apply(ticket, _worded(rules.cancel_asked(ticket.standing), proposal.evidence))
    return "It is looked up, and cancelled once it is surely not in the target."


def withdraw(proposal_id: int, actor: str) -> None:
    """Take a proposal back, or turn it down. Raises ConflictError where it was decided already."""
    with recording(actor):
        proposal = Proposal.objects.select_for_update().get(pk=proposal_id)
        if proposal.confirmed_by or proposal.withdrawn_by:
            raise ConflictError("This was decided already.")
        proposal.withdrawn_by, proposal.decided_at = actor, timezone.now()
        proposal.save()


def link_document(posting_id: int, document_id: str, number: str, evidence: str, actor: str) -> Proposal:
    """Propose a link, or confirm the same link that another person proposed. Raises ConflictError."""
    open_proposal = Proposal.objects.filter(posting_id=posting_id, confirmed_by=None, withdrawn_by=None).first()
    if open_proposal is None:
        return propose_link(posting_id, document_id, number, evidence, actor)
    if open_proposal.kind != Proposal.Kind.LINK or open_proposal.document_id != document_id.strip():
        raise ConflictError(f"{open_proposal.proposed_by} proposed something else; it has to be decided first.")
    confirm(open_proposal.pk, actor)
    open_proposal.refresh_from_db()
    return open_proposal


# ---- inside ----------------------------------------------------------------------------------------------------


def _locked(posting_id: int) -> tuple[Ticket, rules.Route]:
    rows = fetch(sql.ONE, [posting_id])
    if not rows:
        raise Posting.DoesNotExist(f"there is no posting {posting_id}")
    row: Row = rows[0]
    connection = Connection.objects.get(pk=row.connection_id)
    how = route(connection, row.doc_type) or rules.Route(idempotency="D", findable=False)
    ticket = Ticket(
        subject=subject_of(row, connection.name),
        fence=row.fence,
        standing=standing_of(row),
        route=how,
        asked_at=row.now,
    )
    return ticket, how


def _possible(wish: Move | Refusal) -> Move:
    if isinstance(wish, Refusal):
        raise ConflictError(wish.why)
    return wish


def _apply(ticket: Ticket, wish: Move | Refusal) -> Move:
    move = PostgresStore("person").apply(ticket, _possible(wish))
    if move is None:
        raise ConflictError("Somebody else was faster. Look at it again.")
    return move


def _worded(wish: Move | Refusal, reason: str) -> Move | Refusal:
    return replace(wish, reason=f"{wish.reason}: {reason}") if isinstance(wish, Move) and reason else wish


def _propose(
    posting_id: int, actor: str, kind: str, evidence: str, *, document_id: str = "", number: str = ""
) -> Proposal:
    if Proposal.objects.filter(posting_id=posting_id, confirmed_by=None, withdrawn_by=None).exists():
        raise ConflictError("Something was proposed for it already; it has to be decided first.")
    return Proposal.objects.create(
        posting_id=posting_id, kind=kind, document_id=document_id, number=number, evidence=evidence, proposed_by=actor
    )
