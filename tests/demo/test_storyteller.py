"""The sample company's year, told against the three real doubles, with the connectors carrying contracts across."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.contract import ConnectionConfig, Normalised
from connectors.doubles.server import running
from connectors.errors import Rejected, TryLater
from connectors.systems.revenue_engine.connector import RevenueEngineConnector
from connectors.systems.revenue_engine.sandbox.app import API_KEY, RevenueEngineDouble
from connectors.systems.salesforce.connector import SalesforceConnector
from connectors.systems.salesforce.sandbox.app import CLIENT_ID, CLIENT_SECRET, SalesforceDouble
from connectors.systems.stripe.connector import CONNECTOR as STRIPE_CONNECTOR
from connectors.systems.stripe.sandbox.double import StripeDouble
from connectors.transport import Transport
from demo import story
from demo.storyteller import Double, Storyteller
from finsync.core.keys import external_ref
from finsync.core.records import ContractVersionRecord, CustomerRecord
from finsync.core.records.document import DocType, PostingDocument

COUNT, SEED = 8, 45


@dataclass
class Stage:
    """Three running doubles and a carrier between them: a little of what finsync does, without its machine."""

    urls: dict[str, str]
    crm: SalesforceDouble
    billing: StripeDouble
    revenue: RevenueEngineDouble
    ids: dict[str, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)

    def teller(self) -> Storyteller:
        return Storyteller(*(Double.at(self.urls[name]) for name in ("crm", "billing", "revenue")), pace=0)

    def carry(self) -> None:
        """Carry every contract version once to billing and to the revenue engine, customers first."""
        crm, billing, revenue = self._connectors()
        for stream in ("accounts", "orders"):
            for item in crm.poll(stream, "", datetime.now(UTC)).items:
                result = crm.normalise(item)
                for record in result.records if isinstance(result, Normalised) else ():
                    if isinstance(record, CustomerRecord):
                        self._send(billing, DocType.CUSTOMER, record, f"customer {record.account_id}", {})
                    elif isinstance(record, ContractVersionRecord):
                        self._carry_version(billing, revenue, record)

    def _carry_version(self, billing: Any, revenue: Any, record: ContractVersionRecord) -> None:
        name = f"{record.contract_number} v{record.version}"
        references = {"customer": self.ids.get(f"customer {record.account_id}", "")}
        if record.version > 1:
            references["previous"] = self.ids.get(f"{record.contract_number} v{record.version - 1}", "")
        if not all(references.values()):
            return  # its customer or earlier version comes with a later round
        self._send(billing, DocType.SUBSCRIPTION, record, name, references)
        self._send(revenue, DocType.REVENUE_CONTRACT, record, f"revenue {name}", {})

    def _send(self, target: Any, doc_type: DocType, record: Any, name: str, references: dict[str, str]) -> None:
        if name in self.done:
            return
        day = getattr(record, "effective_date", None) or datetime.now(UTC).date()
        document = PostingDocument(
            doc_type=doc_type, external_ref=external_ref("t", doc_type, record.business_key), business_key=record.business_key,
            correlation_id=record.lineage.correlation_id, entity=record.entity, currency=record.currency, amount=None,
            document_date=day, accounting_date=day, record=record, narrative="", references=references,
        )  # fmt: skip
        try:
            self.ids[name] = target.send(document, target.build_body(document)).document_id
            self.done.add(name)
        except TryLater:
            pass
        except Rejected as refused:
            self.refusals.append(f"{name}: {refused.code}")
            self.done.add(name)

    def _connectors(self) -> tuple[Any, Any, Any]:
        def made(connector: Any, name: str, **secrets: str) -> Any:
            config = ConnectionConfig(name=name, kind=name, base_url=self.urls[name], secrets=secrets)
            return connector(config, Transport(self.urls[name]))

        return (
            made(SalesforceConnector, "crm", client_id=CLIENT_ID, client_secret=CLIENT_SECRET),
            made(STRIPE_CONNECTOR, "billing", api_key="sk_test_x"),
            made(RevenueEngineConnector, "revenue", api_key=API_KEY),
        )

    @contextmanager
    def carrying(self) -> Iterator[None]:
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(0.05):
                self.carry()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield
        stop.set()
        thread.join(10)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr("demo.storyteller.LOOK_SECONDS", 0.05)
    doubles = {"crm": SalesforceDouble(), "billing": StripeDouble(), "revenue": RevenueEngineDouble()}
    with ExitStack() as stack:
        urls = {name: stack.enter_context(running(double)) for name, double in doubles.items()}
        yield Stage(urls, **doubles)


def test_the_story_is_told_to_its_end_and_a_second_telling_changes_nothing(stage: Stage) -> None:
    with stage.carrying():
        assert stage.teller().tell(story.acts(COUNT, SEED), limit=60) == []
    stage.carry()  # whatever was signed last
    told = {name: [dict(row) for row in double.store.all(kind)] for name, double, kind in _told(stage)}
    with stage.carrying():
        assert stage.teller().tell(story.acts(COUNT, SEED), limit=60) == []
    assert {name: double.store.all(kind) for name, double, kind in _told(stage)} == told

    invoices = stage.billing.store.all("invoice")
    by_version = {_label(row): row for row in invoices}
    first = by_version["C-1001", "1"], by_version["C-1001", "2"]
    assert [(row["subtotal"], row["total"], row["status"]) for row in first] == [
        (1_200_000, 1_299_000, "paid"),
        (527_671, 571_204, "paid"),
    ]
    assert [by_version["C-1002", version]["total"] for version in ("1", "2")] == [1_440_000, 633_205]
    assert by_version["C-1004", "1"]["lines"]["data"][0]["tax_amounts"][0]["tax_rate"] == story.REDUCED_TAX_RATE
    assert (by_version["C-1007", "1"]["status"], by_version["C-1007", "1"]["attempt_count"]) == ("open", 1)
    assert by_version["C-1008", "1"]["status"] == "open"
    assert sum(row["subscription"] is None for row in invoices) == 1
    assert stage.refusals == ["revenue C-1003 v2: REV_AMENDMENT_REFUSED"]
    assert "dropped" in {letter["state"] for letter in stage.crm.store.all("delivery")}


def test_a_story_cut_short_goes_on_where_it_ended(stage: Stage) -> None:
    acts = story.acts(3, SEED)
    left = stage.teller().tell(acts, patience=0.1, limit=2)
    assert left  # nobody carried contracts to billing, so nothing could be paid
    assert all(act.deed in {story.Deed.PAY, story.Deed.EXPAND} for act in left)
    with stage.carrying():
        assert stage.teller().tell(acts, limit=30) == []


def test_faults_that_somebody_lifted_are_not_put_back(stage: Stage) -> None:
    stage.teller().tell(story.acts(1, SEED)[:1], limit=5)
    assert stage.revenue.store.all("fault")
    stage.teller().revenue.post("/_sandbox/faults", rules=[])
    stage.teller().tell(story.acts(1, SEED)[:1], limit=5)
    assert stage.revenue.store.all("fault") == []


@pytest.mark.parametrize("count", [2, 14, 40])
def test_every_story_is_in_order_and_the_same_for_its_seed(count: int) -> None:
    acts = story.acts(count, SEED)
    assert acts == story.acts(count, SEED)
    assert [act.day for act in acts] == sorted(act.day for act in acts)
    assert {act.day.year for act in acts} == {story.YEAR}
    assert len({act.customer.name for act in acts}) == count + 1
    assert {act.customer.entity for act in acts} == {"US01", "UK01"}


def _told(stage: Stage) -> tuple[tuple[str, Any, str], ...]:
    return (
        ("orders", stage.crm, "Order"),
        ("accounts", stage.crm, "Account"),
        ("invoices", stage.billing, "invoice"),
        ("charges", stage.billing, "charge"),
        ("versions", stage.revenue, "version"),
    )


def _label(invoice: dict[str, Any]) -> tuple[str, str]:
    labels = (invoice.get("subscription_details") or {}).get("metadata") or {}
    return labels.get("contract_id", ""), labels.get("contract_version", "")
