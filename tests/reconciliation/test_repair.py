"""What is missing is received again from where it is; what stands in exception is retried there; nothing is typed in."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from connectors.models import Connection
from exceptions_queue.models import ExceptionCase
from exceptions_queue.services import ResolutionAction, action_for
from exceptions_queue.services.work import NotPossible, retry
from finsync.audit.services import set_actor
from finsync.canonical.models import FetchWish
from reconciliation.models import Break
from reconciliation.services import repair
from tests import factories as make
from tests import records
from tests.reconciliation.sides import run, shown

FEB = date(2026, 2, 14)


@pytest.fixture(autouse=True)
def ada():
    set_actor("user:ada")
    yield
    set_actor("")


def broken(control):
    """The one break of a run in which nothing is on its way any more."""
    run(control)
    Break.objects.update(first_seen_at=timezone.now() - timedelta(days=1))
    run(control)
    return Break.objects.get()


def test_invoice_finsync_never_received_is_wished_for_from_its_own_system(systems):
    systems.show("stripe", shown("invoice", "INV-1", "12990.00", day=FEB, source_id="in_1"))
    broken("R4")
    case = ExceptionCase.objects.get()
    assert retry(case.pk) == (1, [])
    wish = FetchWish.objects.get()
    assert (wish.system, wish.record_type, wish.source_id, wish.aggregate_key) == ("stripe", "invoice", "in_1", "")
    assert wish.reason == "R4 INV-1: MISSING_B"


def test_asking_twice_wishes_once(systems):
    systems.show("stripe", shown("payment", "ch_1", "5.00", state="succeeded", day=FEB))
    one = broken("R9")
    repair.receive_again(one.pk, "user:ada")
    assert "fetched again from stripe" in repair.receive_again(one.pk, "user:ada")
    assert FetchWish.objects.count() == 1


def posting_of(record, doc_type, target, **values):
    letter = make.letter(Connection.objects.get(name="stripe"), "evt-1", "invoice", {}, records.DAY_ONE)
    return make.posting(
        make.applied(record, letter), record, Connection.objects.get(name=target), doc_type, None, **values
    )


@pytest.fixture
def retried(monkeypatch):
    done = []
    known = action_for("posting")
    fake = ResolutionAction(
        "posting", "Retry", lambda pk, actor: done.append((pk, actor)) or "looked up", lambda pk: f"/trace/{pk}/"
    )
    monkeypatch.setattr(repair, "action_for", lambda kind: fake)
    yield done
    assert known is None or known.label == "Retry"


def test_invoice_whose_posting_stands_in_exception_is_retried_there_and_linked(systems, retried):
    systems.show("stripe", shown("invoice", "INV-1", "12990.00", day=FEB, source_id="in_INV-1"))
    posting = posting_of(
        records.invoice(), make.DocType.INVOICE, "tryton", status="EXCEPTION", exception_code="ERP_POST_REJECTED"
    )
    one = broken("R4")
    assert repair.receive_again(one.pk, "user:ada") == "looked up"
    assert retried == [(posting.pk, "user:ada")]
    assert repair.page_of(one.pk) == f"/trace/{posting.pk}/"
    assert not FetchWish.objects.exists()


def test_refused_amendment_is_replayed_from_its_version_break(systems, retried):
    crm = make.letter(Connection.objects.get(name="salesforce"), "evt-0", "Order", {}, records.DAY_ONE)
    make.applied(records.contract(), crm)
    v2 = records.contract(version=2, seats=15, added=5, effective=FEB)
    posting = make.posting(
        make.applied(v2, crm), v2, Connection.objects.get(name="engine"), make.DocType.REVENUE_CONTRACT, None,
        status="EXCEPTION", exception_code="REV_AMENDMENT_REFUSED", status_reason="period locked",
    )  # fmt: skip
    systems.show("engine", shown("schedule", "C-1001", "12000.00", state="active", version=1))
    run("R6")
    case = ExceptionCase.objects.get()
    assert case.remedy == "Replay amendment v2 to the revenue engine. Its posting stands in exception: period locked."
    assert (case.target_system, case.facts["posting"]) == ("engine", posting.pk)
    repair.receive_again(Break.objects.get().pk, "user:ada")
    assert retried == [(posting.pk, "user:ada")]


def test_document_on_its_way_is_not_fetched_again(systems, retried):
    systems.show("stripe", shown("invoice", "INV-1", "12990.00", day=FEB, source_id="in_INV-1"))
    posting_of(records.invoice(), make.DocType.INVOICE, "tryton", status="HELD")
    assert "on its way already" in repair.receive_again(broken("R4").pk, "user:ada")
    assert not FetchWish.objects.exists()


def test_document_of_nobody_in_the_ledger_cannot_be_received(systems):
    systems.show("tryton", shown("document", "fsunknown", "1.00", state="posted", day=FEB))
    with pytest.raises(NotPossible, match="compare both sides"):
        repair.receive_again(broken("R14").pk, "user:ada")


def test_engine_ahead_of_the_book_means_the_contract_is_fetched_from_the_crm(systems):
    systems.show("engine", shown("schedule", "C-7", "12000.00", state="active", version=1))
    one = broken("R6")
    assert ExceptionCase.objects.get().code == "CTR_VERSION_MISMATCH"
    repair.receive_again(one.pk, "user:ada")
    wish = FetchWish.objects.get()
    assert (wish.system, wish.record_type, wish.source_id) == ("", "contract_version", "C-7")


def test_page_of_a_break_is_its_cell(systems):
    systems.show("tryton", shown("document", "fsunknown", "1.00", state="posted", day=FEB))
    one = broken("R14")
    assert repair.page_of(one.pk) in (f"/reconciliation/runs/{one.last_run_id}/US01/USD/", "")


def test_desk_knows_what_to_do_about_a_variance():
    assert action_for("variance").label == "Receive again"
