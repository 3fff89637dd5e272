"""The Stripe connector: what letters say, whose signature counts, what is sent, what each answer of the server means."""

import copy
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import ConnectionConfig, Ignored, NeedsFetch, Normalised, RawItem, Unreadable
from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, Rejected, TryLater, Unsupported
from connectors.systems import stripe as room
from connectors.systems.stripe.connector import CONNECTOR
from connectors.transport import Transport
from finsync.core.money import Money
from finsync.core.proration import ProrationRule
from finsync.core.records import (
    ChangeType,
    ContractLine,
    ContractVersionRecord,
    CustomerRecord,
    InvoiceRecord,
    Lineage,
    PaymentApplicationRecord,
    PaymentRecord,
    RevenueTreatment,
    fact_hash,
    to_json,
)
from finsync.core.records.document import DocType, PostingDocument
from finsync.core.sequencing import Verdict, VersionKind, decide

FIXTURES = Path(str(room.__file__)).parent / "fixtures"
LETTERS = FIXTURES / "normalise"
GOLDEN = sorted(path for path in LETTERS.glob("*.json") if ".expected" not in path.name)
READ_AT = datetime(2026, 2, 20, 0, 0, 5, tzinfo=UTC)
ACCOUNT, SECRET = "001000000000001AAA", "whsec_c2VjcmV0"


def connector(answer: Callable[[httpx.Request], httpx.Response] | None = None, **options: str) -> Any:
    config = ConnectionConfig(
        name="stripe", kind="stripe", base_url="http://stripe", options=options, secrets={"api_key": "sk_test_1"}
    )
    return CONNECTOR(config, Transport("http://stripe", inner=httpx.MockTransport(answer or _no_network)))


def _no_network(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"this is pure, but asked for {request.url}")


def letter(name: str) -> dict[str, Any]:
    return json.loads((LETTERS / f"{name}.json").read_text())


