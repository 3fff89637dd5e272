"""The connector against localstripe: letters captured from it, and a live one driven with the official SDK."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from connectors.contract import ConnectionConfig, Ignored, Normalised, RawItem, Window
from connectors.systems.stripe.connector import CONNECTOR
from connectors.transport import Transport
from finsync.core.money import Money
from finsync.core.records import CustomerRecord, InvoiceRecord, PaymentApplicationRecord, PaymentRecord, fact_hash
from tests.connectors.localstripe_fixture import API_KEY, CARD_DECLINED, Localstripe, localstripe  # noqa: F401
from tests.connectors.test_stripe import FIXTURES
from tests.connectors.test_stripe_double import Inbox, wait_until

SECRETS = {"/ok": "whsec_test", "/fail": "whsec_2"}  # what the capture was made with
OPTIONS = {"standalone": "true", "entity": "US01", "currency": "USD", "livemode": "false"}
CAPTURED = [json.loads(line) for line in (FIXTURES / "localstripe_webhooks.jsonl").read_text().splitlines()]


def connector(url: str = "http://localstripe") -> Any:
    config = ConnectionConfig(
        name="localstripe", kind="stripe", base_url=url, options=OPTIONS, secrets={"api_key": API_KEY}
    )
    return CONNECTOR(config, Transport(url))


def normalise(body: bytes) -> Any:
    return connector().normalise(RawItem(event_id="e", object="x", body=body))


@pytest.mark.parametrize("number", range(len(CAPTURED)))
def test_a_captured_letter_is_authentic_and_is_read_or_ignored_with_a_reason(number: int) -> None:
    capture = CAPTURED[number]
    body, headers = capture["body"].encode(), capture["headers"]
    sent_at = datetime.fromtimestamp(json.loads(body)["created"] + 1, UTC)
    other = "whsec_other"
    assert connector().verify(headers, body, [other, SECRETS[capture["path"]]], sent_at).ok
    assert not connector().verify(headers, body, [other], sent_at).ok
    assert not connector().verify(headers, body, [SECRETS[capture["path"]]], sent_at + timedelta(seconds=300)).ok
    result = normalise(body)
    assert isinstance(result, Normalised | Ignored), result
    assert not isinstance(result, Ignored) or result.reason


def test_what_the_captured_letters_state() -> None:
    stated = [record for capture in CAPTURED for record in getattr(normalise(capture["body"].encode()), "records", ())]
    kinds = [record.record_type for record in stated]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "customer": 4, "invoice": 2, "payment_application": 2, "payment": 4, "subscription": 2,
    }  # fmt: skip
    first = next(record for record in stated if isinstance(record, InvoiceRecord))
    assert (first.net, first.tax, first.total) == tuple(Money.of(text, "USD") for text in ("490.00", "40.43", "530.43"))
    assert [tax.amount for tax in first.lines[0].taxes] == [first.tax]
    assert first.number == first.invoice_id  # it knows no numbers
    applied = next(record for record in stated if isinstance(record, PaymentApplicationRecord))
    paid = next(record for record in stated if isinstance(record, PaymentRecord))
    assert (applied.payment_id, applied.amount) == (paid.payment_id, paid.amount)
    assert [record.status for record in stated if isinstance(record, PaymentRecord)][-1] == "failed"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_live_subscription_arrives_signed_and_the_poll_tells_the_same(
    localstripe: Localstripe,  # noqa: F811
    inbox: Inbox,
) -> None:
    localstripe.send_webhooks_to(inbox.url, "whsec_live")
    customer = localstripe.create_customer("Acme")
    localstripe.subscribe(customer, localstripe.create_plan(), 10, localstripe.create_tax_rate())
    wait_until(
        lambda: "customer.subscription.created" in inbox.types() and "invoice.payment_succeeded" in inbox.types()
    )
    for header, body in inbox.letters:
        assert CONNECTOR.verify({"Stripe-Signature": header}, body, ["whsec_live"], datetime.now(UTC)).ok
    pushed = {CONNECTOR.webhook_event_id({}, body): body for _, body in inbox.letters}
    live = connector(localstripe.url)
    polled = {item.event_id: item for item in live.poll("events", "", datetime.now(UTC) + timedelta(seconds=10)).items}
    assert set(pushed) <= set(polled)
    records = [record for body in pushed.values() for record in getattr(live.normalise(_item(body)), "records", ())]
    again = [record for item in polled.values() for record in getattr(live.normalise(item), "records", ())]
    assert {fact_hash(record) for record in records} == {fact_hash(record) for record in again}
    (invoice,) = [record for record in records if isinstance(record, InvoiceRecord)]
    assert (invoice.total, invoice.status, invoice.account_id) == (Money.of("530.43", "USD"), "paid", customer)
    assert [(tax.tax_code, tax.jurisdiction) for line in invoice.lines for tax in line.taxes] == [
        ("US-TX-SALES", "US-TX")
    ]
    assert {record.name for record in records if isinstance(record, CustomerRecord)} == {"Acme"}


def test_a_live_localstripe_can_be_fetched_and_observed(localstripe: Localstripe) -> None:  # noqa: F811
    customer = localstripe.create_customer("Acme")
    localstripe.subscribe(customer, localstripe.create_plan(), 3, localstripe.create_tax_rate())
    (made,) = localstripe.invoices(customer)
    live, today = connector(localstripe.url), datetime.now(UTC).date()
    (snapshot,) = live.fetch("invoice", [made.id])
    invoice, application = live.normalise(snapshot).records
    assert (invoice.total, application.amount) == (Money.of("159.13", "USD"), Money.of("159.13", "USD"))
    (customer_snapshot,) = live.fetch("customer", [customer])
    assert live.normalise(customer_snapshot).records[0].currency == "USD"
    window = Window(start=today - timedelta(days=1), end=today + timedelta(days=2))
    (observed,) = live.observe("invoice", window)
    assert (observed.key, observed.amount, observed.state) == (made.id, invoice.total, "paid")
    (payment,) = live.observe("payment", window)
    assert (payment.key, payment.amount) == (application.payment_id, invoice.total)
    assert live.ping().startswith("answers")


def test_a_declined_card_is_a_failed_payment(localstripe: Localstripe) -> None:  # noqa: F811
    with pytest.raises(stripe.CardError):
        localstripe.pay(localstripe.create_customer("Broke", card=CARD_DECLINED), 5000)
    live = connector(localstripe.url)
    items = live.poll("events", "", datetime.now(UTC) + timedelta(seconds=10)).items
    records = [record for item in items for record in getattr(live.normalise(item), "records", ())]
    (payment,) = [record for record in records if isinstance(record, PaymentRecord)]
    assert (payment.status, payment.failure_code) == ("failed", "card_declined")
    assert payment.amount == Money.of("50.00", "USD")


def _item(body: bytes) -> RawItem:
    return RawItem(event_id="e", object="x", body=body)
