"""The connector against the Stripe double over real HTTP: the story in money, keys, polls, faults, signed webhooks."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import stripe

from connectors.contract import ConnectionConfig, NeedsFetch, Normalised, RawItem, Window
from connectors.doubles.server import running
from connectors.doubles.store import Store
from connectors.errors import AuthFailed, OutcomeUnknown, Rejected, TryLater
from connectors.systems.stripe.connector import CONNECTOR
from connectors.systems.stripe.sandbox.double import StripeDouble
from connectors.transport import Transport
from finsync.core.money import Money
from finsync.core.records import InvoiceRecord, PaymentApplicationRecord, PaymentRecord, SubscriptionRecord, fact_hash
from finsync.core.records.document import PostingDocument
from tests.connectors.test_stripe import CUSTOMER, EXPANDED, SIGNED, document

SECRET = "whsec_c2VjcmV0"
YEAR = Window(start=date(2026, 1, 1), end=date(2027, 1, 1))


class Billing:
    """A running double, a connector, and what a story does with them."""

    def __init__(self, url: str, double: StripeDouble) -> None:
        self.url, self.double, self.http = url, double, httpx.Client(base_url=url)

    def connector(self, read_timeout_seconds: float = 5.0, **options: str) -> Any:
        config = ConnectionConfig(
            name="stripe", kind="stripe", base_url=self.url, options=options, secrets={"api_key": "sk_test_1"}
        )
        return CONNECTOR(config, Transport(self.url, read_timeout_seconds=read_timeout_seconds))

    def tell(self, command: str, **what: Any) -> dict[str, Any]:
        answer = self.http.post(f"/_sandbox/{command}", json=what)
        assert answer.is_success, answer.text
        return answer.json()

    def faults(self, *rules: dict[str, Any]) -> None:
        self.tell("faults", rules=list(rules))

    def all(self, kind: str) -> list[dict[str, Any]]:
        return self.double.store.all(kind)

    def post(self, sent: PostingDocument, connector: Any = None) -> Any:
        connector = connector or self.connector()
        return connector.send(sent, connector.build_body(sent))

    def signed(self) -> tuple[str, str]:
        """A customer and the subscription of contract version 1."""
        customer = self.post(document(CUSTOMER, "fscustomer")).document_id
        return customer, self.post(document(SIGNED, "fsv1", customer=customer)).document_id

    def expansion(self) -> PostingDocument:
        customer, subscription = self.signed()
        return document(EXPANDED, "fsv2", customer=customer, previous=subscription)

    def polled(self, connector: Any = None) -> list[RawItem]:
        """Every event, in the order the poll gives them."""
        connector = connector or self.connector()
        soon, cursor, items = datetime.now(UTC) + timedelta(seconds=10), "", []
        while True:
            page = connector.poll("events", cursor, soon)
            items, cursor = [*items, *page.items], page.cursor
            if not page.more:
                return items

    def stated(self) -> list[Any]:
        """Every record the events state."""
        results = [self.connector().normalise(item) for item in self.polled()]
        return [record for result in results if isinstance(result, Normalised) for record in result.records]


@pytest.fixture
def billing() -> Iterator[Billing]:
    double = StripeDouble()
    with running(double) as url:
        yield Billing(url, double)


class Inbox:
    """A webhook endpoint that keeps what it is sent and answers as it is told."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, bytes]] = []
        self.answers: list[int] = []  # the next answers; 200 when there are none left
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                inbox.letters.append((self.headers["stripe-signature"], body))
                self.send_response(inbox.answers.pop(0) if inbox.answers else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.letters]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.server.shutdown()
    made.server.server_close()