def read(body: Any, read_at: datetime | None = READ_AT, **options: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return connector(**options).normalise(RawItem(event_id="e", object="x", body=raw, source_ts=read_at))


def records(body: Any, **options: str) -> Any:
    result = read(body, **options)
    assert isinstance(result, Normalised), result
    return result.records


def invoice(body: Any, **options: str) -> InvoiceRecord:
    first = records(body, **options)[0]
    assert isinstance(first, InvoiceRecord)
    return first


def changed(name: str, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """A letter of the fixtures whose object was changed."""
    body = letter(name)
    change(body["data"]["object"] if "data" in body else body)
    return body


# ---- what letters say --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_letters_say_what_is_written_beside_them(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    result = read(path.read_bytes())
    assert type(result).__name__ == expected.pop("result")
    if isinstance(result, Normalised):
        said = [{"record_type": record.record_type, "body": to_json(record)} for record in result.records]
        assert said == expected["records"]
    else:
        assert {name: getattr(result, name) for name in expected} == expected


def test_the_expansion_of_day_45_is_one_net_line() -> None:
    expansion = invoice(letter("invoice_finalized_net_proration"))
    assert (expansion.net, expansion.tax, expansion.total) == (
        Money.of("5276.71", "USD"),
        Money.of("435.33", "USD"),
        Money.of("5712.04", "USD"),
    )
    assert [line.quantity for line in expansion.lines] == [Decimal(5)]


def test_a_credit_and_a_charge_stay_two_lines_and_net_to_stripes_own_total() -> None:
    pair = invoice(letter("invoice_finalized_credit_and_charge"))
    assert [line.net.minor for line in pair.lines] == [-1_055_342, 1_583_014]
    assert [line.taxes[0].amount.minor for line in pair.lines] == [-87_066, 130_599]
    assert (pair.net, pair.total) == (Money.of("5276.72", "USD"), Money.of("5712.05", "USD"))
    assert {line.revenue_treatment for line in pair.lines} == {RevenueTreatment.DEFERRED}


def test_an_invoice_says_the_same_in_the_shape_of_2024_and_of_basil() -> None:
    assert fact_hash(invoice(letter("invoice_basil"))) == fact_hash(invoice(letter("invoice_finalized_net_proration")))


def test_a_subscription_says_the_same_in_the_shape_of_2024_and_of_basil() -> None:
    older, newer = (records(letter(name))[0] for name in ("subscription_updated", "subscription_basil"))
    assert fact_hash(older) == fact_hash(newer)


def test_webhook_and_fetched_snapshot_of_one_state_are_the_same_facts() -> None:
    by_webhook, by_fetch = records(letter("invoice_paid")), records(letter("snapshot_invoice_paid"))
    assert [fact_hash(record) for record in by_webhook] == [fact_hash(record) for record in by_fetch]
    by_webhook, by_fetch = records(letter("charge_succeeded")), records(letter("snapshot_charge"))
    assert replace(by_fetch[0], fee=None).lineage.correlation_id == by_webhook[0].lineage.correlation_id
    assert fact_hash(replace(by_fetch[0], fee=None)) == fact_hash(by_webhook[0])


def test_a_payment_is_applied_to_the_invoice_its_charge_paid() -> None:
    paid, application = records(letter("invoice_paid"))
    assert isinstance(application, PaymentApplicationRecord)
    assert (application.payment_id, application.invoice_number) == ("ch_2", "INV-0002")
    assert application.amount == paid.total
    assert [need.aggregate_key for need in application.requires] == [
        "payment:stripe:ch_2",
        "invoice:US01:stripe:INV-0002",
    ]


def test_an_invoice_paid_by_hand_has_no_gateway_payment_to_apply() -> None:
    body = changed("invoice_paid", lambda thing: thing.update(charge=None, paid_out_of_band=True))
    assert len(records(body)) == 1


def test_a_renewal_is_not_dated_to_the_last_amendment() -> None:
    body = changed("invoice_finalized_net_proration", lambda thing: thing.update(effective_at=1798761600))
    assert invoice(body).invoice_date == date(2027, 1, 1)


def test_the_date_on_the_document_is_the_day_in_the_entitys_time_zone() -> None:
    body = letter("invoice_finalized_net_proration")  # effective 2026-02-14 00:01 UTC
    assert invoice(body, timezone="America/Chicago").invoice_date == date(2026, 2, 13)


def test_pages_of_lines_become_one_invoice() -> None:
    assert [line.line_id for line in invoice(letter("snapshot_invoice_of_two_pages")).lines] == ["il_1", "il_2"]


def test_a_customer_nobody_labelled_is_unknown_to_every_ledger() -> None:
    (payment,) = records(letter("snapshot_charge_of_unlabelled_customer"))
    assert payment.account_id == "stripe-cus_9"


def test_a_fetched_invoice_without_labels_is_an_unknown_customers() -> None:
    def strip(thing: dict[str, Any]) -> None:
        thing["customer"]["metadata"] = {}
        thing["subscription_details"]["metadata"] = {}

    assert invoice(changed("snapshot_invoice_paid", strip), entity="US01").account_id == "stripe-cus_1"


def test_a_seller_nobody_names_is_refused() -> None:
    def strip(thing: dict[str, Any]) -> None:
        thing["customer"]["metadata"] = {"account_id": ACCOUNT}
        thing["subscription_details"]["metadata"] = {}

    result = read(changed("snapshot_invoice_paid", strip))
    assert isinstance(result, Unreadable)
    assert (result.code, result.path) == ("MDM_ENTITY_UNMAPPED", "$.metadata")


def test_a_standalone_stripe_owns_its_customers_and_knows_no_contract() -> None:
    (customer,) = records(letter("customer_created"), standalone="true", entity="UK01")
    assert isinstance(customer, CustomerRecord)
    assert (customer.account_id, customer.entity, customer.currency) == ("cus_1", "US01", "USD")
    alone = invoice(changed("invoice_without_account", lambda thing: None), standalone="true", entity="UK01")
    assert (alone.account_id, alone.contract_number, alone.entity) == ("cus_1", "", "UK01")
    assert [need.aggregate_key for need in alone.requires] == ["customer:cus_1"]


def test_fees_are_fetched_where_the_connection_asks_for_them() -> None:
    result = read(letter("charge_succeeded"), fetch_fees="true")
    assert isinstance(result, NeedsFetch)
    (payment,) = records(letter("snapshot_charge"), fetch_fees="true")
    assert isinstance(payment, PaymentRecord)
    assert payment.fee == Money.of("165.95", "USD")


def test_an_authorisation_moves_no_money() -> None:
    body = changed("charge_succeeded", lambda thing: thing.update(captured=False))
    assert isinstance(read(body), Ignored)


def test_a_partial_capture_counts_what_was_captured() -> None:
    (payment,) = records(changed("charge_succeeded", lambda thing: thing.update(amount_captured=100)))
    assert payment.amount == Money.of("1.00", "USD")


def test_live_letters_are_refused_on_a_test_connection() -> None:
    body = letter("charge_succeeded") | {"livemode": True}
    result = read(body, livemode="false")
    assert isinstance(result, Unreadable)
    assert result.path == "$.livemode"


# ---- money and tax -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [
        ("usd", 571204, Money.of("5712.04", "USD")),
        ("jpy", 500, Money.of("500", "JPY")),
        ("mga", 500, Money.of("500.00", "MGA")),  # ISO: two decimals; Stripe: none
        ("isk", 500, Money.of("5", "ISK")),  # ISO: none; Stripe: two, always 00
        ("ugx", 500, Money.of("5", "UGX")),
        ("kwd", 5120, Money.of("5.120", "KWD")),
        ("huf", 1045, Money.of("10.45", "HUF")),
    ],
)
def test_stripes_minor_units_are_its_own(currency: str, minor: int, amount: Money) -> None:
    body = changed("charge_succeeded", lambda thing: thing.update(currency=currency, amount_captured=minor))
    (payment,) = records(body)
    assert payment.amount == amount


