"""The connector against the Salesforce double over real HTTP: paging, watermarks, faults, pushed events."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from connectors.contract import ConnectionConfig, Ignored, Normalised, Page, RawItem, Window
from connectors.doubles.server import running
from connectors.doubles.store import Store
from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, TryLater
from connectors.systems.salesforce.connector import CONNECTOR
from connectors.systems.salesforce.sandbox.app import CLIENT_ID, CLIENT_SECRET, SalesforceDouble
from connectors.transport import Transport

NOW = datetime(2026, 2, 14, tzinfo=UTC)
YEAR = Window(start=date(2026, 1, 1), end=date(2027, 1, 1))
SECRET = "whsec_c2VjcmV0LW9uZQ=="


class Crm:
    """A running double and what a salesperson and a connector do with it."""

    def __init__(self, url: str, double: SalesforceDouble) -> None:
        self.url, self.double, self.http = url, double, httpx.Client(base_url=url)

    def connector(self, secret: str = CLIENT_SECRET) -> Any:
        secrets = {"client_id": CLIENT_ID, "client_secret": secret}
        config = ConnectionConfig(name="crm", kind="salesforce", base_url=self.url, secrets=secrets)
        return CONNECTOR(config, Transport(self.url))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"/_sandbox/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def account(self, key: str, entity: str = "US01") -> str:
        currency, country = ("USD", "US") if entity == "US01" else ("GBP", "GB")
        return self.post("accounts", key=key, name=f"{key} Inc", entity=entity, currency=currency, country=country)[
            "Id"
        ]

    def sign(self, number: str, account: str, **more: Any) -> dict[str, Any]:
        terms = {"start": "2026-01-01", "seats": 10, "unit_price": "1200.00"}
        return self.post("contracts", contract_number=number, account_id=account, **(terms | more))

    def amend(
        self, number: str, reference: str, day: str = "2026-02-14", delta: int = 5, **more: Any
    ) -> dict[str, Any]:
        return self.post(
            f"contracts/{number}/amendments", amendment_ref=reference, effective_date=day, delta_seats=delta, **more
        )

    def faults(self, *rules: dict[str, Any]) -> None:
        self.post("faults", rules=list(rules))


@pytest.fixture
def crm() -> Iterator[Crm]:
    double = SalesforceDouble(page_size=2)
    with running(double) as url:
        yield Crm(url, double)


def read_all(connector: Any, stream: str, cursor: str = "") -> tuple[list[RawItem], str, list[Page]]:
    pages = [connector.poll(stream, cursor, NOW)]
    while pages[-1].more:
        pages.append(connector.poll(stream, pages[-1].cursor, NOW))
    return [item for page in pages for item in page.items], pages[-1].cursor, pages


def test_a_poll_reads_every_page_and_every_letter_can_be_read(crm: Crm) -> None:
    for number in range(5):
        crm.sign(f"C-{number}", crm.account(f"a{number}"))
    connector = crm.connector()
    accounts, _, pages = read_all(connector, "accounts")
    orders, _, _ = read_all(connector, "orders")
    assert (len(accounts), len(orders), len(pages)) == (5, 5, 3)
    assert all(isinstance(connector.normalise(item), Normalised) for item in accounts + orders)


def test_the_overlap_is_read_again_under_the_same_event_ids(crm: Crm) -> None:
    crm.sign("C-1", crm.account("a"))
    connector = crm.connector()
    first, cursor, _ = read_all(connector, "orders")
    again, _, _ = read_all(connector, "orders", cursor)
    assert [item.event_id for item in again] == [item.event_id for item in first]


def test_a_rename_comes_with_the_next_poll_as_a_newer_version(crm: Crm) -> None:
    account = crm.account("a")
    connector = crm.connector()
    _, cursor, _ = read_all(connector, "accounts")
    crm.http.patch(f"/_sandbox/accounts/{account}", json={"name": "Renamed Inc"})
    items, _, _ = read_all(connector, "accounts", cursor)
    (record,) = connector.normalise(items[-1]).records
    assert record.name == "Renamed Inc"


def test_an_expired_locator_starts_the_window_again_and_loses_nothing(crm: Crm) -> None:
    for number in range(5):
        crm.account(f"a{number}")
    connector = crm.connector()
    page = connector.poll("accounts", "", NOW)
    crm.double._locators.clear()
    rest, _, _ = read_all(connector, "accounts", page.cursor)
    assert len({item.event_id for item in rest}) == 5


def test_a_late_first_version_brings_the_second_one_again_with_other_words(crm: Crm) -> None:
    draft = crm.sign("C-1", crm.account("a"), activate=False)
    crm.amend("C-1", "A-2")
    connector = crm.connector()
    before, cursor, _ = read_all(connector, "orders")
    assert not any(isinstance(connector.normalise(item), Normalised) for item in before)
    crm.post(f"orders/{draft['Id']}/activate")
    after, _, _ = read_all(connector, "orders", cursor)
    versions = sorted(
        {r.version for item in after if isinstance(n := connector.normalise(item), Normalised) for r in n.records}
    )
    assert versions == [1, 2]
    assert not {item.event_id for item in before} & {item.event_id for item in after}


def test_a_contract_is_fetched_with_all_versions_by_its_number_or_by_an_order(crm: Crm) -> None:
    crm.sign("C-1", crm.account("a"))
    second = crm.amend("C-1", "A-2")
    connector = crm.connector()
    by_number, by_order = (connector.fetch("contract_version", [key]) for key in ("C-1", second["Id"]))
    assert [item.event_id for item in by_number] == [item.event_id for item in by_order]
    assert [connector.normalise(item).records[0].version for item in by_number] == [1, 2]


def test_what_does_not_exist_is_not_found(crm: Crm) -> None:
    with pytest.raises(NotFound):
        crm.connector().fetch("contract_version", ["C-none' OR Name != '"])
    with pytest.raises(NotFound):
        crm.connector().fetch("customer", ["001000000000099AAA"])


def test_a_deleted_account_is_still_told(crm: Crm) -> None:
    account = crm.account("a")
    crm.http.patch(f"/_sandbox/accounts/{account}", json={"deleted": True})
    connector = crm.connector()
    (item,) = connector.fetch("customer", [account])
    assert not connector.normalise(item).records[0].active


def test_observed_contracts_carry_their_newest_version_and_total_value(crm: Crm) -> None:
    for number in range(3):
        crm.sign(f"C-{number}", crm.account(f"a{number}"))
    crm.sign("C-UK", crm.account("uk", "UK01"))
    crm.amend("C-1", "A-2")
    seen = {item.key: item for item in crm.connector().observe("contract", YEAR)}
    assert {key: item.version for key, item in seen.items()} == {"C-0": 1, "C-1": 2, "C-2": 1, "C-UK": 1}
    assert str(seen["C-1"].amount) == "USD 17,276.71"
    january = Window(start=date(2026, 1, 1), end=date(2026, 2, 1), entities=("US01",))
    assert {item.key: item.version for item in crm.connector().observe("contract", january)} == {
        "C-0": 1,
        "C-1": 1,
        "C-2": 1,
    }


def test_a_contract_that_cannot_be_read_is_not_left_out(crm: Crm) -> None:
    crm.sign("C-1", crm.account("a"), proration={"Proration_Method__c": "MOON"})
    (seen,) = crm.connector().observe("contract", YEAR)
    assert (seen.key, seen.state, seen.version) == ("C-1", "unreadable", 0)


def test_commands_may_be_repeated(crm: Crm) -> None:
    account = crm.account("a")
    first, again = crm.sign("C-1", account), crm.sign("C-1", account)
    amended, repeated = crm.amend("C-1", "A-2"), crm.amend("C-1", "A-2")
    assert (crm.account("a"), again["Id"], repeated["Id"]) == (account, first["Id"], amended["Id"])
    assert len(crm.double.store.all("delivery")) == 3


# ---- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"action": "429", "retry_after": 3}, TryLater),
        ({"action": "429", "status": 403}, TryLater),
        ({"action": "503"}, TryLater),
        ({"action": "timeout_before"}, OutcomeUnknown),
        ({"action": "timeout_after"}, OutcomeUnknown),
        ({"action": "500_after"}, OutcomeUnknown),
    ],
)
def test_request_faults_happen_as_often_as_asked_and_then_stop(
    crm: Crm, rule: dict[str, Any], error: type[Exception]
) -> None:
    connector = crm.connector()
    connector.ping()
    crm.faults({"match": {"path": "*/queryAll"}, "times": 1, **rule})
    with pytest.raises(error):
        connector.poll("accounts", "", NOW)
    assert connector.poll("accounts", "", NOW).items == []


def test_a_wrong_secret_is_refused_and_an_expired_session_renewed(crm: Crm) -> None:
    with pytest.raises(AuthFailed):
        crm.connector("wrong").ping()
    connector = crm.connector()
    connector.ping()
    crm.post("expire_tokens")
    assert "calls left" in connector.ping()


def test_a_rule_without_sense_is_refused(crm: Crm) -> None:
    assert crm.http.post("/_sandbox/faults", json={"rules": [{"action": "explode"}]}).status_code == 400


def test_state_outlives_a_restart(tmp_path: Any) -> None:
    file = str(tmp_path / "crm.sqlite")
    with running(SalesforceDouble(Store(file))) as url:
        crm = Crm(url, SalesforceDouble())
        crm.sign("C-1", crm.account("a"))
        crm.faults({"action": "429"})
    with running(SalesforceDouble(Store(file))) as url:
        crm = Crm(url, SalesforceDouble())
        assert crm.http.get("/_sandbox/state").json()["Contract"][0]["ContractNumber"] == "C-1"
        with pytest.raises(TryLater):
            crm.connector().ping()


# ---- pushed events -----------------------------------------------------------------------------------------------


class Endpoint:
    """A receiver that keeps letters and answers with the statuses it is given, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.letters: list[tuple[dict[str, str], bytes]] = []
        self.statuses = list(statuses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.letters.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def wait(self, count: int, seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while len(self.letters) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.letters) >= count, f"{len(self.letters)} of {count} letters came"


def pushed(endpoint: Endpoint, *rules: dict[str, Any]) -> Iterator[Crm]:
    double = SalesforceDouble(webhook_url=endpoint.url, webhook_secret=SECRET)
    with running(double) as url:
        crm = Crm(url, double)
        crm.faults(*rules)
        yield crm
    endpoint.server.shutdown()
    endpoint.server.server_close()


def test_events_come_signed_and_are_repeated_until_taken() -> None:
    endpoint = Endpoint(500, 401)
    for crm in pushed(endpoint):
        crm.account("a")
        endpoint.wait(3)
        headers, body = endpoint.letters[-1]
        assert CONNECTOR.verify(headers, body, [SECRET], datetime.now(UTC)).ok
        assert CONNECTOR.webhook_object(headers, body) == "AccountChangeEvent"
        assert len({CONNECTOR.webhook_event_id(h, b) for h, b in endpoint.letters}) == 1


def test_duplicates_drops_and_delays_happen_as_asked() -> None:
    endpoint = Endpoint()
    rules = (
        {"match": {"event": "AccountChangeEvent"}, "action": "duplicate", "times": 1},
        {"match": {"contract": "C-1"}, "action": "drop"},
        {"match": {"contract": "C-2"}, "action": "delay", "delay": 0.8},
    )
    for crm in pushed(endpoint, *rules):
        account = crm.account("a")
        for number in ("C-1", "C-2", "C-3"):
            crm.sign(number, account)
        endpoint.wait(4)
        told = [json.loads(body)["payload"].get("ContractNumber__c", "account") for _, body in endpoint.letters]
        assert sorted(told) == ["C-2", "C-3", "account", "account"]
        assert told[-1] == "C-2"
        states = sorted(letter["state"] for letter in crm.http.get("/_sandbox/state").json()["delivery"])
        assert states.count("dropped") == 1


def test_a_dropped_event_is_healed_by_the_poll(crm: Crm) -> None:
    crm.faults({"action": "drop"})
    crm.sign("C-1", crm.account("a"))
    connector = crm.connector()
    items, _, _ = read_all(connector, "orders")
    assert [type(connector.normalise(item)) for item in items] == [Normalised]
    assert not any(isinstance(connector.normalise(item), Ignored) for item in items)
