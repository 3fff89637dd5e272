"""The connector against the revenue engine double: the story's waterfall, repeats, refusals, gaps and faults."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import ConnectionConfig, Normalised, Window
from connectors.doubles.server import running
from connectors.doubles.store import Store
from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, Rejected, TryLater
from connectors.systems.revenue_engine.connector import CONNECTOR
from connectors.systems.revenue_engine.sandbox import accounting
from connectors.systems.revenue_engine.sandbox.app import API_KEY, RevenueEngineDouble
from connectors.transport import Transport
from finsync.core import modification, revenue
from finsync.core.money import Money
from tests.connectors.test_revenue_engine import END, EXPANDED, SIGNED, START, document

NOW = datetime(2026, 2, 14, tzinfo=UTC)
YEAR = Window(start=START, end=END)

# domain.md 3a, in minor units: original contract, expansion alone, deferred revenue after both, cumulative catch-up.
BEFORE = [101918, 92055, 101917, 98631, 101917, 98630, 101918, 101918, 98630, 101918, 98630, 101918]
EXPANSION = [0, 24658, 50958, 49315, 50959, 49315, 50959, 50959, 49315, 50959, 49315, 50959]
DEFERRED = [1098082, 1509040, 1356165, 1208219, 1055343, 907398, 754521, 601644, 453699, 300822, 152877, 0]
CATCH_UP = [101918, 177349, 146734, 142000, 146734, 142000, 146734, 146734, 142000, 146734, 142000, 146734]
SUBLEDGER_WITHOUT_AMENDMENT = [1098082, 1006027, 904110, 805479]


class Engine:
    """A running double and a connector to it."""

    def __init__(self, url: str, double: RevenueEngineDouble, **options: str) -> None:
        config = ConnectionConfig(
            name="revenue", kind="revenue_engine", base_url=url, secrets={"api_key": API_KEY}, options=options
        )
        self.url, self.double, self.transport = url, double, Transport(url)
        self.connector: Any = CONNECTOR(config, self.transport)

    def send(self, record: Any, **kwargs: Any) -> Any:
        posting = document(record, **kwargs)
        return self.connector.send(posting, self.connector.build_body(posting))

    def faults(self, *rules: dict[str, Any]) -> None:
        assert httpx.post(f"{self.url}/_sandbox/faults", json={"rules": list(rules)}).is_success

    def amounts(self, what: str, window: Window = YEAR) -> list[int]:
        return [item.amount.minor for item in self.connector.observe(what, window)]


@pytest.fixture
def engine() -> Iterator[Engine]:
    double = RevenueEngineDouble()
    with running(double) as url:
        yield Engine(url, double)


# ---- the story ---------------------------------------------------------------------------------------------------


def test_a_signed_contract_is_recognised_by_day(engine: Engine) -> None:
    engine.send(SIGNED)
    assert engine.amounts("revenue") == BEFORE


def test_the_expansion_of_day_45_gives_the_waterfall_of_the_story(engine: Engine) -> None:
    engine.send(SIGNED)
    engine.send(EXPANDED)
    assert engine.amounts("revenue") == [old + new for old, new in zip(BEFORE, EXPANSION, strict=True)]
    assert engine.amounts("deferred") == DEFERRED
    (seen,) = engine.connector.observe("schedule", YEAR)
    assert (seen.key, seen.version, str(seen.amount)) == ("C-1001", 2, "USD 17,276.71")


def test_a_refused_amendment_leaves_the_subledger_behind_until_it_is_replayed(engine: Engine) -> None:
    engine.send(SIGNED)
    engine.faults({"match": {"contract": "C-1001", "version": "2"}, "action": "refuse"})
    for _ in range(2):
        with pytest.raises(Rejected) as refused:
            engine.send(EXPANDED)
        assert refused.value.code == "REV_AMENDMENT_REFUSED"
        assert "ssp_allocation_required" in refused.value.detail
    assert engine.amounts("deferred")[:4] == SUBLEDGER_WITHOUT_AMENDMENT
    assert [item.version for item in engine.connector.observe("schedule", YEAR)] == [1]
    assert engine.connector.find(document(EXPANDED)) == []
    engine.faults()
    engine.send(EXPANDED)
    assert engine.amounts("deferred") == DEFERRED


def test_a_window_shows_what_had_taken_effect_by_its_end(engine: Engine) -> None:
    engine.send(SIGNED)
    engine.send(EXPANDED)
    january = Window(start=date(2026, 1, 1), end=date(2026, 2, 1), entities=("US01",))
    assert [item.version for item in engine.connector.observe("schedule", january)] == [1]
    assert engine.amounts("revenue", january) == [101918]
    assert engine.amounts("revenue", Window(start=date(2026, 1, 1), end=date(2026, 1, 31))) == []
    assert engine.amounts("revenue", Window(start=START, end=END, entities=("UK01",))) == []


def test_catch_up_adjusts_the_past_in_the_month_of_the_modification(engine: Engine) -> None:
    engine.connector = Engine(engine.url, engine.double, treatment="catch_up").connector
    engine.send(SIGNED)
    engine.send(EXPANDED)
    assert engine.amounts("revenue") == CATCH_UP


def test_prospective_moves_no_more_than_a_cent_from_separate(engine: Engine) -> None:
    engine.connector = Engine(engine.url, engine.double, treatment="prospective").connector
    engine.send(SIGNED)
    engine.send(EXPANDED)
    after = [old + new for old, new in zip(BEFORE, EXPANSION, strict=True)]
    assert sum(engine.amounts("revenue")) == sum(after)
    assert all(abs(a - b) <= 1 for a, b in zip(engine.amounts("revenue"), after, strict=True))


# ---- the engine's arithmetic and finsync's, side by side -----------------------------------------------------------

amounts = st.integers(-50_000_00, 500_000_00).filter(bool)
spans = st.tuples(st.dates(date(2025, 1, 1), date(2027, 1, 1)), st.integers(2, 800))


@settings(max_examples=200)
@given(amounts, amounts, spans, st.data(), st.sampled_from(accounting.TREATMENTS))
def test_both_calculations_agree_on_any_contract(
    first: int, added: int, span: Any, data: st.DataObject, treatment: str
) -> None:
    start, length = span
    end = date.fromordinal(start.toordinal() + length)
    effective = date.fromordinal(start.toordinal() + data.draw(st.integers(1, length - 1)))
    theirs = accounting.modified(
        accounting.first_version([(first, start, end)]), [(added, effective, end)], effective, treatment
    )
    signed, change = Money(first, "USD"), Money(added, "USD")
    ours = modification.modify(
        revenue.recognise(signed, start, end),
        change,
        {
            accounting.SEPARATE: modification.Treatment.SEPARATE_CONTRACT,
            accounting.PROSPECTIVE: modification.Treatment.PROSPECTIVE,
            accounting.CATCH_UP: modification.Treatment.CUMULATIVE_CATCH_UP,
        }[treatment],
        effective=effective,
        end=end,
        recognised=revenue.recognised_before(signed, start, end, effective),
        measure=modification.Measure("time", (modification.Segment(start, end),)),
    )
    assert {(line.period.year, line.period.month): line.amount.minor for line in ours.schedule if line.amount} == {
        month: minor for month, minor in theirs.months().items() if minor
    }
    assert sum(theirs.months().values()) == first + added


# ---- posting once ------------------------------------------------------------------------------------------------


def test_a_repeated_post_makes_one_document_and_the_same_receipt(engine: Engine) -> None:
    first, again = engine.send(SIGNED), engine.send(SIGNED)
    assert first == again
    assert first.echoed_ref == document(SIGNED).external_ref
    assert first.echoed_amount == Money.of("12000.00", "USD")
    assert len(engine.connector.find(document(SIGNED))) == 1
    assert len(engine.double.store.all("delivery")) == 1


def test_the_same_place_with_another_reference_or_content_is_refused(engine: Engine) -> None:
    engine.send(SIGNED)
    with pytest.raises(Rejected) as other_reference:
        engine.send(SIGNED, reference="fsbbbbbbbbbbbbbbbbbbbb")
    assert other_reference.value.code == "ERP_CONTENT_MISMATCH"
    with pytest.raises(Rejected) as second_place:
        engine.send(EXPANDED, reference=document(SIGNED).external_ref)
    assert second_place.value.code == "ERP_DUPLICATE_POST"


def test_version_two_before_version_one_is_refused_and_taken_in_order(engine: Engine) -> None:
    with pytest.raises(Rejected) as gap:
        engine.send(EXPANDED)
    assert gap.value.code == "CTR_VERSION_MISMATCH"
    engine.send(SIGNED)
    engine.send(EXPANDED)


@pytest.mark.parametrize(("action", "kept"), [("timeout_before", 0), ("timeout_after", 1), ("500_after", 1)])
def test_a_lost_answer_is_in_doubt_and_found_only_if_it_was_kept(engine: Engine, action: str, kept: int) -> None:
    engine.faults({"match": {"method": "PUT"}, "action": action, "times": 1})
    with pytest.raises(OutcomeUnknown):
        engine.send(SIGNED)
    found = engine.connector.find(document(SIGNED))
    assert len(found) == kept
    assert all(hit.fingerprint_ok and hit.complete for hit in found)
    assert engine.send(SIGNED).number == "C-1001 v1"
    assert len(engine.connector.find(document(SIGNED))) == 1


def test_a_found_document_with_another_amount_has_another_fingerprint(engine: Engine) -> None:
    posting = document(SIGNED)
    body = engine.connector.build_body(posting)
    body["amount"] = body["lines"][0]["amount"] = "11999.00"
    engine.connector.send(posting, body)
    (hit,) = engine.connector.find(posting)
    assert not hit.fingerprint_ok
    assert "11999.00" in hit.detail


@pytest.mark.parametrize("action", ["429", "503"])
def test_a_busy_engine_says_when_to_come_back(engine: Engine, action: str) -> None:
    engine.faults({"action": action, "times": 1, "retry_after": 4})
    with pytest.raises(TryLater) as later:
        engine.send(SIGNED)
    assert later.value.retry_after_seconds == 4
    engine.send(SIGNED)


def test_a_wrong_key_is_an_auth_failure(engine: Engine) -> None:
    config = ConnectionConfig(name="r", kind="revenue_engine", base_url=engine.url, secrets={"api_key": "wrong"})
    with pytest.raises(AuthFailed):
        CONNECTOR(config, Transport(engine.url)).ping()


# ---- reading back ------------------------------------------------------------------------------------------------


def test_poll_reads_every_schedule_version_page_by_page(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.systems.revenue_engine.client.PAGE_SIZE", 1)
    engine.send(SIGNED)
    engine.send(EXPANDED)
    first = engine.connector.poll("schedules", "", NOW)
    second = engine.connector.poll("schedules", first.cursor, NOW)
    assert (first.more, second.more) == (True, False)
    records = [engine.connector.normalise(item).records[0] for page in (first, second) for item in page.items]
    assert [record.schedule_version for record in records] == [1, 2]
    again = engine.connector.poll("schedules", second.cursor, NOW)
    assert again.items[0].event_id == first.items[0].event_id


def test_the_pushed_schedule_and_the_polled_one_are_the_same_fact(engine: Engine) -> None:
    engine.send(SIGNED)
    letter = engine.double.store.all("delivery")[0]
    assert json.loads(letter["body"])["type"] == "schedule.created"
    (polled,) = engine.connector.poll("schedules", "", NOW).items
    pushed = engine.connector.normalise(
        type(polled)(event_id="e", object="schedule.created", body=letter["body"].encode())
    )
    assert isinstance(pushed, Normalised)
    assert pushed == engine.connector.normalise(polled)


def test_a_schedule_is_fetched_in_its_newest_version(engine: Engine) -> None:
    engine.send(SIGNED)
    engine.send(EXPANDED)
    (item,) = engine.connector.fetch("revenue_schedule", ["rs_C-1001"])
    (record,) = engine.connector.normalise(item).records
    assert (record.schedule_version, record.lineage.correlation_id) == (2, "cor-C-1001-v2")
    with pytest.raises(NotFound):
        engine.connector.fetch("revenue_schedule", ["rs_none"])


def test_state_outlives_a_restart(tmp_path: Any) -> None:
    file = str(tmp_path / "revenue.sqlite")
    double = RevenueEngineDouble(Store(file))
    with running(double) as url:
        Engine(url, double).send(SIGNED)
    double = RevenueEngineDouble(Store(file))
    with running(double) as url:
        engine = Engine(url, double)
        engine.send(EXPANDED)
        assert engine.amounts("deferred") == DEFERRED