@pytest.mark.parametrize(("currency", "minor"), [("isk", 550), ("xau", 1), ("zzz", 1), ("clf", 1), ("usd", 10**16)])
def test_an_amount_its_currency_cannot_hold_is_refused(currency: str, minor: int) -> None:
    result = read(changed("charge_succeeded", lambda thing: thing.update(currency=currency, amount_captured=minor)))
    assert isinstance(result, Unreadable)
    assert result.path in ("$.data.object.currency", "$.data.object.amount_captured")


def test_tax_stated_once_for_the_invoice_is_brought_onto_its_lines() -> None:
    def older_shape(thing: dict[str, Any]) -> None:
        line = thing["lines"]["data"][0]
        halves = [line | {"id": f"il_{amount}", "amount": amount, "tax_amounts": []} for amount in (263_835, 263_836)]
        thing["lines"]["data"] = halves
        thing["total_tax_amounts"] = [{"amount": 43533, "inclusive": False, "tax_rate": "txr_us_tx"}]

    lines = invoice(changed("invoice_finalized_net_proration", older_shape)).lines
    assert [line.taxes[0].amount.minor for line in lines] == [
        21766,
        21767,
    ]  # 21,766.39 and 21,766.47: largest remainder


def test_inclusive_tax_is_taken_out_of_the_line() -> None:
    def inclusive(thing: dict[str, Any]) -> None:
        line = thing["lines"]["data"][0]
        line["amount"] = 571204
        line["tax_amounts"][0] |= {"inclusive": True, "taxable_amount": 527671}

    assert invoice(changed("invoice_finalized_net_proration", inclusive)).lines[0].net == Money.of("5276.71", "USD")


def test_a_discount_lowers_the_net_of_its_line() -> None:
    def discounted(thing: dict[str, Any]) -> None:
        thing["lines"]["data"][0] |= {"amount": 537671, "discount_amounts": [{"amount": 10000, "discount": "di_1"}]}

    assert invoice(changed("invoice_finalized_net_proration", discounted)).net == Money.of("5276.71", "USD")


