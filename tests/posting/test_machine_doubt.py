"""Doubt, refusals and verification over PostgreSQL and HTTP, one fact at a time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from connectors.models import Connection
from connectors.simulator.faults import PostFault
from connectors.simulator.server import Server
from finsync.core.posting import Answer, Verdict
from finsync.posting import machine
from finsync.posting.models import AccountingPeriod
from finsync.posting.services import janitor
from finsync.posting.services.dispatch import dispatch_due
from finsync.posting.services.janitor import settle_due, verify_due
from finsync.posting.services.rows import run
from finsync.posting.services.store import PostgresStore
from tests.posting import prepared
from tests.posting.at_work import case_of, due, only, weather

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("fault", [PostFault.LOST_ANSWER, PostFault.SERVER_ERROR_AFTER, PostFault.EMPTY_ANSWER])
def test_a_lost_answer_is_found_by_looking_it_up(erp: Server, target: Connection, fault: PostFault) -> None:
    [posting] = prepared.postings(target, 1)
    with weather(erp, fault):
        dispatch_due()
    assert only(posting).status == "UNKNOWN"
    due(posting)
    settle_due()
    assert (only(posting).status, len(erp.erp.documents)) == ("POSTED", 1)
    assert list(posting.attempt_log.order_by("id").values_list("kind", "outcome")) == [
        ("SEND", "UNKNOWN"),
        ("LOOKUP", "FOUND_1"),
    ]


def test_a_half_made_document_is_completed(erp: Server, target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    with weather(erp, PostFault.HALF_MADE):
        dispatch_due()
    due(posting)
    settle_due()
    assert (only(posting).status, posting.resume_id) == ("READY", erp.erp.documents[0].id)
    dispatch_due()
    assert only(posting).status == "POSTED"
    assert [document.complete for document in erp.erp.documents] == [True]


def test_a_worker_that_dies_leaves_a_doubt_and_its_late_answer_is_refused(erp: Server, target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    store = PostgresStore("dead")
    [claim] = store.claim(target.pk, 1, lambda document: {}).claims
    run("UPDATE posting SET lease_until = now() - interval '1 s', next_action_at = now() WHERE id = %s", [posting.pk])
    settle_due()
    assert only(posting).status == "UNKNOWN"
    answer = Answer(verdict=Verdict.POSTED, document_id="99", number="99")
    assert machine.record(store, claim, answer, 0.0) is None
    assert only(posting).status == "UNKNOWN"
    assert posting.attempt_log.get(kind="SEND").outcome == "LEASE_EXPIRED"


def test_a_definite_negative_after_the_lease_is_a_doubt_in_the_database_too(target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    store = PostgresStore("late")
    [claim] = store.claim(target.pk, 1, lambda document: {}).claims
    run("UPDATE posting SET lease_until = now() - interval '1 s' WHERE id = %s", [posting.pk])
    move = machine.record(store, claim, Answer(verdict=Verdict.NOT_SENT, detail="held back"), 0.0)
    assert move is not None
    assert (move.to, only(posting).status) == ("UNKNOWN", "UNKNOWN")


def test_a_class_c_target_is_not_sent_to_again_before_absence_is_proven(erp: Server, target: Connection) -> None:
    [posting] = prepared.postings(target, 1, "journal")
    with weather(erp, PostFault.LOST_REQUEST):
        dispatch_due()
    for _ in range(3):
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
    assert only(posting).status == "READY"
    dispatch_due()
    assert (only(posting).status, len(erp.erp.documents)) == ("POSTED", 1)


def test_a_refusal_goes_to_the_desk_in_the_targets_words(target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    prepared.refuse(posting)
    dispatch_due()
    assert only(posting).status == "REJECTED"
    settle_due()
    assert (only(posting).status, case_of(posting)) == ("EXCEPTION", "ERP_POST_REJECTED")
    assert "account 4000 is blocked" in posting.status_reason


def test_a_closed_period_moves_to_the_next_open_one_and_keeps_the_original(
    erp: Server, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(janitor, "_period_closed", [lambda posting: date(2026, 2, 1)])
    erp.control({"closed_before": "2026-02-01"})
    [posting] = prepared.postings(target, 1)
    dispatch_due()
    settle_due()
    due(posting)
    settle_due()
    dispatch_due()
    assert (only(posting).status, posting.original_period, posting.render_no) == ("POSTED", "2026-01", 1)
    assert erp.erp.documents[0].content["accounting_date"] == "2026-02-01"
    assert case_of(posting) == ""


def test_a_period_closed_between_planning_and_sending_is_met_by_the_next_one_the_erp_holds_open(
    erp: Server, target: Connection
) -> None:
    erp.control({"closed_before": "2026-03-01"})
    [posting] = prepared.postings(target, 1)
    for month, is_open in ((1, True), (2, False), (3, True)):
        AccountingPeriod.objects.create(
            connection=target, entity=posting.entity, label=f"2026-{month:02d}", open=is_open,
            start=date(2026, month, 1), end=date(2026, month + 1, 1),
        )  # fmt: skip
    dispatch_due()
    settle_due()
    due(posting)
    settle_due()
    dispatch_due()
    assert (only(posting).status, posting.original_period) == ("POSTED", "2026-01")
    assert erp.erp.documents[0].content["accounting_date"] == "2026-03-01"


def test_a_closed_period_without_a_later_one_waits_for_a_person(erp: Server, target: Connection) -> None:
    erp.control({"closed_before": "2026-02-01"})
    [posting] = prepared.postings(target, 1)
    dispatch_due()
    settle_due()
    assert (only(posting).status, case_of(posting)) == ("EXCEPTION", "ERP_PERIOD_CLOSED")


# ---- verification (R8) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meddle", "code"),
    [
        (lambda documents: None, ""),
        (lambda documents: documents.append(replace(documents[0], id="2")), "ERP_DUPLICATE_POST"),
        (lambda documents: documents.clear(), "ERP_MANUAL_EDIT"),
    ],
)
def test_verification_finds_what_went_wrong_later_and_never_changes_the_posting(
    erp: Server, target: Connection, meddle: Callable[[list], None], code: str
) -> None:  # type: ignore[type-arg]
    [posting] = prepared.postings(target, 1)
    dispatch_due()
    meddle(erp.erp._by_reference[posting.external_ref])
    due(posting)
    assert verify_due() == 1
    assert (only(posting).status, posting.verified_count, case_of(posting)) == ("POSTED", 1, code)
    due(posting)
    verify_due()
    assert only(posting).verify_at is None