def wait_until(holds: Callable[[], bool], seconds: float = 8.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


# ---- the story in money ------------------------------------------------------------------------------------------


def test_the_story_of_day_45_ties_to_the_cent(billing: Billing) -> None:
    billing.post(billing.expansion())
    billing.tell("pay", invoice="INV-0002", entity="US01", date="2026-02-20")
    stated = billing.stated()
    invoices = {record.number: record for record in stated if isinstance(record, InvoiceRecord)}
    first, second = invoices["INV-0001"], invoices["INV-0002"]
    assert [first.net, first.tax, first.total] == [Money.of(text, "USD") for text in ("12000.00", "990.00", "12990.00")]
    assert [second.net, second.tax, second.total] == [
        Money.of(text, "USD") for text in ("5276.71", "435.33", "5712.04")
    ]
    assert [(line.quantity, line.proration, line.service_start, line.service_end) for line in second.lines] == [
        (5, True, date(2026, 2, 14), date(2027, 1, 1))
    ]
    assert (first.invoice_date, second.invoice_date) == (date(2026, 1, 1), date(2026, 2, 14))
    assert (second.contract_version, second.amendment_ref, second.lineage.correlation_id) == (
        2,
        "A-0002",
        "cor-C-1001-v2",
    )
    (payment,) = {fact_hash(record): record for record in stated if isinstance(record, PaymentRecord)}.values()
    (applied,) = {
        fact_hash(record): record for record in stated if isinstance(record, PaymentApplicationRecord)
    }.values()
    assert (payment.amount, payment.captured_on) == (Money.of("5712.04", "USD"), date(2026, 2, 20))
    assert (applied.payment_id, applied.invoice_number, applied.applied_on) == (
        payment.payment_id,
        "INV-0002",
        date(2026, 2, 20),
    )
    subscriptions = [record for record in stated if isinstance(record, SubscriptionRecord)]
    assert [(record.contract_version, record.quantity) for record in subscriptions] == [(1, 10), (2, 15)]


def test_in_the_second_entity_twenty_percent_vat_is_charged_and_numbers_start_again(billing: Billing) -> None:
    client = stripe.StripeClient("sk_test_1", base_addresses={"api": billing.url})
    for entity in ("US01", "UK01"):
        customer = client.v1.customers.create({"name": entity, "metadata": {"entity": entity, "account_id": entity}})
        item = {"price": "price_seat_pro_gbp", "quantity": 10}
        client.v1.subscriptions.create(
            {
                "customer": customer.id,
                "items": [item],
                "backdate_start_date": 1767225600,
                "metadata": {"entity": entity},
            }
        )
    assert [(row["number"], row["currency"], row["total"]) for row in billing.all("invoice")] == [
        ("INV-0001", "gbp", 1_299_000),
        ("INV-0001", "gbp", 1_440_000),
    ]


def test_the_gateway_keeps_its_fee_of_two_point_nine_percent_and_thirty_cents(billing: Billing) -> None:
    billing.post(billing.expansion())
    billing.tell("pay", invoice="INV-0002", entity="US01")
    (settled,) = billing.all("balance_transaction")
    assert (settled["amount"], settled["fee"], settled["net"]) == (571_204, 16_595, 554_609)
    (charge,) = billing.connector(fetch_fees="true").fetch("payment", [settled["source"]])
    (payment,) = billing.connector(fetch_fees="true").normalise(charge).records
    assert payment.fee == Money.of("165.95", "USD")


def test_a_charge_without_labels_is_fetched_with_its_customer_and_invoice(billing: Billing) -> None:
    billing.post(billing.expansion())
    billing.tell("pay", invoice="INV-0002", entity="US01", labelled=False)
    (event,) = [item for item in billing.polled() if item.object == "charge.succeeded"]
    hint = billing.connector().normalise(event)
    assert isinstance(hint, NeedsFetch)
    (snapshot,) = billing.connector().fetch(hint.object, [hint.source_id])
    (payment,) = billing.connector().normalise(snapshot).records
    assert (payment.account_id, payment.entity) == (CUSTOMER.account_id, "US01")
    assert payment.lineage.correlation_id == "cor-C-1001-v2"


def test_a_failed_payment_and_a_void_are_stated(billing: Billing) -> None:
    billing.signed()
    billing.tell("fail", invoice="INV-0001", entity="US01", code="insufficient_funds")
    billing.tell("void", invoice="INV-0001", entity="US01")
    stated = billing.stated()
    (payment,) = [record for record in stated if isinstance(record, PaymentRecord)]
    assert (payment.status, payment.failure_code) == ("failed", "insufficient_funds")
    assert [record.status for record in stated if isinstance(record, InvoiceRecord)] == ["open", "open", "void"]


def test_a_sale_to_a_customer_nobody_labelled_surfaces_as_unknown(billing: Billing) -> None:
    customer = billing.http.post("/v1/customers", data={"name": "Nobody"}, headers={"authorization": "Bearer sk_1"})
    line = {"product": "ONBOARD", "unit_amount": 50_000, "description": "Onboarding"}
    billing.tell(
        "invoice",
        customer=customer.json()["id"],
        date="2026-03-01",
        currency="usd",
        metadata={"entity": "US01"},
        lines=[line],
    )
    (made,) = billing.all("invoice")
    (snapshot,) = billing.connector().fetch("invoice", [made["id"]])
    (record,) = billing.connector().normalise(snapshot).records
    assert record.account_id == f"stripe-{customer.json()['id']}"
    assert (record.total, record.lines[0].revenue_treatment) == (Money.of("541.25", "USD"), "immediate")


def test_a_story_can_change_the_tax_a_customer_pays(billing: Billing) -> None:
    customer = billing.post(document(CUSTOMER, "fscustomer")).document_id
    billing.tell("tax", account=CUSTOMER.account_id, tax_rates=["txr_us_ca"])
    billing.post(document(SIGNED, "fsv1", customer=customer))
    (record,) = {record.number: record for record in billing.stated() if isinstance(record, InvoiceRecord)}.values()
    assert [tax.tax_code for tax in record.lines[0].taxes] == ["US-CA-SALES"]


# ---- posted once -------------------------------------------------------------------------------------------------


def test_a_repeated_post_makes_one_document(billing: Billing) -> None:
    expansion = billing.expansion()
    receipts = [billing.post(expansion) for _ in range(3)]
    assert len(set(receipts)) == 1
    assert (len(billing.all("customer")), len(billing.all("subscription")), len(billing.all("invoice"))) == (1, 1, 2)


def test_the_same_key_with_another_body_is_a_conflict(billing: Billing) -> None:
    billing.post(document(CUSTOMER, "fsone"))
    with pytest.raises(Rejected) as caught:
        billing.connector().send(document(CUSTOMER, "fsone"), {"name": "Someone else"})
    assert caught.value.code == "ERP_CONTENT_MISMATCH"


def test_a_key_is_forgotten_after_a_day_and_the_document_is_still_found(billing: Billing) -> None:
    expansion = billing.expansion()
    billing.post(expansion)
    for kept in billing.all("idempotency"):
        billing.double.store.put("idempotency", kept["id"], kept | {"at": kept["at"] - 86_401})
    for sent in (
        document(CUSTOMER, "fscustomer"),
        document(SIGNED, "fsv1", customer=expansion.references["customer"]),
        expansion,
    ):
        (found,) = billing.connector().find(sent)
        assert (found.complete, found.fingerprint_ok) == (True, True)
    assert billing.post(expansion).echoed_ref == "fsv2"  # an amendment is not even repeated after the key is gone
    assert len(billing.all("invoice")) == 2


def test_a_repeated_amendment_does_not_undo_a_later_one(billing: Billing) -> None:
    second = billing.expansion()
    billing.post(second)
    third = document(
        replace(EXPANDED, version=3),
        "fsv3",
        customer=second.references["customer"],
        previous=second.references["previous"],
    )
    billing.post(third)
    billing.post(second)
    assert billing.all("subscription")[0]["metadata"]["contract_version"] == "3"


def test_nothing_is_found_where_nothing_was_posted(billing: Billing) -> None:
    customer, subscription = billing.signed()
    for sent in (document(CUSTOMER, "fsother"), document(EXPANDED, "fsv2", customer=customer, previous=subscription)):
        assert billing.connector().find(sent) == []


# ---- asking ------------------------------------------------------------------------------------------------------


def test_a_poll_walks_all_pages_of_a_window_and_the_next_one_overlaps(billing: Billing) -> None:
    for number in range(120):
        billing.http.post("/v1/customers", data={"name": str(number)}, headers={"authorization": "Bearer sk_1"})
    connector, soon = billing.connector(), datetime.now(UTC) + timedelta(seconds=10)
    first = connector.poll("events", "", soon)
    second = connector.poll("events", first.cursor, soon)
    assert (len(first.items), first.more, len(second.items), second.more) == (100, True, 20, False)
    assert len({item.event_id for item in (*first.items, *second.items)}) == 120
    again = connector.poll("events", second.cursor, soon + timedelta(seconds=60))
    assert len(again.items) == 100  # ten minutes are read again
    later = connector.poll("events", second.cursor.replace(second.cursor[6:], "9999999999"), soon + timedelta(hours=1))
    assert later.items == []


def test_poll_and_webhook_carry_the_same_event(billing: Billing, inbox: Inbox) -> None:
    billing.tell("webhook", url=inbox.url, secret=SECRET)
    billing.signed()
    wait_until(lambda: len(inbox.letters) == 4)
    pushed = {CONNECTOR.webhook_event_id({}, body): body for _, body in inbox.letters}
    polled = {item.event_id: item.body for item in billing.polled()}
    assert polled == pushed


def test_poll_and_fetch_state_the_same_facts(billing: Billing) -> None:
    billing.post(billing.expansion())
    billing.tell("pay", invoice="INV-0002", entity="US01", date="2026-02-20")
    by_event = {(record.aggregate_key): fact_hash(record) for record in billing.stated()}
    for record_type, kind in (("invoice", "invoice"), ("payment", "charge"), ("subscription", "subscription")):
        for item in billing.connector().fetch(record_type, [row["id"] for row in billing.all(kind)]):
            for record in billing.connector().normalise(item).records:
                assert by_event[record.aggregate_key] == fact_hash(record)


def test_an_invoice_of_many_lines_is_fetched_whole(billing: Billing) -> None:
    customer = billing.post(document(CUSTOMER, "fscustomer")).document_id
    lines = [{"product": "ONBOARD", "unit_amount": 101 + number} for number in range(230)]
    billing.tell(
        "invoice", customer=customer, date="2026-03-01", currency="usd", metadata={"entity": "US01"}, lines=lines
    )
    (event,) = [item for item in billing.polled() if item.object == "invoice.finalized"]
    hint = billing.connector().normalise(event)
    assert isinstance(hint, NeedsFetch)
    (snapshot,) = billing.connector().fetch(hint.object, [hint.source_id])
    (record,) = billing.connector().normalise(snapshot).records
    assert len(record.lines) == 230
    assert record.total.minor == billing.all("invoice")[0]["total"]


def test_what_is_observed_are_documents_of_the_window(billing: Billing) -> None:
    billing.post(billing.expansion())
    billing.tell("pay", invoice="INV-0002", entity="US01", date="2026-02-20")
    connector = billing.connector()
    invoices = {row.key: row for row in connector.observe("invoice", YEAR)}
    assert {(row.state, row.amount.minor, row.period, row.version) for row in invoices.values()} == {
        ("open", 1_299_000, "2026-01", 1),
        ("paid", 571_204, "2026-02", 2),
    }
    january = Window(start=date(2026, 1, 1), end=date(2026, 2, 1), entities=("US01",))
    assert [row.key for row in connector.observe("invoice", january)] == ["INV-0001"]
    assert list(connector.observe("invoice", Window(start=YEAR.start, end=YEAR.end, entities=("UK01",)))) == []
    (payment,) = connector.observe("payment", YEAR)
    assert (payment.amount.minor, payment.state, payment.facts["fee"]) == (571_204, "succeeded", "165.95")
    (subscription,) = connector.observe("subscription", YEAR)
    assert (subscription.key, subscription.amount.minor) == ("C-1001|2", 1_800_000)
    assert connector.ping().startswith("answers")


# ---- misbehaviour ------------------------------------------------------------------------------------------------


def test_429_says_when_and_changes_nothing(billing: Billing) -> None:
    billing.faults({"match": {"path": "/v1/customers"}, "action": "429", "times": 1, "retry_after": 3})
    with pytest.raises(TryLater) as caught:
        billing.post(document(CUSTOMER))
    assert (caught.value.retry_after_seconds, billing.all("customer")) == (3.0, [])
    assert billing.post(document(CUSTOMER)).document_id


@pytest.mark.parametrize(("action", "made"), [("timeout_before", 0), ("timeout_after", 1), ("500_after", 1)])
def test_a_lost_answer_is_in_doubt_and_the_same_key_settles_it(billing: Billing, action: str, made: int) -> None:
    billing.faults({"match": {"method": "POST"}, "action": action, "times": 1})
    with pytest.raises(OutcomeUnknown):
        billing.post(document(CUSTOMER))
    assert len(billing.all("customer")) == made
    assert len(billing.connector().find(document(CUSTOMER))) == made
    billing.post(document(CUSTOMER))
    assert len(billing.all("customer")) == 1


def test_a_timeout_with_a_delay_outlasts_the_callers_patience(billing: Billing) -> None:
    billing.faults({"match": {"method": "POST"}, "action": "timeout_after", "times": 1, "delay": 1})
    with pytest.raises(OutcomeUnknown):
        billing.post(document(CUSTOMER), billing.connector(read_timeout_seconds=0.2))


def test_a_refused_amendment_can_be_sent_again_under_the_same_key(billing: Billing) -> None:
    expansion = billing.expansion()
    billing.faults({"match": {"method": "POST", "path": "/v1/subscriptions/*"}, "action": "refuse", "times": 1})
    with pytest.raises(Rejected) as caught:
        billing.post(expansion)
    assert caught.value.code == "CTR_AMENDMENT_NOT_PROPAGATED"
    assert billing.post(expansion).echoed_ref == "fsv2"


def test_nobody_gets_in_without_a_key(billing: Billing) -> None:
    for secrets in ({}, {"api_key": "pk_public"}):
        config = ConnectionConfig(name="stripe", kind="stripe", base_url=billing.url, secrets=secrets)
        with pytest.raises(AuthFailed):
            CONNECTOR(config, Transport(billing.url)).ping()


def test_webhooks_are_duplicated_dropped_and_delayed_as_told(billing: Billing, inbox: Inbox) -> None:
    billing.tell("webhook", url=inbox.url, secret=SECRET)
    billing.faults(
        {"match": {"event": "customer.created"}, "action": "duplicate", "times": 1},
        {"match": {"event": "invoice.created"}, "action": "drop", "times": 1},
        {"match": {"event": "invoice.finalized"}, "action": "delay", "times": 1, "delay": 0.6},
    )
    billing.signed()
    wait_until(lambda: "invoice.finalized" in inbox.types())
    assert inbox.types() == [
        "customer.created",
        "customer.created",
        "customer.subscription.created",
        "invoice.finalized",
    ]
    dropped = next(item.event_id for item in billing.polled() if item.object == "invoice.created")
    billing.tell("deliver", event=dropped)
    wait_until(lambda: inbox.types()[-1] == "invoice.created")


def test_a_reordered_webhook_is_overtaken(billing: Billing, inbox: Inbox) -> None:
    billing.tell("webhook", url=inbox.url, secret=SECRET)
    billing.faults({"match": {"event": "customer.created"}, "action": "reorder", "times": 1, "delay": 1.5})
    billing.signed()
    wait_until(lambda: len(inbox.letters) == 4)
    assert inbox.types()[-1] == "customer.created"


def test_a_webhook_that_is_not_taken_comes_again_and_is_signed_anew(billing: Billing, inbox: Inbox) -> None:
    inbox.answers = [500]
    billing.tell("webhook", url=inbox.url, secret=SECRET)
    billing.post(document(CUSTOMER))
    wait_until(lambda: len(inbox.letters) == 2)
    (first, body), (second, same) = inbox.letters
    assert body == same
    for header in (first, second):
        assert CONNECTOR.verify({"Stripe-Signature": header}, body, [SECRET], datetime.now(UTC)).ok


# ---- like the real one, as far as the official library can tell ---------------------------------------------------


def test_the_official_library_accepts_its_webhooks(billing: Billing, inbox: Inbox) -> None:
    billing.tell("webhook", url=inbox.url, secret=SECRET)
    billing.signed()
    wait_until(lambda: len(inbox.letters) == 4)
    for header, body in inbox.letters:
        assert stripe.Webhook.construct_event(body, header, SECRET).id == json.loads(body)["id"]
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, header, "whsec_other")