@pytest.mark.parametrize("field", ["total", "tax", "total_excluding_tax"])
def test_lines_that_do_not_add_up_are_refused(field: str) -> None:
    result = read(changed("invoice_finalized_net_proration", lambda thing: thing.update({field: thing[field] + 1})))
    assert isinstance(result, Unreadable)
    assert result.path == f"$.data.object.{field}"


# ---- order -------------------------------------------------------------------------------------------------------


def test_within_one_second_paid_follows_open() -> None:
    opened = invoice(letter("invoice_finalized_net_proration"))
    paid = invoice(letter("invoice_paid") | {"created": 1771027261})
    assert opened.lineage.source_ts == paid.lineage.source_ts
    assert paid.lineage.ordinal > opened.lineage.ordinal


def _verdict(current: Any, arriving: Any) -> Verdict:
    return decide(
        VersionKind.TIMESTAMP,
        current_ordinal=current.lineage.ordinal,
        current_hash=fact_hash(current),
        ordinal=arriving.lineage.ordinal,
        content_hash=fact_hash(arriving),
    ).verdict


def test_a_snapshot_never_outruns_a_change_it_does_not_contain() -> None:
    """Read open at 11.9 s, paid at 11.95 s, answered (Date) at 12 s: the payment must still be applied."""

    def still_open(thing: dict[str, Any]) -> None:
        thing["status"] = "open"
        thing["status_transitions"] |= {"finalized_at": 1771545600, "paid_at": None}
        thing |= {"amount_paid": 0, "charge": None}

    snapshot = invoice(changed("snapshot_invoice_paid", still_open))
    paid = invoice(letter("invoice_paid") | {"created": int(READ_AT.timestamp()) - 1})
    assert _verdict(snapshot, paid) is Verdict.APPLY


def test_a_late_open_does_not_undo_a_snapshot_that_says_paid() -> None:
    paid, opened = invoice(letter("snapshot_invoice_paid")), invoice(letter("invoice_finalized_net_proration"))
    assert _verdict(paid, opened) is Verdict.STALE


def test_the_later_contract_version_is_the_later_state_of_a_subscription_within_one_second() -> None:
    second = letter("subscription_updated")
    first = changed("subscription_updated", lambda thing: thing["metadata"].update(contract_version="1"))
    assert records(second)[0].lineage.ordinal > records(first)[0].lineage.ordinal


# ---- letters that cannot be read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"object":"event","object":"event"}',
        b'{"object":"event","type":"a\\u0000b"}',
        b'{"object":"event","type":"\\ud800"}',
        b'{"object":"event","created":NaN}',
        b'{"object":"event","created":' + b"9" * 5000 + b"}",
        b"null",
        b'"event"',
        b'{"object":"event","type":"invoice.paid","created":1,"data":{"object":{"object":"charge"}}}',
    ],
    ids=["empty", "no utf-8", "deep", "key twice", "nul", "surrogate", "nan", "digits", "null", "text", "wrong object"],
)
def test_a_letter_that_cannot_be_read_says_so(body: bytes) -> None:
    assert isinstance(read(body), Unreadable)


@pytest.mark.parametrize(
    ("name", "change", "path"),
    [
        ("invoice_paid", {"status": "half_paid"}, "status"),
        ("charge_succeeded", {"status": "maybe"}, "status"),
        ("invoice_paid", {"number": "INV:1"}, "number"),
        ("invoice_paid", {"currency": None}, "currency"),
        ("charge_succeeded", {"created": 10**12}, "created"),
        ("charge_succeeded", {"amount_captured": 12.5}, "amount_captured"),
    ],
)
def test_an_unknown_value_is_refused_with_its_place(name: str, change: dict[str, Any], path: str) -> None:
    result = read(changed(name, lambda thing: thing.update(change)))
    assert isinstance(result, Unreadable)
    assert result.path == f"$.data.object.{path}"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
