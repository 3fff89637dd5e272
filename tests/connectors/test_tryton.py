"""The Tryton connector against a real Tryton 8.2 on PostgreSQL."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from connectors.contract import Receipt, Window
from connectors.errors import AuthFailed, OutcomeUnknown, Rejected, TryLater
from connectors.systems.tryton.connector import TrytonConnector
from connectors.transport import Transport
from finsync.core.money import Money
from finsync.core.records.document import PostingDocument
from finsync.core.records.observed import Observed
from tests.connectors.tryton_documents import (
    EXPANSION_DAY,
    application,
    customer,
    fresh,
    invoice,
    payment,
    recognition,
)
from tests.connectors.tryton_fixture import TrytonServer

pytestmark = pytest.mark.erp

FEBRUARY = Window(start=date(2026, 2, 1), end=date(2026, 3, 1))


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def post(erp: TrytonConnector, document: PostingDocument, resume_id: str = "") -> Receipt:
    return erp.send(document, erp.build_body(document), resume_id)


@pytest.fixture
def party(tryton: TrytonConnector) -> str:
    return post(tryton, customer()).document_id


@pytest.fixture
def changes(tryton: TrytonConnector) -> Callable[..., Any]:
    """Change something in the ERP behind the connector's back, as a bookkeeper would."""
    return tryton._client.change


class LosingAnswers(httpx.BaseTransport):
    """The network, except that the answer to the first call of one method never comes back."""

    def __init__(self, method: str, *, arrives: bool = True) -> None:
        self._inner, self._method, self._arrives, self.lost = httpx.HTTPTransport(), method, arrives, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.lost or self._method.encode() not in request.read():
            return self._inner.handle_request(request)
        self.lost += 1
        if self._arrives:
            self._inner.handle_request(request).read()
        raise httpx.ReadTimeout("the answer is lost", request=request)


def losing(server: TrytonServer, method: str, **options: bool) -> TrytonConnector:
    return server.connector(Transport(server.base_url, inner=LosingAnswers(method, **options)))


# ---- each document once ----------------------------------------------------------------------------------------


def test_each_document_type_is_made_once_however_often_it_is_sent(tryton: TrytonConnector) -> None:
    def twice(document: PostingDocument) -> Receipt:
        first, second = post(tryton, document), post(tryton, document)
        assert first == second
        (found,) = tryton.find(document)
        assert (found.document_id, found.complete, found.fingerprint_ok) == (first.document_id, True, True)
        assert first.echoed_ref == document.external_ref
        assert first.echoed_amount == document.amount
        return first

    party_id = twice(customer()).document_id
    bill = twice(invoice(party_id))
    paid = twice(payment(party_id, usd("5712.04")))
    twice(application(paid.document_id, bill.document_id, usd("5712.04")))
    twice(recognition(usd("246.58")))


def test_customer_whose_answer_was_lost_is_found_by_its_code(tryton_server: TrytonServer) -> None:
    document = customer()
    with pytest.raises(OutcomeUnknown):
        post(losing(tryton_server, "party.party.create"), document)
    (found,) = tryton_server.connector().find(document)
    assert post(tryton_server.connector(), document).document_id == found.document_id


def test_code_taken_by_another_customer_is_no_success(tryton: TrytonConnector, changes: Callable[..., Any]) -> None:
    document = customer()
    changes("model.party.party.create", [{"name": "Somebody else", "code": document.external_ref}])
    with pytest.raises(Rejected, match="another party") as refusal:
        post(tryton, document)
    assert refusal.value.code == "ERP_CONTENT_MISMATCH"
    assert [found.fingerprint_ok for found in tryton.find(document)] == [False]


@pytest.mark.parametrize("make", [invoice, lambda party: payment(party, usd("10.00"))], ids=["invoice", "payment"])
def test_draft_whose_answer_was_lost_is_resumed_and_not_made_again(
    tryton_server: TrytonServer, party: str, make: Callable[[str], PostingDocument]
) -> None:
    document, erp = make(party), tryton_server.connector()
    with pytest.raises(OutcomeUnknown):
        post(losing(tryton_server, ".create"), document)
    (draft,) = erp.find(document)
    assert not draft.complete
    receipt = post(erp, document, draft.document_id)
    (posted,) = erp.find(document)
    assert (posted.document_id, posted.complete, posted.number) == (draft.document_id, True, receipt.number)


def test_lost_answer_to_the_posting_of_an_invoice_is_in_doubt_and_then_found_complete(
    tryton_server: TrytonServer, party: str
) -> None:
    document = invoice(party)
    with pytest.raises(OutcomeUnknown):
        post(losing(tryton_server, "account.invoice.post"), document)
    (found,) = tryton_server.connector().find(document)
    assert found.complete


