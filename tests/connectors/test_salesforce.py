"""The Salesforce connector: what letters say, what is refused, what each answer of the server means."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import ConnectionConfig, Ignored, NeedsFetch, Normalised, RawItem, Unreadable, Window
from connectors.doubles.deliveries import sign
from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, TryLater, Unsupported
from connectors.systems import salesforce
from connectors.systems.salesforce.connector import CONNECTOR
from connectors.transport import Transport
from finsync.core.money import Money
from finsync.core.pricing import added_net
from finsync.core.records import ChangeType, ContractVersionRecord, to_json

FIXTURES = Path(str(salesforce.__file__)).parent / "fixtures" / "normalise"
GOLDEN = sorted(path for path in FIXTURES.glob("*.json") if ".expected" not in path.name)
NOW = datetime(2026, 2, 14, 9, tzinfo=UTC)
CONFIG = ConnectionConfig(
    name="crm", kind="salesforce", base_url="http://crm", secrets={"client_id": "i", "client_secret": "s"}
)


def connector(answer: Any = None) -> Any:
    return CONNECTOR(CONFIG, Transport("http://crm", inner=httpx.MockTransport(answer or _no_network)))


def _no_network(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"normalise is pure, but asked for {request.url}")


def read(body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return connector().normalise(RawItem(event_id="e", object="Order", body=raw))


def order(name: str = "order_v2") -> dict[str, Any]:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def version(name_or_body: Any) -> ContractVersionRecord:
    result = read(order(name_or_body) if isinstance(name_or_body, str) else name_or_body)
    assert isinstance(result, Normalised), result
    (record,) = result.records
    assert isinstance(record, ContractVersionRecord)
    return record


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_letters_say_what_is_written_beside_them(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    result = read(path.read_bytes())
    assert type(result).__name__ == expected["result"]
    if isinstance(result, Normalised):
        said = [{"record_type": record.record_type, "body": to_json(record)} for record in result.records]
        assert said == expected["records"]


# ---- contract versions -------------------------------------------------------------------------------------------


def test_an_inclusive_end_becomes_the_first_day_outside() -> None:
    assert version("order_v1").term_end == date(2027, 1, 1)


def test_an_amending_order_states_the_difference_and_the_version_what_stands() -> None:
    amended = version("order_v2")
    assert [line.quantity for line in amended.added] == [Decimal(5)]
    assert [line.quantity for line in amended.lines] == [Decimal(15)]
    assert amended.added[0].line_id == amended.lines[0].line_id
    assert (amended.change_type, amended.amendment_ref) == (ChangeType.UPSELL, "A-0002")
    assert added_net(amended) == Money.of("5276.71", "USD")


def test_a_reduction_is_a_downsell_and_its_price_negative() -> None:
    body = order()
    body["OrderItems"][0]["Quantity"] = "-3.0"
    reduced = version(body)
    assert reduced.change_type is ChangeType.DOWNSELL
    assert reduced.lines[0].quantity == 7
    assert added_net(reduced) == Money.of("-3166.03", "USD")


def test_removing_everything_leaves_no_line() -> None:
    body = order()
    body["OrderItems"][0]["Quantity"] = "-10"
    body["OrderActions"][0]["Type"] = "Cancel"
    cancelled = version(body)
    assert (cancelled.change_type, cancelled.lines) == (ChangeType.CANCEL, ())


def test_seats_at_another_price_make_a_line_of_their_own() -> None:
    body = order()
    body["OrderItems"][0]["UnitPrice"] = "900.0"
    assert [(line.quantity, line.unit_price.minor) for line in version(body).lines] == [(10, 120000), (5, 90000)]


def test_a_renewal_starts_a_new_term_with_its_own_lines() -> None:
    body = order()
    body["OrderActions"][0]["Type"] = "Renew"
    body |= {"EffectiveDate": "2027-01-01", "EndDate": "2027-12-31"}
    body["OrderItems"][0] |= {"Quantity": 12, "ServiceDate": "2027-01-01", "EndDate": "2027-12-31"}
    renewed = version(body)
    assert (renewed.term_start, renewed.term_end) == (date(2027, 1, 1), date(2028, 1, 1))
    assert [line.quantity for line in renewed.lines] == [12]
    assert added_net(renewed) == Money.of("14400.00", "USD")


def test_the_same_order_by_any_way_has_the_same_correlation_id() -> None:
    assert version("order_v2").lineage.correlation_id == "cor-C-1001-v2"


def test_a_large_number_in_java_writing_is_read_exactly() -> None:
    body = order("order_v1")
    body["OrderItems"][0]["UnitPrice"] = "1.2E7"
    assert version(body).added[0].unit_price == Money.of(12_000_000, "USD")


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (lambda o: o.update(Status="On Hold"), "$.Status", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o["OrderActions"][0].update(Type="Swap"), "$.OrderActions[0].Type", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o["OrderActions"][0].update(Type="Transfer"), "$.OrderActions", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o.update(Proration_Method__c="GUESS"), "$.Proration_Method__c", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o.pop("Proration_Method__c"), "$.Proration_Method__c", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o.update(Contract_Version__c="4.0"), "$.EarlierOrders", "ING_GAP_DETECTED"),
        (lambda o: o.update(EffectiveDate="2025-06-01"), "$.EffectiveDate", "ING_SCHEMA_UNKNOWN"),
        (
            lambda o: o.update(EndDate="14.02.2026", EarlierOrders=[], Contract_Version__c=1),
            "$.EndDate",
            "ING_SCHEMA_UNKNOWN",
        ),
        (lambda o: o["OrderItems"][0].update(Quantity="-11"), "$.OrderItems[0].Quantity", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o["OrderItems"][0].update(UnitPrice="1200.005"), "$.OrderItems[0].UnitPrice", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o.update(OrderItems=[]), "$.OrderItems", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o.update(CurrencyIsoCode="USX"), "$.CurrencyIsoCode", "ING_SCHEMA_UNKNOWN"),
        (lambda o: o.update(AccountId="001:x"), "$.AccountId", "ING_SCHEMA_UNKNOWN"),
    ],
)
def test_what_is_unknown_or_impossible_is_refused_with_its_place(change: Any, path: str, code: str) -> None:
    body = order()
    change(body)
    result = read(body)
    assert isinstance(result, Unreadable)
    assert (result.path, result.code) == (path, code)


def test_a_draft_order_does_not_count() -> None:
    assert isinstance(read(order() | {"Status": "Draft"}), Ignored)


def test_an_order_that_adds_and_removes_is_not_given_a_type_by_guessing() -> None:
    body = order()
    body["OrderItems"].append(body["OrderItems"][0] | {"Id": "802x", "Quantity": "-1"})
    assert isinstance(read(body), Unreadable)


# ---- customers and hints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [{"IsDeleted": True}, {"MasterRecordId": "001000000000009AAA"}])
def test_a_deleted_or_merged_account_is_inactive(gone: dict[str, Any]) -> None:
    result = read(order("account") | gone)
    assert isinstance(result, Normalised)
    assert not result.records[0].active


def test_an_event_is_only_a_hint_and_names_what_to_fetch() -> None:
    hint = read(order("event_order"))
    assert isinstance(hint, NeedsFetch)
    assert (hint.object, hint.source_id) == ("contract_version", "C-1001")


def test_a_gap_event_without_fields_still_names_its_order() -> None:
    body = order("event_order")
    body["payload"]["ChangeEventHeader"]["changeType"] = "GAP_UPDATE"
    del body["payload"]["ContractNumber__c"]
    hint = read(body)
    assert isinstance(hint, NeedsFetch)
    assert hint.source_id.startswith("801")


def test_an_event_of_another_object_is_ignored() -> None:
    body = order("event_account")
    body["payload"]["ChangeEventHeader"]["entityName"] = "Opportunity"
    assert isinstance(read(body), Ignored)


# ---- signatures --------------------------------------------------------------------------------------------------

BODY, OLD, NEW = b'{"payload": {}}', "whsec_c2VjcmV0LW9uZQ==", "secret-two"
AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "body", "secrets", "ok"),
    [
        (sign("m1", AT, BODY, OLD), BODY, [OLD], True),
        (sign("m1", AT, BODY, OLD), BODY, [NEW, OLD], True),
        (sign("m1", AT, BODY, NEW), BODY, [OLD, NEW], True),
        (sign("m1", AT - 300, BODY, OLD), BODY, [OLD], True),
        (sign("m1", AT - 301, BODY, OLD), BODY, [OLD], False),
        (sign("m1", AT + 301, BODY, OLD), BODY, [OLD], False),
        (sign("m1", AT, BODY, "other"), BODY, [OLD, NEW], False),
        (sign("m1", AT, BODY, OLD), BODY + b" ", [OLD], False),
        (sign("m1", AT, BODY, OLD) | {"webhook-id": "m2"}, BODY, [OLD], False),
        (sign("m1", AT, BODY, OLD) | {"webhook-timestamp": "soon"}, BODY, [OLD], False),
        (sign("m1", AT, BODY, ""), BODY, [""], False),
        (sign("m1", AT, BODY, OLD), BODY, [], False),
        ({}, BODY, [OLD], False),
    ],
)
def test_signatures(headers: dict[str, str], body: bytes, secrets: list[str], ok: bool) -> None:
    shouted = {name.upper(): value for name, value in headers.items()}
    assert CONNECTOR.verify(shouted, body, secrets, NOW).ok is ok


def test_a_letter_signed_with_two_secrets_is_accepted_by_either() -> None:
    headers = sign("m1", AT, BODY, OLD)
    headers["webhook-signature"] += " " + sign("m1", AT, BODY, NEW)["webhook-signature"]
    assert CONNECTOR.verify(headers, BODY, [NEW], NOW).ok


# ---- what the server answers -------------------------------------------------------------------------------------


def answering(*answers: httpx.Response) -> Any:
    waiting = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/services/oauth2/token":
            return httpx.Response(200, json={"access_token": "t"})
        return next(waiting)

    return connector(answer)


def failed(status: int, code: str, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=[{"errorCode": code, "message": "…"}], headers=headers)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failed(403, "REQUEST_LIMIT_EXCEEDED"), TryLater),
        (failed(429, "REQUEST_LIMIT_EXCEEDED"), TryLater),
        (failed(503, "SERVER_UNAVAILABLE"), TryLater),
        (failed(403, "API_DISABLED_FOR_ORG"), AuthFailed),
        (failed(404, "NOT_FOUND"), NotFound),
        (failed(400, "MALFORMED_QUERY"), Unsupported),
        (failed(400, "INVALID_FIELD"), Unsupported),
        (failed(500, "UNKNOWN_EXCEPTION"), OutcomeUnknown),
        (httpx.Response(502, text="<html>"), OutcomeUnknown),
        (httpx.Response(302, headers={"location": "http://elsewhere"}), Unsupported),
        (httpx.Response(200, text="<html>"), OutcomeUnknown),
        (httpx.Response(200, json={"records": 1}), OutcomeUnknown),
        (
            httpx.Response(200, json={"records": [], "done": False, "nextRecordsUrl": "http://elsewhere/"}),
            OutcomeUnknown,
        ),
    ],
)
def test_error_table(answer: httpx.Response, error: type[Exception]) -> None:
    with pytest.raises(error):
        answering(answer).fetch("customer", ["001000000000001AAA"])


def test_retry_after_is_handed_on() -> None:
    with pytest.raises(TryLater) as caught:
        answering(failed(429, "REQUEST_LIMIT_EXCEEDED", **{"retry-after": "7"})).ping()
    assert caught.value.retry_after_seconds == 7


def test_an_expired_session_is_renewed_once() -> None:
    reader = answering(
        failed(401, "INVALID_SESSION_ID"), httpx.Response(200, json={"DailyApiRequests": {"Max": 5, "Remaining": 4}})
    )
    assert "4 of 5" in reader.ping()
    with pytest.raises(AuthFailed):
        answering(failed(401, "INVALID_SESSION_ID"), failed(401, "INVALID_SESSION_ID")).ping()


@pytest.mark.parametrize("status", [400, 401])
def test_refused_credentials_are_an_auth_failure(status: int) -> None:
    with pytest.raises(AuthFailed):
        connector(lambda request: httpx.Response(status, json={"error": "invalid_client"})).ping()


def test_no_evidence_keeps_a_password_or_a_token() -> None:
    transport = Transport(
        "http://crm", inner=httpx.MockTransport(lambda r: httpx.Response(200, json={"access_token": "t0ken"}))
    )
    CONNECTOR(CONFIG, transport).ping()
    assert [exchange.url for exchange in transport.exchanges] == ["http://crm/services/data/v64.0/limits"]


def test_it_posts_nothing() -> None:
    with pytest.raises(Unsupported):
        connector().build_body(None)
    assert CONNECTOR.capabilities.problems() == []


# ---- any bytes ---------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200))
def test_no_bytes_make_normalise_raise(body: bytes) -> None:
    assert isinstance(read(body), Unreadable)
    CONNECTOR.webhook_object({}, body)
    CONNECTOR.verify({"webhook-id": body.decode("latin-1")}, body, ["s"], NOW)


@settings(max_examples=300)
@given(st.sampled_from(["order_v1", "order_v2", "account", "event_order"]), st.data())
def test_no_damaged_letter_makes_normalise_raise(name: str, data: st.DataObject) -> None:
    body = order(name)
    place: Any = body
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(json_values)
        break
    result = read(json.dumps(body).encode("utf-8", "surrogatepass"))
    assert isinstance(result, Normalised | Ignored | NeedsFetch | Unreadable)
    if isinstance(result, Normalised):
        assert all(
            record.aggregate_key and record.requires is not None and to_json(record) for record in result.records
        )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"a": "\\u0000"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1, "a": 2}',
        b"1" * 5_000,
        b"\xff\xfe",
    ],
)
def test_poisoned_bodies_are_kept_apart(body: bytes) -> None:
    result = read(body)
    assert isinstance(result, Unreadable)
    assert result.code in {"ING_UNREADABLE", "ING_SCHEMA_UNKNOWN"}


def test_windows_and_clocks_are_arguments() -> None:
    window = Window(start=NOW.date(), end=NOW.date() + timedelta(days=1))
    with pytest.raises(Unsupported):
        connector().observe("invoice", window)
