"""Runs are asked for once, executed by one worker, and never show half a side as breaks."""

import dataclasses
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import override_settings
from django.utils import timezone

from connectors.errors import TryLater
from connectors.models import Connection
from exceptions_queue.models import ExceptionCase, Occurrence
from exceptions_queue.services.work import resolve
from finsync.audit.models import AuditEntry
from finsync.audit.services import recording, set_actor
from finsync.schedule import STAGES
from reconciliation import controls
from reconciliation.controls import CONTROLS, Control, Held, Measure, Shown, Span
from reconciliation.models import Break, Cell, Item, Run, Variance
from reconciliation.services import cases, collect, store
from reconciliation.services.collect import TakenOver
from reconciliation.services.run import (
    RUN_ATTEMPTS_MAX,
    RUN_STALE_SECONDS,
    _claim,
    default_window,
    request,
    request_all,
    run_requested,
)
from tests.reconciliation.sides import SHOWS, YEAR, run, shown

FEB = date(2026, 2, 14)
INVOICE = {"net": "12000.00", "tax": "990.00", "version": 1, "day": FEB}


def invoice(key="INV-1", amount="12990.00", **more):
    return shown("invoice", key, amount, **(INVOICE | more))


def stalled(seconds=RUN_STALE_SECONDS + 1):
    """A run whose worker is gone."""
    with recording("test"):
        asked = request("R4", "user:ada", YEAR)
        Run.objects.filter(pk=asked.pk).update(started_at=timezone.now() - timedelta(seconds=seconds))
    return Run.objects.get(pk=asked.pk)


# ---- asking and claiming ---------------------------------------------------------------------------------------


def test_schedule_asks_for_every_control_once(systems):
    assert request_all() == len(CONTROLS)
    assert request_all() == 0
    assert STAGES["reconcile"].is_due()
    assert sum(run_requested() for _ in range(20)) == len(CONTROLS)
    assert set(Run.objects.values_list("state", flat=True)) == {"BALANCED"}, "two empty sides agree"
    assert not STAGES["reconcile"].is_due()


def test_schedule_leaves_out_controls_whose_systems_are_still_being_set_up(systems):
    Connection.objects.filter(name="tryton").update(state="WAITING")
    request_all()
    assert set(Run.objects.values_list("control", flat=True)) == {"R1", "R6"}


def test_run_is_recorded_under_the_one_who_asked(systems):
    asked = run("R4")
    entries = AuditEntry.objects.filter(table_name="recon_run", row_pk=str(asked.pk)).order_by("pk")
    assert [entry.actor for entry in entries] == ["user:ada", "system:reconcile", "system:reconcile"]
    assert asked.requested_by == "user:ada"


def test_unknown_control_cannot_be_asked_for(systems):
    with pytest.raises(KeyError):
        request("R99")


def test_run_of_a_dead_worker_is_taken_again(systems):
    dead = stalled()
    systems.show("stripe", invoice())
    systems.show("tryton", invoice())
    with recording("test"):
        Item.objects.create(
            run=dead, side="A", system="stripe", key="half", entity="US01", currency="USD", amount_minor=1
        )
    assert run_requested() == 1
    dead.refresh_from_db()
    assert (dead.state, dead.items_a, dead.attempts) == ("BALANCED", 1, 1)


def test_schedule_makes_the_run_of_a_dead_worker_due_again(systems):
    dead = stalled()
    assert not STAGES["reconcile"].is_due()
    request_all()
    assert Run.objects.get(pk=dead.pk).started_at is None and STAGES["reconcile"].is_due()


def test_run_of_a_living_worker_is_left_alone(systems):
    stalled(seconds=5)
    assert run_requested() == 0


def test_worker_whose_run_was_taken_over_writes_nothing_more(systems):
    request("R4", "user:ada", YEAR)
    slow = _claim()
    Run.objects.filter(pk=slow.pk).update(started_at=timezone.now() + timedelta(seconds=1))
    systems.show("stripe", invoice())
    with pytest.raises(TakenOver):
        collect.collect(slow, CONTROLS["R4"])
    assert not Item.objects.exists()


def test_run_that_kills_every_worker_is_given_up(systems):
    dead = stalled()
    Run.objects.filter(pk=dead.pk).update(attempts=RUN_ATTEMPTS_MAX)
    run_requested()
    dead.refresh_from_db()
    assert dead.state == "FAILED" and dead.problem.startswith("Given up")