def test_question_without_an_answer_before_anything_is_stored_may_be_sent_again(
    tryton_server: TrytonServer, party: str
) -> None:
    document = invoice(party)
    with pytest.raises(TryLater):
        post(losing(tryton_server, "account.period.search_read"), document)
    assert tryton_server.connector().find(document) == []


def test_two_documents_with_one_reference_are_reported_and_not_added_to(
    tryton: TrytonConnector, party: str, changes: Callable[..., Any]
) -> None:
    document = invoice(party)
    receipt = post(tryton, document)
    (second,) = changes("model.account.invoice.copy", [int(receipt.document_id)])
    changes("model.account.invoice.write", [second], {"reference": document.external_ref})
    assert len(tryton.find(document)) == 2
    with pytest.raises(Rejected) as refusal:
        post(tryton, document)
    assert refusal.value.code == "ERP_DUPLICATE_POST"
    changes("model.account.invoice.delete", [second])


# ---- refusals leave nothing behind -----------------------------------------------------------------------------


def test_total_that_tryton_sees_otherwise_leaves_no_draft(tryton: TrytonConnector, party: str) -> None:
    document = invoice(party)
    body = {**tryton.build_body(document), "total": "5712.05"}
    with pytest.raises(Rejected, match=r"5712\.04.*5712\.05") as refusal:
        tryton.send(document, body)
    assert refusal.value.code == "ERP_CONTENT_MISMATCH"
    assert tryton.find(document) == []


@pytest.fixture
def closed_january(tryton: TrytonConnector, changes: Callable[..., Any]) -> Iterator[date]:
    domain = [("company.party.code", "=", "UK01"), ("start_date", "=", date(2025, 1, 1))]
    (period,) = tryton._client.rows("account.period", domain, ["state"])
    changes("model.account.period.close", [period["id"]])
    yield date(2025, 1, 20)
    changes("model.account.period.reopen", [period["id"]])


def test_closed_period_is_refused_by_its_own_reason(tryton: TrytonConnector, party: str, closed_january: date) -> None:
    entry = recognition(Money.of("10.00", "GBP"), closed_january, "UK01")
    bill = invoice(party, "UK01", day=closed_january)
    for document in (entry, bill):
        with pytest.raises(Rejected) as refusal:
            post(tryton, document)
        assert refusal.value.code == "ERP_PERIOD_CLOSED"
        assert tryton.find(document) == []
    states = {period.label: period.open for period in tryton.periods("UK01")}
    assert (states["2025-01"], states["2025-02"], len(states)) == (False, True, 36)


def test_draft_that_meets_a_period_closed_in_between_is_removed(
    tryton_server: TrytonServer, tryton: TrytonConnector, party: str, changes: Callable[..., Any]
) -> None:
    document = invoice(party, "UK01", day=date(2025, 3, 5))
    with pytest.raises(OutcomeUnknown):
        post(losing(tryton_server, "account.invoice.create"), document)
    (draft,) = tryton.find(document)
    domain = [("company.party.code", "=", "UK01"), ("start_date", "=", date(2025, 3, 1))]
    (period,) = tryton._client.rows("account.period", domain, ["state"])
    changes("model.account.period.close", [period["id"]])
    with pytest.raises(Rejected) as refusal:
        post(tryton, document, draft.document_id)
    changes("model.account.period.reopen", [period["id"]])
    assert refusal.value.code == "ERP_PERIOD_CLOSED"
    assert tryton.find(document) == []


def test_unbalanced_entry_is_refused_before_and_by_tryton(
    tryton_server: TrytonServer, tryton: TrytonConnector, changes: Callable[..., Any]
) -> None:
    document = recognition(usd("100.00"), revenue=usd("90.00"))
    with pytest.raises(Rejected) as refusal:
        post(tryton, document)
    assert refusal.value.code == "ERP_UNBALANCED_JE"
    balanced = recognition(usd("100.00"))
    with pytest.raises(OutcomeUnknown):
        post(losing(tryton_server, "account.move.create"), balanced)
    (draft,) = tryton.find(balanced)
    (line, _) = tryton._client.rows("account.move.line", [("move", "=", int(draft.document_id))], ["debit"])
    changes("model.account.move.line.write", [line["id"]], {"debit": usd("1.00").major})
    with pytest.raises(Rejected) as refusal:
        post(tryton, balanced, draft.document_id)
    assert refusal.value.code == "ERP_UNBALANCED_JE"
    assert tryton.find(balanced) == []


@pytest.mark.parametrize("make", [invoice, lambda party, deferred: recognition(usd("1.00"), deferred=deferred)])
def test_unknown_account_is_refused_by_name(tryton: TrytonConnector, party: str, make: Any) -> None:
    document = make(party, deferred="2999")
    with pytest.raises(Rejected, match=r"US01 has no open account '2999'"):
        post(tryton, document)
    assert tryton.find(document) == []