def test_the_official_library_can_do_its_round(billing: Billing) -> None:
    client = stripe.StripeClient("sk_test_1", base_addresses={"api": billing.url}, max_network_retries=0)
    key = {"idempotency_key": "once"}
    made = [client.v1.customers.create({"name": "Acme", "metadata": {"entity": "US01"}}, key) for _ in range(2)]
    assert made[0].id == made[1].id
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({"name": "Other"}, key)
    found = client.v1.customers.search({"query": "metadata['entity']:'US01'"})
    assert [row.id for row in found.data] == [made[0].id]
    subscription = client.v1.subscriptions.create(
        {"customer": made[0].id, "items": [{"price": "price_seat_pro_usd", "quantity": 2}], "expand": ["customer"]}
    )
    assert subscription.customer.name == "Acme"
    paid = client.v1.invoices.pay(client.v1.invoices.list({"customer": made[0].id}).data[0].id)
    assert (paid.status, paid.total) == ("paid", 240_000)  # nobody named an entity for it: no tax
    assert [row.amount for row in client.v1.charges.list().data] == [240_000]
    everything = list(client.v1.events.list({"limit": 3}).auto_paging_iter())
    assert len(everything) == len(billing.all("event"))
    assert everything[0].id == billing.all("event")[-1]["id"]  # newest first
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.retrieve("cus_none")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_state_survives_a_restart_and_no_id_comes_twice(tmp_path: Any) -> None:
    path = str(tmp_path / "stripe.sqlite")
    with running(StripeDouble(Store(path))) as url:
        first = Billing(url, StripeDouble()).post(document(CUSTOMER)).document_id
    double = StripeDouble(Store(path))
    with running(double) as url:
        billing = Billing(url, double)
        assert billing.post(document(CUSTOMER)).document_id == first
        ids = {row["id"] for row in billing.all("event")}
        billing.tell("reset")
        billing.post(document(CUSTOMER))
        assert not ids & {row["id"] for row in billing.all("event")}
        assert billing.all("product")