@override_settings(FINSYNC={"BUSINESS_DATE": date(2026, 12, 31)})
def test_balances_are_compared_only_for_months_that_have_ended(systems):
    assert default_window(CONTROLS["R7D"]).end == date(2026, 12, 1)
    assert (default_window(CONTROLS["R4"]).start, default_window(CONTROLS["R4"]).end) == (
        date(2025, 12, 1),
        date(2027, 1, 1),
    )
    by_hand = request("R7", "user:ada", dataclasses.replace(YEAR, end=date(2026, 5, 15)))
    assert by_hand.window_end == date(2026, 5, 1)


# ---- sides that cannot be read ---------------------------------------------------------------------------------


def test_side_that_breaks_off_fails_the_run_in_words_and_leaves_no_breaks(systems):
    systems.show("stripe", invoice(), invoice("INV-2"))
    systems.show("tryton", invoice())
    systems.broken["tryton"] = TryLater("503 Service Unavailable")
    failed = run("R4")
    assert (failed.state, failed.problem) == ("FAILED", "Tryton could not be read (TryLater): 503 Service Unavailable")
    assert not (Variance.objects.exists() or Item.objects.exists() or Break.objects.exists())


def test_paused_connection_fails_the_run_because_half_a_side_is_none(systems):
    Connection.objects.filter(name="tryton").update(state="PAUSED", state_reason="5 failures in a row")
    assert run("R4").problem == "ERP cannot be read: Tryton is paused (5 failures in a row)."


def test_failed_run_clears_nothing(systems):
    systems.show("stripe", invoice())
    systems.show("tryton", invoice(amount="12990.01"))
    run("R4")
    systems.broken["stripe"] = TryLater("503")
    run("R4")
    assert ExceptionCase.objects.get().state == "OPEN" and Break.objects.get().cleared_at is None


# ---- transit, timing and windows -------------------------------------------------------------------------------


def test_missing_document_is_in_transit_first_and_missing_once_its_leg_is_over(systems):
    systems.show("stripe", invoice())
    assert (run("R4").state, Variance.objects.get().break_class) == ("OPEN_ITEMS", "IN_TRANSIT")
    assert Cell.objects.get().verdict == "IN_TRANSIT" and not ExceptionCase.objects.exists()
    Break.objects.update(first_seen_at=timezone.now() - CONTROLS["R4"].transit - timedelta(minutes=1))
    late = run("R4")
    assert Variance.objects.get(run=late).break_class == "MISSING_B"
    case = ExceptionCase.objects.get()
    assert (case.code, case.amount_at_risk_minor, case.open_count) == ("REC_COUNT_BREAK", 1_299_000, 1)
    assert (case.source_system, case.target_system) == ("stripe", "tryton")


def test_missing_document_that_arrives_closes_its_case_and_a_new_loss_starts_anew(systems):
    systems.show("stripe", invoice())
    run("R4")
    Break.objects.update(first_seen_at=timezone.now() - timedelta(days=1))
    run("R4")
    systems.show("tryton", invoice())
    tied = run("R4")
    case = ExceptionCase.objects.get()
    assert (case.state, case.resolution) == ("RESOLVED", f"Resolved by later evidence: R4 run {tied.pk} found it tied")
    systems.rows["tryton", "invoice"].clear()
    run("R4")
    again = Break.objects.get()
    assert again.break_class == "IN_TRANSIT" and again.cleared_at is None, "its age starts again"


def test_pair_that_straddles_the_edge_of_the_window_is_a_pair(systems):
    systems.show("stripe", invoice(day=date(2026, 1, 31)), invoice("OLD", day=date(2026, 1, 2)))
    systems.show("tryton", invoice(day=date(2026, 2, 1)), invoice("OUTSIDE", day=date(2026, 2, 2)))
    january = run("R4", dataclasses.replace(YEAR, end=date(2026, 2, 1)))
    classes = dict(Variance.objects.filter(run=january).values_list("key", "break_class"))
    assert classes == {"INV-1": "TIMING_CUTOFF", "OLD": "IN_TRANSIT"}