def test_account_an_invoice_may_not_book_on_is_refused_by_tryton_in_few_words(
    tryton: TrytonConnector, party: str
) -> None:
    document = invoice(party, deferred="1000")
    with pytest.raises(Rejected) as refusal:
        post(tryton, document)
    assert refusal.value.code == "ERP_POST_REJECTED"
    assert len(refusal.value.detail) <= 500
    assert tryton.find(document) == []


def test_unknown_customer_is_refused(tryton: TrytonConnector) -> None:
    with pytest.raises(Rejected) as refusal:
        post(tryton, invoice("999999"))
    assert refusal.value.code == "MDM_ACCOUNT_UNMAPPED"


def test_wrong_password_is_an_authentication_failure(tryton_server: TrytonServer) -> None:
    config = tryton_server.config()
    wrong = type(config)(
        name="erp",
        kind="tryton",
        base_url=config.base_url,
        options=config.options,
        secrets={"user": "x", "password": "y"},
    )
    with pytest.raises(AuthFailed):
        TrytonConnector(wrong, Transport(config.base_url)).ping()


def test_session_the_server_forgot_is_opened_again_once(tryton_server: TrytonServer) -> None:
    erp = tryton_server.connector()
    erp.ping()
    erp._client._session = "Session " + "eDoxOnk="
    assert "US01" in tryton_server.connector().ping()
    assert len(erp.periods("US01")) == 36


# ---- money read back -------------------------------------------------------------------------------------------


def movement(erp: TrytonConnector, entity: str, before: dict[str, Money]) -> dict[str, str]:
    """What changed on the accounts since ``before``, as text, debit positive."""
    after = erp.account_balances(entity, date(2026, 12, 31))
    return {code: str((after[code] - before[code]).major) for code in after if after[code] != before[code]}


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        ("US01", {"1100": "5712.04", "2100": "-5276.71", "2200": "-435.33"}),
        ("UK01", {"1100": "6332.05", "2100": "-5276.71", "2200": "-1055.34"}),
    ],
)
def test_day_45_invoice_balances_read_back_to_the_cent(
    tryton: TrytonConnector, entity: str, expected: dict[str, str]
) -> None:
    before = tryton.account_balances(entity, date(2026, 12, 31))
    party_id = post(tryton, customer(entity)).document_id
    receipt = post(tryton, invoice(party_id, entity))
    assert movement(tryton, entity, before) == expected
    assert str(receipt.echoed_amount.major) == expected["1100"]


def test_late_invoice_keeps_its_accounting_period_though_tryton_numbers_in_date_order(
    tryton: TrytonConnector, party: str
) -> None:
    post(tryton, invoice(party, day=date(2026, 6, 1)))
    late = invoice(party, net="100.00", day=date(2026, 5, 20), accounting=date(2026, 5, 20), due=date(2026, 6, 19))
    post(tryton, late)
    (row,) = [
        row
        for row in tryton.observe("document", Window(start=date(2026, 5, 1), end=date(2026, 6, 1), entities=("US01",)))
        if row.key == late.external_ref
    ]
    assert (row.period, row.document_date, row.amount) == ("2026-05", date(2026, 5, 20), usd("108.25"))
    domain = [("id", "=", int(row.source_id))]
    (invoice_row,) = tryton._client.rows("account.invoice", domain, ["invoice_date", "comment"])
    assert invoice_row["invoice_date"] >= date(2026, 6, 1)
    assert "numbered in the order of their dates" in invoice_row["comment"]


# ---- payments --------------------------------------------------------------------------------------------------


def state_of(erp: TrytonConnector, invoice_id: str) -> tuple[str, str]:
    (row,) = erp._client.rows("account.invoice", [("id", "=", int(invoice_id))], ["state", "amount_to_pay"])
    return row["state"], str(row["amount_to_pay"])


def test_payment_and_application_make_the_invoice_paid(tryton: TrytonConnector, party: str) -> None:
    before = tryton.account_balances("US01", date(2026, 12, 31))
    bill, paid = post(tryton, invoice(party)), post(tryton, payment(party, usd("5712.04")))
    assert state_of(tryton, bill.document_id) == ("posted", "5712.04")
    post(tryton, application(paid.document_id, bill.document_id, usd("5712.04")))
    assert state_of(tryton, bill.document_id) == ("paid", "0")
    assert movement(tryton, "US01", before) == {"1050": "5712.04", "2100": "-5276.71", "2200": "-435.33"}