_kinds = st.sampled_from(["invoice.paid", "charge.succeeded", "customer.updated", "payment_intent.succeeded", "x.y"])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | _json.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    assert read(body) is not None


@settings(max_examples=300, deadline=None)
@given(kind=_kinds, thing=_json, standalone=st.sampled_from(["true", "false"]))
def test_any_object_in_an_event_gets_an_answer(kind: str, thing: Any, standalone: str) -> None:
    event = {"object": "event", "id": "evt_1", "type": kind, "created": 1, "data": {"object": thing}}
    assert read(event, standalone=standalone) is not None


@settings(max_examples=800, deadline=None)
@given(data=st.data())
def test_any_damage_to_a_true_letter_gets_an_answer(data: st.DataObject) -> None:
    """Fields are replaced, dropped or duplicated anywhere in the fixtures; every record that comes out has its keys."""
    body = copy.deepcopy(json.loads(data.draw(st.sampled_from(GOLDEN)).read_bytes()))
    for _ in range(data.draw(st.integers(1, 3))):
        place, key = data.draw(st.sampled_from(_places(body)))
        action = data.draw(st.sampled_from(["replace", "drop", "repeat"]))
        if action == "drop" and isinstance(place, dict):
            del place[key]
        elif action == "repeat" and isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        else:
            place[key] = data.draw(_json)
        if not _places(body):
            break
    result = read(body, standalone=data.draw(st.sampled_from(["true", "false"])), entity="US01")
    for record in getattr(result, "records", ()):
        assert record.aggregate_key
        assert record.requires is not None
        assert fact_hash(record)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        found += [(item, key) for key in keys]
        waiting += [item[key] for key in keys]
    return found


# ---- signatures --------------------------------------------------------------------------------------------------

NOW = datetime(2026, 2, 14, 0, 5, tzinfo=UTC)
BODY = b'{"id":"evt_1","object":"event","type":"invoice.paid"}'


def _v1(secret: str, second: int, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), f"{second}.".encode() + body, hashlib.sha256).hexdigest()


def check(value: str | None, secrets: list[str], body: bytes = BODY) -> bool:
    headers = {} if value is None else {"STRIPE-SIGNATURE": value}
    return connector().verify(headers, body, secrets, NOW).ok