def test_run_over_another_window_clears_nothing_it_did_not_look_at(systems):
    systems.show("stripe", invoice())
    systems.show("tryton", invoice(amount="1.00", net="1.00", tax="0.00"))
    run("R4")
    run("R4", dataclasses.replace(YEAR, start=date(2026, 6, 1)))
    assert Break.objects.get().cleared_at is None


def test_document_both_systems_have_dropped_is_over(systems):
    systems.show("tryton", shown("document", "fsaaaa", "10.00", state="posted", day=FEB))
    run("R14")
    assert ExceptionCase.objects.get().code == "ERP_MANUAL_EDIT"
    systems.rows["tryton", "document"].clear()
    run("R14")
    assert ExceptionCase.objects.get().state == "RESOLVED"


# ---- one case per cause ----------------------------------------------------------------------------------------


def test_thousand_differences_of_one_month_are_one_case_with_every_pair_under_it(systems):
    systems.show("stripe", *[invoice(f"INV-{n}") for n in range(30)], invoice("MARCH", day=date(2026, 3, 3)))
    systems.show(
        "tryton", *[invoice(f"INV-{n}", "12990.01") for n in range(30)], invoice("MARCH", "1.00", day=date(2026, 3, 3))
    )
    run("R4")
    cases = {case.facts["period"]: case for case in ExceptionCase.objects.all()}
    assert {period: case.open_count for period, case in cases.items()} == {"2026-02": 30, "2026-03": 1}
    assert cases["2026-02"].amount_at_risk_minor == 30
    assert cases["2026-02"].title == "Receivables: amounts differ in US01 2026-02"
    occurrence = cases["2026-03"].occurrences.get()
    assert occurrence.subject_type == "variance" and Break.objects.get(pk=occurrence.subject_id).key == "MARCH"


def test_second_run_of_the_same_break_adds_no_second_occurrence(systems):
    systems.show("stripe", invoice())
    systems.show("tryton", invoice(amount="12990.01"))
    run("R4"), run("R4")
    assert Occurrence.objects.get().seen == 1, "nothing changed within the hour"
    Occurrence.objects.update(last_seen_at=timezone.now() - timedelta(hours=2))
    run("R4")
    assert Occurrence.objects.get().seen == 2
    assert Break.objects.get().variance_rows.count() == 3


def test_case_closed_by_hand_comes_back_while_the_break_stands(systems):
    systems.show("stripe", invoice())
    systems.show("tryton", invoice(amount="12990.01"))
    run("R4")
    set_actor("user:ada")
    resolve(ExceptionCase.objects.get().pk, "looks fine to me")
    run("R4")
    assert sorted(ExceptionCase.objects.values_list("state", flat=True)) == ["OPEN", "RESOLVED"]


def test_more_breaks_than_one_run_raises_follow_in_the_next(systems, monkeypatch):
    monkeypatch.setattr(cases, "RAISED_PER_RUN_MAX", 2)
    systems.show("stripe", *[invoice(f"INV-{n}") for n in range(5)])
    systems.show("tryton", *[invoice(f"INV-{n}", f"{12990 - n}.50") for n in range(5)])
    seen = []
    for _ in range(3):
        run("R4")
        seen.append(ExceptionCase.objects.get().open_count)
    assert seen == [2, 4, 5]


def test_break_that_changes_its_nature_leaves_the_old_case(systems):
    systems.show("stripe", invoice())
    systems.show("tryton", invoice(amount="12990.01"))
    run("R4")
    systems.show("tryton", invoice(), invoice())
    run("R4")
    assert dict(ExceptionCase.objects.values_list("code", "state")) == {
        "REC_TOTAL_BREAK": "RESOLVED",
        "REC_COUNT_BREAK": "OPEN",
    }


def test_paid_invoice_still_open_in_the_ledger_is_a_state_break_after_its_leg(systems):
    systems.show("stripe", invoice(state="paid"))
    systems.show("tryton", invoice())
    run("R4")
    assert (
        Variance.objects.get().explanation
        == "Billing is paid at version 1, ERP is open at version 1; the change is within its time"
    )
    Break.objects.update(first_seen_at=timezone.now() - timedelta(days=1))
    late = run("R4")
    assert ExceptionCase.objects.get().code == "REC_STATE_MISMATCH" and Cell.objects.get(run=late).state_breaks == 1


