"""Sending over PostgreSQL and HTTP, one fact at a time."""

import pytest
from django.db import transaction
from django.utils import timezone

from connectors.models import Connection
from connectors.simulator.server import Server
from finsync.audit.services import recording
from finsync.core.posting import Answer, Verdict
from finsync.posting import machine
from finsync.posting.models import Attempt, Lane, Posting
from finsync.posting.services.dispatch import dispatch_due
from finsync.posting.services.reading import read_document
from finsync.posting.services.rows import run
from finsync.posting.services.store import PostgresStore
from tests.posting import prepared
from tests.posting.at_work import case_of, only, others_connected, until

pytestmark = pytest.mark.django_db


def test_a_ready_posting_becomes_one_document(erp: Server, target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    assert dispatch_due() == 1
    [document] = erp.erp.documents
    assert (only(posting).status, posting.erp_document_id) == ("POSTED", document.id)
    assert document.content["amount"] == {"minor": 571_204, "currency": "USD"}
    assert posting.verify_at is not None


def test_the_attempt_is_stored_with_its_body_before_anything_is_sent(
    erp: Server, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    [posting] = prepared.postings(target, 1)
    seen: list[tuple[str, str | None, str]] = []
    original = machine.send
    monkeypatch.setattr(machine, "send", lambda *args: (seen_now(seen, posting), original(*args))[1])
    dispatch_due()
    assert seen == [("SENDING", None, posting.external_ref)]
    attempt = Attempt.objects.get(posting=posting)
    assert (attempt.outcome, attempt.http_status) == ("POSTED", 201)
    assert attempt.response["exchanges"][0]["received"]["reference"] == posting.external_ref


def seen_now(seen: list[tuple[str, str | None, str]], posting: Posting) -> None:
    attempt = Attempt.objects.get(posting=posting)
    seen.append((only(posting).status, attempt.outcome, attempt.request["reference"]))


def test_postings_of_one_lane_go_one_after_another_in_order(erp: Server, target: Connection) -> None:
    postings = prepared.postings(target, 4, lanes=1)
    store = PostgresStore("one")
    first = store.claim(target.pk, 10, lambda document: {}).claims
    assert [claim.ticket.subject.posting_id for claim in first] == [postings[0].pk]
    assert not store.claim(target.pk, 10, lambda document: {}).claims
    machine.record(store, first[0], Answer(verdict=Verdict.TRY_LATER, detail="busy"), 0.0)
    dispatch_due()
    assert [document.content["narrative"] for document in erp.erp.documents] == ["doc 0", "doc 1", "doc 2", "doc 3"]


def test_a_lane_woken_while_its_head_is_sent_is_looked_at_again(target: Connection) -> None:
    first, second = prepared.postings(target, 2, lanes=1, status="HELD")
    with recording("test"):
        Posting.objects.filter(pk=first.pk).update(status="READY")
    prepared.wake(target, {first.lane})
    store = PostgresStore("one")
    [claim] = store.claim(target.pk, 10, lambda document: {}).claims
    with recording("test"):
        Posting.objects.filter(pk=second.pk).update(status="READY")
    run("UPDATE posting_lane_head SET next_action_at = least(next_action_at, now())")
    posted = Answer(verdict=Verdict.POSTED, document_id="7", number="7")
    machine.record(store, claim, posted, 0.0)
    assert Lane.objects.get().next_action_at is not None
    assert len(store.claim(target.pk, 10, lambda document: {}).claims) == 1


def test_a_posted_document_gives_its_id_to_those_that_wait_for_it(erp: Server, target: Connection) -> None:
    [customer] = prepared.postings(target, 1, "customer", prefix="customer")
    [invoice] = prepared.postings(target, 1, prefix="invoice", status="HELD")
    run("UPDATE posting SET next_action_at = now() + interval '1 hour' WHERE id = %s", [invoice.pk])
    prepared.need(invoice, "customer", customer)
    dispatch_due()
    document_id = only(customer).erp_document_id
    assert document_id
    assert invoice.needs.get().document_id == document_id
    assert read_document(only(invoice)).references == {"customer": document_id}
    assert invoice.next_action_at is not None
    assert invoice.next_action_at < timezone.now()


def test_a_document_that_cannot_be_rendered_goes_to_the_desk_unsent(target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    run("UPDATE posting SET document = '{}' WHERE id = %s", [posting.pk])
    dispatch_due()
    assert (only(posting).status, posting.sends, case_of(posting)) == ("EXCEPTION", 0, "ERP_POST_REJECTED")


def test_after_six_attempts_a_person_is_asked(erp: Server, target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    run("UPDATE posting SET attempts = 6 WHERE id = %s", [posting.pk])
    dispatch_due()
    assert (only(posting).status, case_of(posting)) == ("EXCEPTION", "ERP_ATTEMPTS_EXHAUSTED")
    assert not erp.erp.documents


@pytest.mark.django_db(transaction=True)
def test_dispatch_refuses_to_run_inside_a_transaction(target: Connection) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        dispatch_due()


@pytest.mark.django_db(transaction=True)
def test_several_threads_send_several_lanes_at_once_and_leave_no_connection_open(
    erp: Server, target: Connection
) -> None:
    erp.answer_seconds = 0.05
    prepared.postings(target, 24)
    assert dispatch_due(threads=8) == 24
    assert until(lambda: others_connected() == 0), "a thread left its database connection open"
    assert len(erp.erp.documents) == 24
