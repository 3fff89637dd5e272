"""The revenue engine's connector: what it posts, what schedules say, what each answer of the engine means."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import ConnectionConfig, Ignored, Normalised, RawItem, Unreadable, Window
from connectors.doubles.deliveries import sign
from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, Rejected, TryLater, Unsupported
from connectors.systems import revenue_engine
from connectors.systems.revenue_engine.connector import CONNECTOR
from connectors.transport import Transport
from finsync.core.money import Money
from finsync.core.pricing import added_net
from finsync.core.proration import ProrationRule, Rounding
from finsync.core.reasons import REASONS
from finsync.core.records import ChangeType, ContractLine, ContractVersionRecord, Lineage, to_json
from finsync.core.records.document import DocType, PostingDocument
from finsync.core.sequencing import VersionKind

FIXTURES = Path(str(revenue_engine.__file__)).parent / "fixtures"
GOLDEN = sorted(path for path in (FIXTURES / "normalise").glob("*.json") if ".expected" not in path.name)
NOW = datetime(2026, 2, 14, 9, tzinfo=UTC)
CONFIG = ConnectionConfig(name="revenue", kind="revenue_engine", base_url="http://rev", secrets={"api_key": "k"})
START, END, DAY_45 = date(2026, 1, 1), date(2027, 1, 1), date(2026, 2, 14)


def connector(answer: Any = None) -> Any:
    transport = Transport("http://rev", inner=httpx.MockTransport(answer or (lambda request: httpx.Response(500))))
    return CONNECTOR(CONFIG, transport)


def contract_version(
    number: int, seats: int, effective: date, before: int = 0, rule: ProrationRule | None = None
) -> ContractVersionRecord:
    """Version ``number`` of the story's contract: ``seats`` added to ``before``, 1,200.00 a year each."""

    def line(quantity: int, start: date) -> ContractLine:
        price = Money.of("1200.00", "USD")
        return ContractLine(
            line_id="L1",
            product="SEAT-PRO",
            quantity=Decimal(quantity),
            unit_price=price,
            price_period_months=12,
            start=start,
            end=END,
        )

    lineage = Lineage(
        system="crm", object="Order", source_id=f"801{number}", source_version=str(number), version_kind=VersionKind.CONTIGUOUS,
        ordinal=number, source_ts=NOW, correlation_id=f"cor-C-1001-v{number}", effective_date=effective,
    )  # fmt: skip
    return ContractVersionRecord(
        lineage=lineage, entity="US01", contract_number="C-1001", version=number, account_id="001A", currency="USD",
        change_type=ChangeType.NEW if number == 1 else ChangeType.UPSELL, term_start=START, term_end=END, effective_date=effective,
        lines=(line(before + seats, START),), added=(line(seats, effective),), proration=rule or ProrationRule(),
        amendment_ref="" if number == 1 else f"A-000{number}",
    )  # fmt: skip


def document(record: ContractVersionRecord, reference: str = "") -> PostingDocument:
    return PostingDocument(
        doc_type=DocType.REVENUE_CONTRACT, external_ref=reference or f"fsaaaaaaaaaaaaaaaaaaa{record.version + 1}",
        business_key=record.business_key, correlation_id=record.lineage.correlation_id, entity=record.entity, currency="USD",
        amount=added_net(record), document_date=record.effective_date, accounting_date=record.effective_date, record=record, narrative="",
    )  # fmt: skip


SIGNED, EXPANDED = contract_version(1, 10, START), contract_version(2, 5, DAY_45, before=10)


def read(body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return connector().normalise(RawItem(event_id="e", object="schedule", body=raw))


def schedule(name: str = "schedule") -> dict[str, Any]:
    return json.loads((FIXTURES / "normalise" / f"{name}.json").read_text())


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_letters_say_what_is_written_beside_them(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    result = read(path.read_bytes())
    assert isinstance(result, Normalised)
    assert [{"record_type": r.record_type, "body": to_json(r)} for r in result.records] == expected["records"]


def test_the_revised_schedule_is_the_waterfall_of_the_story() -> None:
    result = read(schedule("schedule_revised"))
    assert isinstance(result, Normalised)
    (record,) = result.records
    months = [str(period.amount.major) for period in record.periods]
    assert months[:3] == ["1019.18", "1167.13", "1528.75"]
    assert (record.contract_version, str(record.total)) == (2, "USD 17,276.71")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda s: s.update(total="12000.01"), "$.total"),
        (lambda s: s.update(currency="usd"), "$.currency"),
        (lambda s: s.update(version=0), "$.version"),
        (lambda s: s["periods"].reverse(), "$.periods"),
        (lambda s: s["periods"].append(s["periods"][0] | {"amount": "0"}), "$.periods"),
        (lambda s: s["periods"][0].update(period="2026-13"), "$.periods[0].period"),
        (lambda s: s["periods"][0].update(ends_on="2026-01-31"), "$.periods[0].ends_on"),
        (lambda s: s["periods"][0].update(amount=1019.185), "$.periods[0].amount"),
        (lambda s: s.pop("correlation_id"), "$.correlation_id"),
        (lambda s: s.update(type="schedule.exploded"), "$.type"),
    ],
)
def test_what_is_unknown_or_does_not_add_up_is_refused_with_its_place(change: Any, path: str) -> None:
    body = schedule()
    change(body)
    result = read(body)
    assert isinstance(result, Unreadable)
    assert result.path == path


def test_a_ping_says_nothing() -> None:
    assert isinstance(read({"type": "ping"}), Ignored)