def test_draft_must_not_and_void_need_not_be_in_the_ledger(systems):
    systems.show(
        "stripe", invoice("DRAFT", state="draft"), invoice("VOID", state="void"), invoice("WRONG", state="draft")
    )
    systems.show("tryton", invoice("WRONG"))
    ended = run("R4")
    assert dict(Variance.objects.filter(run=ended).values_list("key", "break_class")) == {"WRONG": "STATE"}


def test_failed_payment_belongs_in_no_ledger_and_a_captured_one_does(systems):
    systems.show(
        "stripe",
        shown("payment", "ch_1", "12990.00", state="succeeded", day=FEB),
        shown("payment", "ch_2", "5.00", state="failed", day=FEB),
    )
    systems.show("tryton", shown("payment", "ch_1", "12990.00", state="posted", day=FEB))
    assert run("R9").state == "BALANCED"
    assert Item.objects.get(key="ch_1", side="A").facts == {"state": "succeeded"}


# ---- the outbox ------------------------------------------------------------------------------------------------


@pytest.fixture
def posted(systems):
    from finsync.posting.models import Posting
    from tests.posting import prepared

    def make_one(status="POSTED", amount=1_299_000, sends=1):
        erp = Connection.objects.get(name="tryton")
        number = Posting.objects.count()
        values = {
            "erp_document_id": str(number),
            "posted_at": timezone.now() - timedelta(hours=1),
            "next_action_at": None,
        }
        with recording("test"):
            return Posting.objects.create(
                connection=erp, doc_type="invoice", business_key=f"invoice:US01:stripe:INV-{number}:v1", external_ref=f"fs{number:020d}",
                content_hash="0" * 64, entity="US01", currency="USD", amount_minor=amount, document={}, document_date=FEB,
                accounting_date=FEB, change=prepared.change(), lane="lane", status=status, sends=sends, source_ts=timezone.now(),
                **(values if status == "POSTED" else {}),
            )  # fmt: skip

    return make_one


def document(posting, amount="12990.00", **more):
    return shown("document", posting.external_ref, amount, state="open", day=FEB, **more)


def test_two_documents_for_one_reference_are_a_duplicate_under_the_business_key(systems, posted):
    one = posted()
    systems.show("tryton", document(one), document(one, source_id="second"))
    run("R14")
    case = ExceptionCase.objects.get()
    assert (case.code, case.amount_at_risk_minor) == ("ERP_DUPLICATE_POST", 1_299_000)
    assert Variance.objects.get().explanation == "finsync has 1, ERP has 2"


def test_document_changed_after_posting_and_document_of_nobody_are_manual(systems, posted):
    systems.show(
        "tryton", document(posted(), "12990.01"), shown("document", "fsunknown", "1.00", state="posted", day=FEB)
    )
    run("R14")
    assert set(ExceptionCase.objects.values_list("code", flat=True)) == {"ERP_MANUAL_EDIT"}
    assert set(Variance.objects.values_list("break_class", flat=True)) == {"MANUAL"}


def test_posted_document_that_vanished_from_the_ledger_is_missing(systems, posted):
    posted()
    run("R14")
    assert Variance.objects.get().break_class == "MISSING_B"


def test_document_in_doubt_may_be_there_or_not_and_an_unsent_one_must_not(systems, posted):
    doubtful, absent, unsent = posted("UNKNOWN"), posted("UNKNOWN"), posted("READY", sends=0)
    systems.show("tryton", document(doubtful))
    ended = run("R14")
    assert dict(Variance.objects.filter(run=ended).values_list("key", "break_class")) == {
        doubtful.external_ref: "IN_TRANSIT"
    }
    systems.show("tryton", document(unsent))
    ended = run("R14")
    assert Variance.objects.get(run=ended).explanation == "finsync is not sent, so ERP must have nothing"
    assert not Break.objects.filter(key=absent.external_ref).exists()


# ---- ledger balances -------------------------------------------------------------------------------------------


def test_ledger_lines_of_no_contract_are_made_by_hand(systems):
    systems.show("tryton", shown("revenue", "-|2026-02", "7.00", period="2026-02", day=date(2026, 2, 28)))
    ended = run("R7")
    row = Variance.objects.get(run=ended)
    assert (row.break_class, row.difference_minor) == ("MANUAL", -700)


def test_balance_a_system_does_not_show_is_zero(systems):
    systems.show("engine", shown("deferred", "C-1|2026-02", "0.00", period="2026-02", day=date(2026, 2, 28)))
    assert run("R7D").state == "BALANCED"