@pytest.mark.parametrize(("age", "accepted"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_a_signature_holds_five_minutes_both_ways(age: int, accepted: bool) -> None:
    second = int(NOW.timestamp()) - age
    assert check(f"t={second},v1={_v1(SECRET, second)}", [SECRET]) is accepted


def test_every_active_secret_and_every_offered_signature_counts() -> None:
    second = int(NOW.timestamp())
    good = _v1("whsec_new", second)
    assert check(f"t={second},v1={good}", ["whsec_old", "whsec_new"])
    assert check(f"t={second},v1={'0' * 64},v1={good},v0=zz", ["whsec_new"])
    assert not check(f"t={second},v1={good}", ["whsec_old"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "t=,v1=",
        "v1=abc",
        "t=now,v1=abc",
        "t=1,t=2,v1=abc",
        f"t={int(NOW.timestamp())}",
        f"t={int(NOW.timestamp())},v1=ü\udc80",
        f"t={'9' * 400},v1=a",
        "t=²,v1=a",
        "x" * 10_000,
    ],
)
def test_a_header_that_makes_no_sense_is_refused(value: str | None) -> None:
    assert not check(value, [SECRET])


def test_no_secret_and_an_empty_secret_accept_nothing() -> None:
    second = int(NOW.timestamp())
    header = f"t={second},v1={_v1('', second)}"
    assert not check(header, [])
    assert not check(header, [""])


def test_a_changed_body_is_refused() -> None:
    second = int(NOW.timestamp())
    assert not check(f"t={second},v1={_v1(SECRET, second)}", [SECRET], BODY + b" ")


def test_id_and_type_of_a_delivery() -> None:
    assert (CONNECTOR.webhook_event_id({}, BODY), CONNECTOR.webhook_object({}, BODY)) == ("evt_1", "invoice.paid")
    assert (CONNECTOR.webhook_event_id({}, b"\xff"), CONNECTOR.webhook_object({}, b"[")) == (None, "")


# ---- what is sent ------------------------------------------------------------------------------------------------


def lineage(version: int) -> Lineage:
    return Lineage(
        system="crm", object="Order", source_id="801", source_version=str(version), ordinal=version,
        version_kind=VersionKind.CONTIGUOUS, source_ts=NOW, correlation_id=f"cor-C-1001-v{version}",
    )  # fmt: skip


CUSTOMER = CustomerRecord(
    lineage=lineage(1), account_id=ACCOUNT, name="Acme Ltd", entity="US01", currency="USD", country="US", tax_id="12-3"
)


def contract_version(version: int, seats: str, effective: date) -> ContractVersionRecord:
    line = ContractLine(
        line_id="L1", product="SEAT-PRO", quantity=Decimal(seats), unit_price=Money.of("1200.00", "USD"),
        price_period_months=12, start=effective, end=date(2027, 1, 1),
    )  # fmt: skip
    return ContractVersionRecord(
        lineage=lineage(version), entity="US01", contract_number="C-1001", version=version, account_id=ACCOUNT,
        change_type=ChangeType.NEW if version == 1 else ChangeType.UPSELL, currency="USD", lines=(line,), added=(line,),
        term_start=date(2026, 1, 1), term_end=date(2027, 1, 1), effective_date=effective, proration=ProrationRule(),
        amendment_ref="" if version == 1 else "A-0002",
    )  # fmt: skip


SIGNED, EXPANDED = contract_version(1, "10", date(2026, 1, 1)), contract_version(2, "15", date(2026, 2, 14))


def document(record: Any, ref: str = "fsaaaaaaaaaaaaaaaaaaa1", **references: str) -> PostingDocument:
    return PostingDocument(
        doc_type=DocType.CUSTOMER if isinstance(record, CustomerRecord) else DocType.SUBSCRIPTION, external_ref=ref,
        business_key="b", correlation_id=record.lineage.correlation_id, entity="US01", currency="USD", amount=None,
        document_date=NOW.date(), accounting_date=NOW.date(), record=record, narrative="", references=references,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("customer", document(CUSTOMER)),
        ("subscription_v1", document(SIGNED, customer="cus_1")),
        ("subscription_v2", document(EXPANDED, customer="cus_1", previous="sub_1")),
    ],
)
def test_golden_bodies(name: str, sent: PostingDocument) -> None:
    golden = json.loads((FIXTURES / "bodies" / f"{name}.json").read_text())
    assert connector().build_body(sent) == golden


def test_a_configured_tax_rate_takes_the_place_of_automatic_tax() -> None:
    body = connector(**{"tax_rate.US01": "txr_us_tx"}).build_body(document(SIGNED, customer="cus_1"))
    assert body["default_tax_rates"] == ["txr_us_tx"]
    assert "automatic_tax" not in body


def test_the_form_is_bracketed_and_carries_key_and_version() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"id": "sub_1", "object": "subscription", "metadata": {"ref_v1": "fsa"}})

    sent = document(SIGNED, "fsa", customer="cus_1")
    receipt = connector(answer).send(sent, connector().build_body(sent))
    form = dict(httpx.QueryParams(seen[0].content.decode()))
    assert (receipt.document_id, receipt.echoed_ref) == ("sub_1", "fsa")
    assert (form["items[0][quantity]"], form["items[0][price_data][unit_amount]"]) == ("10", "120000")
    assert (form["automatic_tax[enabled]"], form["metadata[contract_version]"]) == ("true", "1")
    assert (seen[0].headers["idempotency-key"], seen[0].headers["stripe-version"]) == ("fsa", "2024-06-20")


