"""From an applied change to a posting that may go: which documents, which accounts, what they wait for."""

from datetime import date

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from exceptions_queue.models import ExceptionCase, Occurrence
from finsync.audit.services import recording
from finsync.core.records import InvoiceStatus
from finsync.mappings.models import MappingVersion
from finsync.mappings.services import MappingInvalid, approve_and_activate, propose
from finsync.posting.models import AccountingPeriod, Need, Posting, PostingLine
from finsync.posting.services.recognise import recognise_due
from tests.records import application, contract, customer, invoice, payment, schedule
from tests.sample import plan, post_everything, pretend_posted, sample_company, state

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _company():
    sample_company()


def journal(posting: Posting) -> list[tuple[str, str, int]]:
    return list(posting.lines.order_by("line_no").values_list("side", "account", "amount_minor"))


def test_a_signed_contract_goes_to_billing_and_revenue_and_its_customer_to_the_erp():
    state(customer(), contract())
    made = set(Posting.objects.values_list("connection__name", "doc_type"))
    assert made == {
        ("stripe", "customer"),
        ("tryton", "customer"),
        ("stripe", "subscription"),
        ("revenue_engine", "revenue_contract"),
    }


def test_the_day_45_invoice_posts_receivable_deferred_revenue_and_tax_to_the_cent():
    state(
        customer(),
        contract(),
        contract(version=2, seats=15, added=5),
        invoice("INV-2", version=2, net="5276.71", tax="435.33"),
    )
    posting = Posting.objects.get(doc_type="invoice")
    assert journal(posting) == [("DR", "1100", 571_204), ("CR", "2100", 527_671), ("CR", "2200", 43_533)]
    assert (posting.amount_minor, posting.currency, posting.contract_version) == (571_204, "USD", 2)
    assert posting.mapping_version.name == "rules:invoice.issued"
    tax = posting.lines.get(account="2200")
    assert (tax.mapping_set, tax.row_id, tax.set_version.name) == ("tax_payable", "M001", "set:tax_payable")


def test_an_invoice_waits_for_its_customer_and_a_payment_application_for_both_documents():
    state(customer(), contract(), invoice(), payment(), application())
    by_type = {posting.doc_type: posting for posting in Posting.objects.filter(connection__name="tryton")}
    assert {name: posting.status for name, posting in by_type.items()} == {
        "customer": "READY", "invoice": "HELD", "payment": "HELD", "payment_application": "HELD",
    }  # fmt: skip
    assert "waits for customer" in by_type["invoice"].status_reason
    pretend_posted(by_type["customer"], "party-7")
    plan()
    assert Posting.objects.get(doc_type="invoice").status == "READY"
    assert Posting.objects.get(doc_type="payment_application").status == "HELD"
    post_everything()
    assert set(Posting.objects.filter(connection__name="tryton").values_list("status", flat=True)) == {"POSTED"}
    assert Need.objects.get(posting__doc_type="invoice").document_id == "party-7"


def test_version_two_waits_for_version_one_in_every_system():
    state(customer(), contract(), contract(version=2, seats=15, added=5))
    second = Posting.objects.get(doc_type="revenue_contract", contract_version=2)
    assert (second.status, second.held_for) == ("HELD", "DEPENDENCY")
    pretend_posted(Posting.objects.get(doc_type="revenue_contract", contract_version=1))
    plan()
    second.refresh_from_db()
    assert second.status == "READY"


def test_planning_again_makes_nothing_twice():
    state(customer(), contract(), invoice())
    before = Posting.objects.count()
    state(invoice(ordinal=2, status=InvoiceStatus.PAID))
    assert Posting.objects.count() == before
    assert not ExceptionCase.objects.exists()


def test_an_invoice_restated_with_another_amount_is_a_case_and_never_a_second_document():
    state(customer(), contract(), invoice())
    state(invoice(ordinal=2, net="11000.00", tax="907.50"))
    assert Posting.objects.filter(doc_type="invoice").count() == 1
    case = ExceptionCase.objects.get()
    assert case.code == "ERP_CONTENT_MISMATCH"
    assert "12,990.00" in case.explanation and "11,907.50" in case.explanation


def test_a_failed_payment_and_a_draft_invoice_make_no_document():
    from dataclasses import replace

    from finsync.core.records import PaymentStatus

    state(customer(), contract(), invoice(status=InvoiceStatus.DRAFT), replace(payment(), status=PaymentStatus.FAILED))
    assert not Posting.objects.filter(doc_type__in=("invoice", "payment")).exists()


def test_a_voided_invoice_is_never_silent():
    state(customer(), contract(), invoice())
    state(invoice(ordinal=2, status=InvoiceStatus.VOID))
    assert ExceptionCase.objects.get().code == "BIL_VOID_AFTER_POST"