# ---- declared, not coded ---------------------------------------------------------------------------------------


def test_another_control_is_one_row_of_the_table(systems, monkeypatch):
    """R15 of domain.md 8.1: the customer master of billing against the ERP's."""
    customers = Control(
        code="R15", title="Customer master", question="Is every customer in both, with the same standing?",
        a=Shown(name="Billing", role="billing", object="customer"), b=Shown(name="ERP", role="erp", object="customer"),
        compares=frozenset({Measure.STATE}), span=Span.STANDING,
    )  # fmt: skip
    monkeypatch.setitem(SHOWS, "billing", (*SHOWS["billing"], "customer"))
    monkeypatch.setitem(SHOWS, "erp", (*SHOWS["erp"], "customer"))
    monkeypatch.setattr("reconciliation.services.run.CONTROLS", {**CONTROLS, "R15": customers})
    systems.show("stripe", shown("customer", "001A", "0.00"), shown("customer", "001B", "0.00"))
    systems.show("tryton", shown("customer", "001A", "0.00"), shown("customer", "001B", "0.00", state="blocked"))
    run("R15")
    Break.objects.update(first_seen_at=timezone.now() - timedelta(days=1))
    run("R15")
    assert ExceptionCase.objects.get().code == "REC_STATE_MISMATCH"


def test_contracts_of_the_crm_are_compared_with_the_book(systems):
    systems.show("salesforce", shown("contract", "C-9", "12000.00", state="active", version=1))
    ended = run("R1")
    assert Variance.objects.get(run=ended).break_class == "IN_TRANSIT"


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
def test_every_declared_side_exists(control):
    from connectors.registry import connector_classes
    from reconciliation.book import ON_ITS_WAY, SIDES

    for side in control.sides:
        if isinstance(side, Held):
            assert side.query in SIDES
        else:
            able = [each for each in connector_classes().values() if side.role in each.capabilities.roles]
            assert any(side.object in each.capabilities.observes for each in able)
    assert not control.on_its_way or control.on_its_way in ON_ITS_WAY
    assert control.tolerance == 0 or control.code == "R1", "ledger control accounts and documents tie to the cent"
    assert len(control.code) <= Run._meta.get_field("control").max_length


def test_titles_name_every_control_with_its_sides():
    assert controls.titles()["R4"] == ("Receivables", "Billing to ERP")
    assert list(controls.titles()) == list(CONTROLS)


# ---- keeping ---------------------------------------------------------------------------------------------------


def test_items_of_old_runs_are_dropped_and_their_variances_kept(systems, monkeypatch):
    monkeypatch.setattr(store, "RUNS_WITH_ITEMS_MAX", 2)
    systems.show("stripe", invoice())
    systems.show("tryton", invoice(amount="12990.01"))
    runs = [run("R4") for _ in range(4)]
    kept = set(Item.objects.values_list("run_id", flat=True))
    assert kept == {runs[2].pk, runs[3].pk}
    assert Variance.objects.filter(run=runs[0]).count() == 1 and Cell.objects.filter(run=runs[0]).exists()


def test_entities_of_a_connection_are_what_it_is_asked_for(systems):
    Connection.objects.filter(name="tryton").update(entities=["US01"])
    run("R4")
    assert {name: window.entities for name, _, window in systems.asked} == {"stripe": (), "tryton": ("US01",)}


def test_money_never_passes_through_a_float_on_its_way_into_the_table(systems):
    systems.show("stripe", invoice(amount="90071992547409.93", net="90071992547409.93", tax="0.00"))
    systems.show("tryton", invoice(amount="90071992547409.92", net="90071992547409.92", tax="0.00"))
    ended = run("R4")
    assert Variance.objects.get(run=ended).explanation.endswith("USD 0.01 apart")
    assert Decimal(Cell.objects.get(run=ended).total_a_minor) == Decimal("9007199254740993")


def test_document_posted_while_a_run_reads_the_ledger_is_not_one_made_by_hand(systems, posted, monkeypatch):
    class Meanwhile:
        def observe(self, object, window):
            yield document(posted())

    monkeypatch.setattr(collect, "connect", lambda connection: Meanwhile())
    assert run("R14").state == "BALANCED"