# ---- posting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [SIGNED, EXPANDED], ids=["v1", "v2"])
def test_golden_bodies(record: ContractVersionRecord) -> None:
    golden = json.loads((FIXTURES / "bodies" / f"revenue_contract_v{record.version}.json").read_text())
    golden["lines"][0]["line_id"], golden["customer"] = "L1", "001A"
    assert connector().build_body(document(record)) == golden


def test_the_price_follows_the_contracts_own_method() -> None:
    per_unit = contract_version(2, 5, DAY_45, before=10, rule=ProrationRule(rounding=Rounding.UNIT_THEN_EXTEND))
    both_ways = contract_version(2, 5, DAY_45, before=10, rule=ProrationRule(rounding=Rounding.CREDIT_AND_CHARGE))
    bodies = [connector().build_body(document(record)) for record in (EXPANDED, per_unit, both_ways)]
    assert [body["amount"] for body in bodies] == ["5276.71", "5276.70", "5276.72"]


def test_another_document_is_unsupported() -> None:
    invoice = PostingDocument(
        doc_type=DocType.INVOICE, external_ref="fs", business_key="b", correlation_id="c", entity="US01", currency="USD", amount=None,
        document_date=START, accounting_date=START, record=SIGNED, narrative="",
    )  # fmt: skip
    with pytest.raises(Unsupported):
        connector().build_body(invoice)


def failed(status: int, code: str = "x", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": "…"}}, headers=headers)


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (failed(422, "ssp_allocation_required"), Rejected, "REV_AMENDMENT_REFUSED"),
        (failed(422, "service_period_missing"), Rejected, "REV_SERVICE_PERIOD_MISSING"),
        (failed(409, "version_gap"), Rejected, "CTR_VERSION_MISMATCH"),
        (failed(409, "version_conflict"), Rejected, "ERP_CONTENT_MISMATCH"),
        (failed(409, "reference_conflict"), Rejected, "ERP_DUPLICATE_POST"),
        (failed(400, "field_missing"), Rejected, "REV_AMENDMENT_REFUSED"),
        (failed(429, "rate_limited"), TryLater, "ING_RATE_LIMITED"),
        (failed(503, "unavailable"), TryLater, "ING_RATE_LIMITED"),
        (failed(401), AuthFailed, ""),
        (failed(403), AuthFailed, ""),
        (failed(404), NotFound, ""),
        (failed(408), OutcomeUnknown, ""),
        (failed(500), OutcomeUnknown, ""),
        (httpx.Response(504, text="<html>"), OutcomeUnknown, ""),
        (httpx.Response(301, headers={"location": "http://elsewhere"}), OutcomeUnknown, ""),
        (httpx.Response(200, text="<html>"), OutcomeUnknown, ""),
        (httpx.Response(200, json=[1]), OutcomeUnknown, ""),
        (httpx.Response(201, json={"id": "rcv_1"}), OutcomeUnknown, ""),
    ],
)
def test_error_table(answer: httpx.Response, error: type[Exception], code: str) -> None:
    there = connector(lambda request: answer)
    with pytest.raises(error) as caught:
        there.send(document(SIGNED), there.build_body(document(SIGNED)))
    assert caught.value.code == code
    assert not code or code in REASONS


def test_retry_after_is_handed_on() -> None:
    there = connector(lambda request: failed(429, **{"retry-after": "9"}))
    with pytest.raises(TryLater) as caught:
        there.ping()
    assert caught.value.retry_after_seconds == 9


def test_a_row_that_lacks_what_it_must_say_is_no_observation() -> None:
    there = connector(lambda request: httpx.Response(200, json={"data": [{"contract": "C-1"}]}))
    with pytest.raises(OutcomeUnknown):
        list(there.observe("schedule", Window(start=START, end=END)))


def test_its_capability_table_is_safe() -> None:
    assert CONNECTOR.capabilities.problems() == []


# ---- signatures --------------------------------------------------------------------------------------------------

BODY, OLD, NEW = b'{"type": "ping"}', "whsec_c2VjcmV0LW9uZQ==", "secret-two"
AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "secrets", "ok"),
    [
        (sign("evt_1", AT, BODY, OLD), [OLD], True),
        (sign("evt_1", AT, BODY, NEW), [OLD, NEW], True),
        (sign("evt_1", AT - 301, BODY, OLD), [OLD], False),
        (sign("evt_1", AT + 301, BODY, OLD), [OLD], False),
        (sign("evt_1", AT, BODY, "other"), [OLD, NEW], False),
        (sign("evt_1", AT, b"other", OLD), [OLD], False),
        ({}, [OLD], False),
    ],
)
def test_signatures(headers: dict[str, str], secrets: list[str], ok: bool) -> None:
    assert CONNECTOR.verify(headers, BODY, secrets, NOW).ok is ok
    assert CONNECTOR.webhook_event_id(headers, BODY) == (headers.get("webhook-id"))
    assert CONNECTOR.webhook_object(headers, BODY) == "ping"


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


@settings(max_examples=300)
@given(st.sampled_from(["schedule", "schedule_revised"]), st.data())
def test_no_damaged_letter_makes_normalise_raise(name: str, data: st.DataObject) -> None:
    body = schedule(name)
    place: Any = body
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(json_values)
        break
    result = read(json.dumps(body).encode("utf-8", "surrogatepass"))
    assert isinstance(result, Normalised | Ignored | Unreadable)
    if isinstance(result, Normalised):
        assert all(record.aggregate_key and record.requires and to_json(record) for record in result.records)
