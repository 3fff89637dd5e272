"""The lineage of anything by any id, as data."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.world import World

QUERIES_MAX = 16


def test_the_lineage_leads_from_the_contract_to_the_ledger(reader: APIClient, world: World) -> None:
    with CaptureQueriesContext(connection) as seen:
        told = reader.get("/api/v1/trace/", {"q": world.expansion.erp_number}).json()
    assert len(seen) <= QUERIES_MAX
    lineage = told["lineage"]
    assert lineage["posting"]["id"] == world.expansion.pk
    assert [stage["kind"] for stage in lineage["stages"]] == [
        "Contract", "Amendment", "Invoice", "Payment", "Schedule", "Posting",
    ]  # fmt: skip
    stages = {stage["kind"]: stage for stage in lineage["stages"]}
    assert stages["Invoice"]["amount"] == {"minor": 571204, "currency": "USD", "major": "5712.04"}
    assert stages["Schedule"]["tone"] == "bad"
    assert {event["id"] for event in lineage["events"]} == {change["event"] for change in lineage["changes"]}
    assert world.refused.pk in {posting["id"] for posting in lineage["postings"]}
    assert world.cases["refused"].pk in {case["id"] for case in lineage["exceptions"]}
    assert sum(line["amount"]["minor"] for line in lineage["journal"] if line["side"] == "DR") == 571204
    assert [attempt["outcome"] for attempt in lineage["attempts"]] == ["POSTED"]


@pytest.mark.parametrize(
    "text", ["C-1001", "INV-2026002", "in_02", "0015g00000", "A-2", "evt_in_02", "cor-0-2", "pi_0", "Meridian"]
)
def test_any_id_of_any_system_leads_into_the_thread(reader: APIClient, world: World, text: str) -> None:
    lineage = reader.get("/api/v1/trace/", {"q": text}).json()["lineage"]
    assert "contract:US01:C-1001" in {change["aggregate"] for change in lineage["changes"]}


def test_a_case_number_leads_to_the_posting_on_it(reader: APIClient, world: World) -> None:
    told = reader.get("/api/v1/trace/", {"q": f"EXC-{world.cases['refused'].pk}"}).json()
    assert told["lineage"]["posting"]["id"] == world.refused.pk
    assert [case["id"] for case in told["found"]["exceptions"]] == [world.cases["refused"].pk]


def test_an_event_nothing_came_of_is_found_without_a_lineage(reader: APIClient, world: World) -> None:
    told = reader.get("/api/v1/trace/", {"q": "evt_broken"}).json()
    assert [event["id"] for event in told["found"]["events"]] == [world.unreadable.pk]
    assert told["lineage"] is None


def test_one_posting_of_several_can_be_named(reader: APIClient, world: World) -> None:
    told = reader.get("/api/v1/trace/", {"q": "C-1001", "posting": str(world.refused.pk)}).json()
    assert len(told["found"]["postings"]) > 1
    assert told["lineage"]["posting"]["id"] == world.refused.pk