def unmapped(number: str, net: str = "1200.00", tax: str = "60.00"):
    return invoice(
        number, entity="UK01", account="001B", contract_number="", version=0, net=net, tax=tax, tax_code="GB-VAT-5"
    )


def test_a_missing_tax_mapping_holds_every_document_under_one_case_with_their_sum():
    state(customer("001B", entity="UK01"), *(unmapped(f"INV-{n}") for n in range(5)))
    case = ExceptionCase.objects.get()
    assert (case.code, case.occurrence_count, case.at_risk) == ("MAPPING_MISSING", 5, {"GBP": 5 * 126_000})
    assert "GB-VAT-5" in case.explanation
    assert set(Posting.objects.filter(doc_type="invoice").values_list("status", "held_for")) == {("HELD", "MAPPING")}
    assert not PostingLine.objects.filter(posting__doc_type="invoice").exists()


def test_a_document_that_waits_is_not_counted_again_at_every_look():
    state(customer("001B", entity="UK01"), unmapped("INV-1"))
    plan(), plan()
    assert Occurrence.objects.get().seen == 1


def test_a_case_resolved_by_hand_comes_back_while_its_cause_stands():
    from exceptions_queue.services.work import resolve

    state(customer("001B", entity="UK01"), unmapped("INV-1"))
    with recording("user:ana"):
        resolve(ExceptionCase.objects.get().pk, "looked fine to me")
    plan()
    assert ExceptionCase.objects.exclude(state="RESOLVED").get().reopened == 1


def test_retry_from_the_desk_looks_at_a_held_document_at_once():
    from exceptions_queue.services import action_for

    state(customer("001B", entity="UK01"), unmapped("INV-1"))
    posting = Posting.objects.get(doc_type="invoice")
    assert "no row covers" in action_for("posting").perform(posting.pk, "user:ana")


def tax_table_with(*codes: str) -> dict:
    document = MappingVersion.objects.get(name="set:tax_payable", state="ACTIVE").document
    rows = [
        {"id": f"M1{n:02d}", "when": {"entity": "UK01", "tax_code": code}, "value": "2200"}
        for n, code in enumerate(codes)
    ]
    return {**document, "rows": [*document["rows"], *rows]}


def people():
    from django.contrib.auth.models import User

    return User.objects.get(username="maya"), User.objects.get(username="omar")


def test_an_approved_mapping_releases_the_parked_documents_and_closes_the_case():
    state(customer("001B", entity="UK01"), *(unmapped(f"INV-{n}") for n in range(3)))
    maya, omar = people()
    with recording("user:maya"):
        version = propose(
            "set:tax_payable", tax_table_with("GB-VAT-5"), maya, effective_from=date(2026, 1, 1), reason="5 % VAT"
        )
    with recording("user:omar"):
        approve_and_activate(version, omar)
    post_everything()
    invoices = Posting.objects.filter(doc_type="invoice")
    assert set(invoices.values_list("status", flat=True)) == {"POSTED"}
    assert invoices[0].lines.get(account="2200").set_version.version == 2
    assert ExceptionCase.objects.get().state == "RESOLVED"
    assert not Occurrence.objects.filter(cleared_at=None).exists()


def test_nobody_approves_a_mapping_they_proposed_whatever_the_way_in():
    maya, _ = people()
    with recording("user:maya"):
        version = propose("set:tax_payable", tax_table_with("X"), maya, effective_from=date(2026, 1, 1), reason="x")
    with pytest.raises(IntegrityError, match="author_is_not_approver"), transaction.atomic(), recording("user:maya"):
        approve_and_activate(version, maya)
    with pytest.raises(IntegrityError), transaction.atomic(), recording("user:maya"):
        MappingVersion.objects.filter(pk=version.pk).update(
            state="APPROVED", approver=maya, approved_at="2026-01-01T00:00Z"
        )
    assert MappingVersion.objects.get(pk=version.pk).state == "SUBMITTED"


