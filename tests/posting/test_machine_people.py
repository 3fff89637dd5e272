"""What people may do to a posting, and that two of them never both win."""

import threading

import pytest
from django.db import connection as database

from connectors.models import Connection
from connectors.simulator.faults import PostFault
from connectors.simulator.server import Server
from finsync.audit.services import recording
from finsync.posting.models import Posting, Proposal
from finsync.posting.services import actions
from finsync.posting.services.dispatch import dispatch_due
from finsync.posting.services.janitor import settle_due
from finsync.posting.services.rows import run
from tests.posting import prepared
from tests.posting.at_work import due, only, weather

pytestmark = pytest.mark.django_db


def parked(erp: Server, target: Connection, fault: PostFault = PostFault.LOST_ANSWER) -> Posting:
    """Return a posting that was sent, may exist in the target, and is on the desk."""
    [posting] = prepared.postings(target, 1)
    with weather(erp, fault):
        dispatch_due()
    with recording("test"):
        Posting.objects.filter(pk=posting.pk).update(status="EXCEPTION", exception_code="ERP_POST_UNKNOWN")
    return only(posting)


def test_a_retry_looks_up_first_and_does_not_send_what_is_there(erp: Server, target: Connection) -> None:
    posting = parked(erp, target)
    assert "looked up" in actions.retry(posting.pk, "user:ada")
    due(posting)
    settle_due()
    dispatch_due()
    assert (only(posting).status, posting.sends, len(erp.erp.documents)) == ("POSTED", 1, 1)


def test_the_second_of_two_operators_is_told_so(erp: Server, target: Connection) -> None:
    posting = parked(erp, target)
    actions.retry(posting.pk, "user:ada")
    with pytest.raises(actions.ConflictError, match="not on the desk"):
        actions.retry(posting.pk, "user:ben")


def test_linking_a_document_takes_a_second_person(erp: Server, target: Connection) -> None:
    posting = parked(erp, target)
    proposal = actions.link_document(posting.pk, "1", "DOC-1", "seen in the ERP", "user:ada")
    with pytest.raises(actions.ConflictError, match="another person"):
        actions.link_document(posting.pk, "1", "DOC-1", "seen in the ERP", "user:ada")
    assert only(posting).status == "EXCEPTION"
    actions.link_document(posting.pk, "1", "DOC-1", "seen in the ERP", "user:ben")
    assert (only(posting).status, posting.erp_document_id) == ("POSTED", "1")
    proposal.refresh_from_db()
    assert (proposal.proposed_by, proposal.confirmed_by) == ("user:ada", "user:ben")


def test_cancelling_what_was_sent_takes_two_people_and_proof_of_absence(erp: Server, target: Connection) -> None:
    posting = parked(erp, target, PostFault.LOST_REQUEST)
    with pytest.raises(actions.ConflictError, match="second person"):
        actions.cancel(posting.pk, "user:ada")
    proposal = actions.propose_cancel(posting.pk, "signed by mistake", "user:ada")
    actions.confirm(proposal.pk, "user:ben")
    due(posting)
    settle_due()
    assert only(posting).status == "UNKNOWN"
    run(
        "UPDATE posting SET last_lease_until = now() - interval '1 hour', first_negative_at = now() - interval '1 hour'"
        " WHERE id = %s",
        [posting.pk],
    )
    due(posting)
    settle_due()
    assert only(posting).status == "CANCELLED"
    assert not erp.erp.documents


def test_what_was_never_sent_is_cancelled_at_once(target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    actions.cancel(posting.pk, "user:ada", "not wanted")
    assert only(posting).status == "CANCELLED"
    assert dispatch_due() == 0


def test_a_proposal_can_be_withdrawn_once(erp: Server, target: Connection) -> None:
    posting = parked(erp, target)
    proposal = actions.propose_link(posting.pk, "1", "", "seen", "user:ada")
    with pytest.raises(actions.ConflictError, match="already"):
        actions.propose_cancel(posting.pk, "no", "user:ben")
    actions.withdraw(proposal.pk, "user:ben")
    with pytest.raises(actions.ConflictError, match="decided"):
        actions.confirm(proposal.pk, "user:ben")
    assert Proposal.objects.get().withdrawn_by == "user:ben"


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_retry_at_the_same_moment_exactly_one_wins(target: Connection) -> None:
    postings = prepared.postings(target, 25)
    with recording("test"):
        Posting.objects.update(status="EXCEPTION", exception_code="ERP_POST_REJECTED")
    wins: list[int] = []
    for posting in postings:
        gate = threading.Barrier(2)
        people = [threading.Thread(target=_try, args=(posting.pk, gate, wins)) for _ in range(2)]
        for person in people:
            person.start()
        for person in people:
            person.join()
    assert sorted(wins) == sorted(posting.pk for posting in postings)


def _try(posting_id: int, gate: threading.Barrier, wins: list[int]) -> None:
    try:
        gate.wait(5)
        actions.retry(posting_id, "user:ada")
        wins.append(posting_id)
    except actions.ConflictError:
        pass
    finally:
        database.close()