def test_partial_applications_lower_what_is_open_until_the_last_one_pays(tryton: TrytonConnector, party: str) -> None:
    bill = post(tryton, invoice(party))
    first, second = post(tryton, payment(party, usd("5000.00"))), post(tryton, payment(party, usd("1000.00")))
    post(tryton, application(first.document_id, bill.document_id, usd("5000.00")))
    assert state_of(tryton, bill.document_id) == ("posted", "712.04")
    post(tryton, application(second.document_id, bill.document_id, usd("712.04")))
    assert state_of(tryton, bill.document_id)[0] == "paid"
    other = post(tryton, invoice(party, net="200.00"))
    post(tryton, application(second.document_id, other.document_id, usd("216.50")))
    assert state_of(tryton, other.document_id)[0] == "paid"
    with pytest.raises(Rejected, match=r"more than the payment .* has left"):
        third = post(tryton, invoice(party))
        post(tryton, application(second.document_id, third.document_id, usd("71.47")))


@pytest.mark.parametrize("lost", ["account.move.create", "account.move.post", "reconcile_lines.execute"])
def test_application_interrupted_anywhere_is_finished_by_resuming(
    tryton_server: TrytonServer, tryton: TrytonConnector, party: str, lost: str
) -> None:
    bill, paid = post(tryton, invoice(party)), post(tryton, payment(party, usd("5712.04")))
    document = application(paid.document_id, bill.document_id, usd("5712.04"))
    with pytest.raises(OutcomeUnknown):
        post(losing(tryton_server, lost, arrives=lost != "reconcile_lines.execute"), document)
    (half,) = tryton.find(document)
    assert not half.complete
    assert post(tryton, document, half.document_id).document_id == half.document_id
    (done,) = tryton.find(document)
    assert done.complete
    assert state_of(tryton, bill.document_id)[0] == "paid"


# ---- reading back ----------------------------------------------------------------------------------------------


def seen(erp: TrytonConnector, object: str, window: Window = FEBRUARY) -> dict[str, Observed]:
    return {row.key: row for row in erp.observe(object, window)}


def test_observed_documents_carry_reference_amounts_and_state(tryton: TrytonConnector, party: str) -> None:
    bill_document, payment_document = invoice(party), payment(party, usd("5712.04"))
    bill, paid = post(tryton, bill_document), post(tryton, payment_document)
    documents = seen(tryton, "document")
    assert documents[bill_document.external_ref].source_id == bill.document_id
    assert documents[payment_document.external_ref].amount == usd("5712.04")
    row = seen(tryton, "invoice")[bill_document.record.number]
    assert (row.net, row.tax, row.amount) == (usd("5276.71"), usd("435.33"), usd("5712.04"))
    assert (row.state, row.version, row.facts["contract"], row.facts["left_to_pay"]) == ("open", 2, "C-1001", "5712.04")
    post(tryton, application(paid.document_id, bill.document_id, usd("5712.04")))
    assert seen(tryton, "invoice")[bill_document.record.number].state == "paid"
    assert seen(tryton, "payment")[payment_document.record.payment_id].state == "posted"


def test_revenue_and_deferred_balance_are_told_per_contract_and_period(tryton: TrytonConnector, party: str) -> None:
    contract = fresh("C")
    post(tryton, invoice(party, "UK01", net="12000.00", quantity="10", day=date(2026, 1, 1), contract=contract))
    post(tryton, invoice(party, "UK01", contract=contract))
    for amount, day in (("1019.18", date(2026, 1, 31)), ("1167.13", date(2026, 2, 28))):
        post(tryton, recognition(Money.of(amount, "GBP"), day, "UK01", contract))
    window = Window(start=date(2026, 1, 1), end=date(2026, 4, 1), entities=("UK01",))
    revenue = {key: str(row.amount.major) for key, row in seen(tryton, "revenue", window).items()}
    deferred = {key: str(row.amount.major) for key, row in seen(tryton, "deferred", window).items()}
    assert (revenue[f"{contract}|2026-01"], revenue[f"{contract}|2026-02"]) == ("1019.18", "1167.13")
    assert f"{contract}|2026-03" not in revenue
    assert [deferred[f"{contract}|2026-0{month}"] for month in (1, 2, 3)] == ["10980.82", "15090.40", "15090.40"]
    balances = tryton.account_balances("UK01", date(2026, 3, 31))
    assert deferred["UK01|2026-03"] == str(-balances["2100"].major)


def test_window_bounds_what_is_observed(tryton: TrytonConnector, party: str) -> None:
    document = invoice(party, day=EXPANSION_DAY)
    post(tryton, document)
    march = Window(start=date(2026, 3, 1), end=date(2026, 4, 1))
    assert document.external_ref in seen(tryton, "document")
    assert document.external_ref not in seen(tryton, "document", march)
    elsewhere = Window(start=FEBRUARY.start, end=FEBRUARY.end, entities=("UK01",))
    assert document.external_ref not in seen(tryton, "document", elsewhere)


def test_ping_names_version_and_companies(tryton: TrytonConnector) -> None:
    assert tryton.ping().startswith("Tryton 8.2 answers")
    assert "UK01, US01" in tryton.ping()