def test_a_submitted_mapping_cannot_be_edited_or_deleted():
    maya, _ = people()
    with recording("user:maya"):
        version = propose("set:tax_payable", tax_table_with("X"), maya, effective_from=date(2026, 1, 1), reason="x")
    for write in (
        lambda: MappingVersion.objects.filter(pk=version.pk).update(document={}),
        lambda: MappingVersion.objects.filter(pk=version.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), recording("user:maya"):
            write()


def test_a_table_with_two_rows_for_one_input_cannot_be_proposed():
    maya, _ = people()
    with pytest.raises(MappingInvalid, match="M001"), recording("user:maya"):
        document = tax_table_with()
        document["rows"].append({"id": "M900", "when": {"entity": "US01"}, "value": "2200"})
        propose("set:tax_payable", document, maya, effective_from=date(2026, 1, 1), reason="overlap")


def close_period(label: str, start: date, end: date, is_open: bool) -> None:
    from connectors.models import Connection

    AccountingPeriod.objects.create(
        connection=Connection.objects.get(name="tryton"), entity="US01", label=label, start=start, end=end, open=is_open
    )


def test_a_document_of_a_closed_period_goes_to_the_next_open_one_and_remembers_its_own():
    close_period("2026-01", date(2026, 1, 1), date(2026, 2, 1), False)
    close_period("2026-02", date(2026, 2, 1), date(2026, 3, 1), False)
    close_period("2026-03", date(2026, 3, 1), date(2026, 4, 1), True)
    state(customer(), contract(), invoice())
    post_everything()
    posting = Posting.objects.get(doc_type="invoice")
    assert (posting.accounting_date, posting.original_period, posting.document_date) == (
        date(2026, 3, 1), "2026-01", date(2026, 1, 1),
    )  # fmt: skip


def test_no_open_period_at_all_is_a_case_not_a_guess():
    close_period("2026-01", date(2026, 1, 1), date(2026, 2, 1), False)
    state(customer(), contract(), invoice())
    post_everything()
    assert Posting.objects.get(doc_type="invoice").held_for == "PERIOD"
    assert ExceptionCase.objects.get().code == "ERP_PERIOD_CLOSED"


def on(settings, day: date) -> None:
    settings.FINSYNC = {**settings.FINSYNC, "BUSINESS_DATE": day}


def test_revenue_is_recognised_when_a_month_has_ended_and_only_once(settings):
    on(settings, date(2026, 2, 10))
    state(customer(), contract(), schedule())
    assert recognise_due() == 1
    assert recognise_due() == 0
    posting = Posting.objects.get(doc_type="journal")
    assert journal(posting) == [("DR", "2100", 101_918), ("CR", "4000", 101_918)]
    assert (posting.accounting_date, posting.contract_version) == (date(2026, 1, 31), 1)


AFTER_DAILY = [
    101_918,
    116_713,
    152_875,
    147_946,
    152_876,
    147_945,
    152_877,
    152_877,
    147_945,
    152_877,
    147_945,
    152_877,
]


def test_after_the_expansion_the_year_is_recognised_exactly_as_the_waterfall_says(settings):
    on(settings, date(2026, 2, 10))
    state(customer(), contract(), schedule())
    recognise_due()
    state(
        contract(version=2, seats=15, added=5, effective=date(2026, 2, 14)),
        schedule(2, totals=(("12000.00", date(2026, 1, 1)), ("5276.71", date(2026, 2, 14)))),
    )
    on(settings, date(2027, 1, 1))
    recognise_due()
    amounts = list(
        Posting.objects.filter(doc_type="journal").order_by("document_date").values_list("amount_minor", flat=True)
    )
    assert amounts == AFTER_DAILY
    assert sum(amounts) == 1_727_671


def test_a_revised_schedule_posts_only_the_difference_of_months_already_posted(settings):
    on(settings, date(2026, 4, 1))
    state(customer(), contract(), schedule())
    recognise_due()
    assert Posting.objects.filter(doc_type="journal").count() == 3
    state(
        contract(version=2, seats=15, added=5, effective=date(2026, 2, 14)),
        schedule(2, totals=(("12000.00", date(2026, 1, 1)), ("5276.71", date(2026, 2, 14)))),
    )
    recognise_due()
    second = Posting.objects.filter(doc_type="journal", business_key__endswith="v2").order_by("document_date")
    assert [(p.document_date.month, p.amount_minor) for p in second] == [(2, 24_658), (3, 50_958)]


def test_a_schedule_that_shrinks_takes_revenue_back_with_the_sides_turned_round(settings):
    on(settings, date(2026, 2, 1))
    state(customer(), contract(), schedule())
    recognise_due()
    state(contract(version=2, seats=5, added=-5), schedule(2, totals=(("6000.00", date(2026, 1, 1)),)))
    recognise_due()
    back = Posting.objects.get(business_key__endswith="v2", doc_type="journal")
    assert journal(back) == [("CR", "2100", 50_959), ("DR", "4000", 50_959)]


def test_an_unbalanced_journal_is_refused_by_the_database():
    state(customer(), contract(), invoice())
    posting = Posting.objects.get(doc_type="invoice")
    with pytest.raises(DatabaseError, match="debits and credits differ"), transaction.atomic():
        PostingLine.objects.create(
            posting=posting, line_no=9, side="DR", account="1100", currency="USD", amount_minor=1, rule_id="x"
        )
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
