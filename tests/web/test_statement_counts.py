"""Every page costs a fixed number of statements, whatever the number of rows (ui.md 7)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exceptions_queue.services import Subject
from finsync.core.money import Money
from tests import factories as make
from tests.web.conftest import SignedIn
from tests.world import World

LIST_MAX, TRACE_MAX, FRAGMENT_MAX = 8, 12, 5


def statements(client: object, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as caught:
        response = client.get(address)  # type: ignore[attr-defined]
    assert response.status_code == 200, address
    return len([query for query in caught.captured_queries if "SAVEPOINT" not in query["sql"]])


def addresses(world: World) -> dict[str, str]:
    assert world.expansion and world.refused and world.unreadable
    cell = world_cell()
    return {
        "home": "/",
        "exceptions": "/exceptions/",
        "exceptions filtered": "/exceptions/?severity=P1&severity=P2&owner=none&q=INV",
        "exceptions beside": f"/exceptions/?open={world.cases['tax'].label}",
        "case": f"/exceptions/{world.cases['tax'].label}/",
        "transactions": "/transactions/",
        "transactions by id": "/transactions/?q=INV-2026002",
        "reconciliation": "/reconciliation/",
        "cell": cell,
        "cell, all": f"{cell}?show=all",
        "connections": "/connections/",
        "connection": "/connections/stripe/",
        "events": "/events/",
        "event": f"/events/{world.unreadable.pk}/",
        "mappings": "/mappings/",
        "mapping": "/mappings/rules:invoice.issued/",
        "search": "/search/?q=Meridian",
    }


def world_cell() -> str:
    from reconciliation.models import Cell

    cell = Cell.objects.get(verdict="VARIANCE")
    return f"/reconciliation/runs/{cell.run_id}/{cell.entity}/{cell.currency}/"


def test_pages_stay_within_their_budget(world: World, signed_in: SignedIn) -> None:
    client = signed_in()
    found = {name: statements(client, address) for name, address in addresses(world).items()}
    # Beside the list stands a whole case: its row, its records, its diary.
    budgets = {"exceptions beside": LIST_MAX + 3, "home": LIST_MAX + 1, "cell, all": LIST_MAX + 1}
    over = {name: count for name, count in found.items() if count > budgets.get(name, LIST_MAX)}
    assert not over, f"over budget: {over}; all: {found}"


@pytest.mark.parametrize("level", ["grouped", "every"])
def test_a_trace_stays_within_its_budget(world: World, signed_in: SignedIn, level: str) -> None:
    for row in (world.expansion, world.refused):
        assert row is not None
        assert statements(signed_in(), f"/trace/{row.pk}/?level={level}&tab=fields") <= TRACE_MAX


def test_fragments_stay_within_their_budget(world: World, signed_in: SignedIn) -> None:
    assert world.expansion is not None
    found = {
        "queue": statements(signed_in(htmx="queue"), "/exceptions/?severity=P1"),
        "transactions": statements(signed_in(htmx="rows"), "/transactions/?status=POSTED"),
        "events": statements(signed_in(htmx="rows"), "/events/?state=QUARANTINED"),
        **{
            tab: statements(signed_in(htmx="evidence"), f"/trace/{world.expansion.pk}/?tab={tab}")
            for tab in ("origin", "canonical", "sent", "response", "fields")
        },
    }
    assert not {name: count for name, count in found.items() if count > FRAGMENT_MAX}, found


def test_ten_times_the_rows_cost_the_same_statements(world: World, signed_in: SignedIn) -> None:
    client, pages = (
        signed_in(),
        ("/exceptions/", f"/exceptions/{world.cases['tax'].label}/", "/events/", "/transactions/"),
    )
    before = [statements(client, page) for page in pages]
    for number in range(40):
        subject = Subject(
            type="posting", id=5_000 + number, business_key=f"invoice:US01:x:{number}", amount=Money(100, "USD")
        )
        make.case("BIL_AMOUNT_VARIANCE", {"document": f"X-{number}"}, subject, entity="US01", source="stripe")
        make.case(
            "MAPPING_MISSING",
            {"mapping_set": "tax_payable", "inputs": {"entity": "DE01", "tax_code": "DE-VAT-20"}},
            subject,
        )
        make.letter(
            world.systems["billing"], f"evt_many_{number}", "invoice.paid", {}, world.now - timedelta(minutes=number)
        )
    assert [statements(client, page) for page in pages] == before
