"""Pages that do not shift under a reader, and filters that never silently find everything."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from connectors.models import InboxMessage
from exceptions_queue.models import ExceptionCase
from finsync.canonical.models import Invoice
from finsync.posting.models import Posting
from tests import factories as make
from tests.world import World


def _more(world: World, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        make.letter(
            world.systems["crm"], f"evt-more-{number}", "Account", {"n": number}, world.now + timedelta(seconds=number)
        )


def test_rows_that_arrive_meanwhile_neither_repeat_nor_hide_any(reader: APIClient, world: World) -> None:
    _more(world, 20)
    before = list(InboxMessage.objects.order_by("-id").values_list("id", flat=True))
    address, seen, pages = "/api/v1/events/?page_size=7", [], 0
    while address:
        page = reader.get(address).json()
        seen += [row["id"] for row in page["results"]]
        _more(world, 3, 100 + pages * 3)
        address, pages = page["next"], pages + 1
    assert seen == before
    assert pages == -(-len(before) // 7)


def test_the_page_before_is_the_page_that_was_read(reader: APIClient, world: World) -> None:
    _more(world, 20)
    first = reader.get("/api/v1/events/?page_size=5").json()
    second = reader.get(first["next"]).json()
    assert first["previous"] is None
    assert reader.get(second["previous"]).json()["results"] == first["results"]


def test_a_page_holds_fifty_rows_and_never_more_than_two_hundred(reader: APIClient, world: World) -> None:
    _more(world, 210)
    assert len(reader.get("/api/v1/events/").json()["results"]) == 50
    assert len(reader.get("/api/v1/events/?page_size=5000").json()["results"]) == 200


@pytest.mark.parametrize("size", ["0", "-1", "all", "1e3", "٣", ""])
def test_a_page_size_that_is_no_number_is_refused(reader: APIClient, size: str) -> None:
    answer = reader.get("/api/v1/events/", {"page_size": size})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "page_size"


@pytest.mark.parametrize(
    "cursor", ["x", "%%%", "cD1hYmM=", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "bz0tMQ==", "cj1h", "cD0lMDA="]
)
def test_a_cursor_that_was_not_made_here_is_refused(reader: APIClient, cursor: str) -> None:
    answer = reader.get("/api/v1/events/", {"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "cursor"


@pytest.mark.parametrize("kind", ["exceptions", "postings", "events", "invoices", "audit", "reconciliation/runs"])
def test_a_misspelt_filter_is_refused_and_not_left_out(reader: APIClient, kind: str) -> None:
    answer = reader.get(f"/api/v1/{kind}/", {"statsu": "POSTED"})
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert error["parameter"] == "statsu"
    assert "Known are" in error["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {"received_from": "yesterday"},
        {"state": "a\x00b"},
        {"q": "a\x00b"},
        {"received_to": "9999-99-99"},
        {"received_from": "1026-02-05T02:26:10-20:00"},
    ],
)
def test_a_filter_value_that_cannot_be_read_is_refused(reader: APIClient, query: dict[str, str]) -> None:
    assert reader.get("/api/v1/events/", query).status_code == 400


def _ids(client: APIClient, kind: str, query: dict[str, object]) -> set[int]:
    answer = client.get(f"/api/v1/{kind}/", {"page_size": "200", **query})
    assert answer.status_code == 200, answer.content
    return {row["id"] for row in answer.json()["results"]}


def test_filters_find_what_they_say(reader: APIClient, world: World) -> None:
    assert _ids(reader, "exceptions", {"entity": "DE01"}) == set(
        ExceptionCase.objects.filter(entity="DE01").values_list("pk", flat=True)
    )
    assert _ids(reader, "exceptions", {"cause": ["MAPPING_MISSING", "ING_UNREADABLE"]}) == {
        world.cases["tax"].pk,
        world.cases["unreadable"].pk,
    }
    assert _ids(reader, "postings", {"status": "EXCEPTION"}) == {world.refused.pk}
    assert _ids(reader, "postings", {"q": world.expansion.erp_number}) == {world.expansion.pk}
    assert _ids(reader, "events", {"state": "QUARANTINED", "source": "stripe"}) == {world.unreadable.pk}
    assert _ids(reader, "invoices", {"contract": "C-1001", "amendment": "A-2"}) == {
        Invoice.objects.get(amendment_ref="A-2").pk
    }
    assert _ids(reader, "postings", {"type": "invoice", "entity": "DE01"}) == set(
        Posting.objects.filter(doc_type="invoice", entity="DE01").values_list("pk", flat=True)
    )
    assert len(_ids(reader, "reconciliation/variances", {"break_class": "STATE", "currency": "USD"})) == 1
    assert _ids(reader, "reconciliation/variances", {"currency": "EUR"}) == set()
    assert _ids(reader, "contracts", {"version": "2"}) == _ids(reader, "contracts", {"number": "C-1001"})
    assert _ids(reader, "customers", {"name": "halden"}) == _ids(reader, "customers", {"entity": "DE01"})