def test_what_stripe_cannot_take_is_unsupported() -> None:
    for record in (contract_version(1, "1.5", NOW.date()), replace(SIGNED, change_type=ChangeType.CANCEL)):
        with pytest.raises(Unsupported):
            connector().build_body(document(record, customer="cus_1"))
    with pytest.raises(Unsupported):
        connector().build_body(replace(document(SIGNED), doc_type=DocType.JOURNAL))
    with pytest.raises(Unsupported):
        connector().fetch("customer", ["001"])
    with pytest.raises(Unsupported):
        connector().periods("US01")


# ---- what answers mean -------------------------------------------------------------------------------------------


def refused(status: int, kind: str = "invalid_request_error", message: str = "no", **headers: str) -> httpx.Response:
    error = {"type": kind, "code": "c", "message": message}
    return httpx.Response(status, json={"error": error}, headers=headers)


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (refused(400), Rejected, "ERP_POST_REJECTED"),
        (refused(402), Rejected, "ERP_POST_REJECTED"),
        (refused(404), Rejected, "ERP_POST_REJECTED"),
        (refused(400, message="No such customer: 'cus_x'"), Rejected, "MDM_ACCOUNT_UNMAPPED"),
        (refused(400, kind="idempotency_error"), Rejected, "ERP_CONTENT_MISMATCH"),
        (refused(401), AuthFailed, "c"),
        (refused(403), AuthFailed, "c"),
        (refused(429), TryLater, "c"),
        (refused(409), OutcomeUnknown, "c"),
        (refused(500), OutcomeUnknown, "c"),
        (refused(503), OutcomeUnknown, "c"),
        (httpx.Response(502, text="<html>"), OutcomeUnknown, ""),
        (httpx.Response(200, text="<html>"), OutcomeUnknown, ""),
        (httpx.Response(200, json={"object": "customer"}), OutcomeUnknown, ""),
        (httpx.Response(302, headers={"location": "http://elsewhere"}), OutcomeUnknown, ""),
    ],
)
def test_every_answer_to_a_post_is_one_of_the_six_errors(answer: httpx.Response, error: type, code: str) -> None:
    sent = document(CUSTOMER)
    with pytest.raises(error) as caught:
        connector(lambda request: answer).send(sent, connector().build_body(sent))
    assert caught.value.code == code


def test_an_amendment_stripe_refuses_did_not_reach_billing() -> None:
    running = {"id": "sub_1", "object": "subscription", "metadata": {}, "items": {"data": []}}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=running) if request.method == "GET" else refused(400)

    sent = document(EXPANDED, previous="sub_1")
    with pytest.raises(Rejected) as caught:
        connector(answer).send(sent, connector().build_body(sent))
    assert caught.value.code == "CTR_AMENDMENT_NOT_PROPAGATED"


def test_a_limit_says_when_to_come_back() -> None:
    with pytest.raises(TryLater) as caught:
        connector(lambda request: refused(429, **{"Retry-After": "7"})).ping()
    assert caught.value.retry_after_seconds == 7.0


def test_a_missing_object_is_not_found() -> None:
    with pytest.raises(NotFound):
        connector(lambda request: refused(404)).fetch("invoice", ["in_x"])


def test_an_unreachable_server_was_not_asked_and_a_silent_one_may_have_worked() -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("no answer")

    for answer, error in ((unreachable, TryLater), (silent, OutcomeUnknown)):
        with pytest.raises(error):
            connector(answer).send(document(CUSTOMER), {})


def test_events_are_kept_byte_for_byte_and_one_broken_event_does_not_stop_the_others() -> None:
    good = b'{"id":"evt_1", "object":"event","type":"invoice.paid","created":1771027261,"rate":8.250}'
    page = b'{"has_more":false,"object":"list","data":[%s , {"id":7} ],"url":"/v1/events"}' % good
    items = connector(lambda request: httpx.Response(200, content=page)).poll("events", "", NOW).items
    assert {item.body for item in items} == {good, b'{"id":7}'}


def test_the_capability_table_is_safe() -> None:
    assert CONNECTOR.capabilities.problems() == []
