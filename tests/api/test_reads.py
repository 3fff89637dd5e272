"""What can be read: the rows as they are, money exact, secrets masked, and no query per row."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from exceptions_queue.models import ExceptionCase
from finsync.canonical.models import CanonicalChange, Contract, Customer, Invoice, Payment, RevenueSchedule
from finsync.mappings.models import MappingVersion
from finsync.posting.models import Posting
from reconciliation.models import Cell, Run, Variance
from tests import factories as make
from tests.world import World

TOKEN_QUERIES = 2  # the token with its owner, and when it was last used (at most once a minute)
# Queries of a list and of a detail, without the token's.
LISTS = {
    "exceptions": 1, "postings": 1, "events": 1, "changes": 1, "customers": 1, "contracts": 1, "invoices": 1,
    "payments": 1, "revenue-schedules": 1, "mapping-versions": 1, "reconciliation/runs": 1, "reconciliation/cells": 1,
    "reconciliation/variances": 1, "audit": 1, "connections": 3,
}  # fmt: skip
DETAILS = {
    "exceptions": (ExceptionCase, 3), "postings": (Posting, 5), "changes": (CanonicalChange, 1), "customers": (Customer, 1),
    "contracts": (Contract, 2), "invoices": (Invoice, 3), "payments": (Payment, 2), "revenue-schedules": (RevenueSchedule, 2),
    "mapping-versions": (MappingVersion, 1), "reconciliation/runs": (Run, 2), "reconciliation/cells": (Cell, 1),
    "reconciliation/variances": (Variance, 1),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "queries"), LISTS.items(), ids=LISTS)
def test_a_list_costs_the_same_queries_for_any_number_of_rows(reader: APIClient, kind: str, queries: int) -> None:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        answer = reader.get(f"/api/v1/{kind}/", {} if kind == "connections" else {"page_size": "200"})
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    assert len(answer.json()["results"]) > (0 if kind.endswith("variances") else 1)
    assert len(seen) == queries + TOKEN_QUERIES, [query["sql"][:120] for query in seen]


@pytest.mark.parametrize("kind", DETAILS)
def test_a_detail_costs_a_fixed_number_of_queries(reader: APIClient, kind: str) -> None:
    model, queries = DETAILS[kind]
    row = model.objects.order_by("-pk").first()
    with CaptureQueriesContext(connection) as seen:
        answer = reader.get(f"/api/v1/{kind}/{row.pk}/")
    assert answer.status_code == 200, answer.content
    assert answer.json()["id"] == row.pk
    assert len(seen) == queries + TOKEN_QUERIES, [query["sql"][:120] for query in seen]


def test_a_posting_tells_its_journal_needs_attempts_and_mapping(reader: APIClient, world: World) -> None:
    posting = reader.get(f"/api/v1/postings/{world.expansion.pk}/").json()
    assert posting["amount"] == {"minor": 571204, "currency": "USD", "major": "5712.04"}
    assert posting["status"] == "POSTED"
    assert posting["target"] == "tryton"
    assert posting["mapping_version"]["name"] == "rules:invoice.issued"
    sides = {
        side: sum(line["amount"]["minor"] for line in posting["lines"] if line["side"] == side) for side in ("DR", "CR")
    }
    assert sides == {"DR": 571204, "CR": 571204}
    assert posting["lines"][0]["set_version"]["version"] == 1
    assert [attempt["outcome"] for attempt in posting["attempt_log"]] == ["POSTED"]
    assert {"from", "to"} <= set(posting["moves"][0])
    assert posting["needs"] == []


def test_an_invoice_tells_its_lines_and_tax_in_exact_money(reader: APIClient) -> None:
    invoice = Invoice.objects.get(amendment_ref="A-2")
    told = reader.get(f"/api/v1/invoices/{invoice.pk}/").json()
    assert told["net"] == {"minor": 527671, "currency": "USD", "major": "5276.71"}
    assert told["tax"]["major"] == "435.33"
    assert told["total"]["major"] == "5712.04"
    assert [line["taxes"][0]["amount"]["minor"] for line in told["lines"]] == [43533]
    assert told["source_system"] == "stripe"


@pytest.mark.parametrize(
    ("minor", "currency", "major"), [(482000, "JPY", "482000"), (3, "KWD", "0.003"), (61200, "USD", "612.00")]
)
def test_money_has_the_decimals_of_its_currency(reader: APIClient, minor: int, currency: str, major: str) -> None:
    case = ExceptionCase.objects.get(currency=currency, amount_at_risk_minor=minor)
    told = reader.get(f"/api/v1/exceptions/{case.pk}/").json()
    assert told["amount_at_risk"] == {"minor": minor, "currency": currency, "major": major}
    assert Decimal(told["at_risk"][0]["major"]) == Decimal(major)


def test_a_case_tells_its_occurrences_diary_and_what_is_legal(reader: APIClient, world: World) -> None:
    case = world.cases["tax"]
    answer = reader.get(f"/api/v1/exceptions/{case.pk}/")
    told = answer.json()
    assert answer["ETag"] == f'"{case.version}"'
    assert told["label"] == f"EXC-{case.pk}"
    assert len(told["occurrences"]) == told["open_count"] == 5
    assert told["events"][-1]["action"] == "opened"
    assert told["events"][-1]["actor"] == make.ACTOR
    assert told["legal_actions"] == ["assign", "resolve", "snooze", "comment", "retry"]


def test_an_event_shows_its_body_masked(reader: APIClient, world: World) -> None:
    letter = make.letter(
        world.systems["billing"],
        "evt_secret",
        "charge",
        {"card": "4242424242424242", "api_key": "abc", "amount": 7},
        world.now,
    )
    told = reader.get(f"/api/v1/events/{letter.pk}/").json()
    assert told["body"]["encoding"] == "text"
    assert told["body"]["bytes"] == len(letter.body)
    assert "4242424242424242" not in told["body"]["content"]
    assert "abc" not in told["body"]["content"]
    assert '"amount": 7' in told["body"]["content"]


def test_a_body_that_is_no_text_comes_as_masked_base64(reader: APIClient, world: World) -> None:
    import base64

    letter = make.letter(world.systems["billing"], "evt_bytes", "", b"\xff\xfe card 4242 4242 4242 4242 end", world.now)
    body = reader.get(f"/api/v1/events/{letter.pk}/").json()["body"]
    assert body["encoding"] == "base64"
    assert base64.b64decode(body["content"]) == b"\xff\xfe card (masked) end"


def test_connections_show_health_and_no_secret(reader: APIClient, world: World) -> None:
    system = world.systems["billing"]
    system.seal_secrets({"api_key": "sk_test_thisIsNotShown"})
    told = {row["name"]: row for row in reader.get("/api/v1/connections/").json()["results"]}
    assert told["revenue-engine"]["state"] == "PAUSED"
    assert told["stripe"]["unread"] == 1
    assert told["stripe"]["lag_seconds"] >= 9
    assert told["salesforce"]["missed_percent"] == "1.2"
    assert not {name for row in told.values() for name in row if "secret" in name or "url" in name or "options" in name}
    assert reader.get("/api/v1/connections/tryton/").json()["title"] == "Tryton"


def test_audit_entries_name_actor_and_row_and_hide_secrets(reader: APIClient, world: World) -> None:
    entry = reader.get("/api/v1/audit/", {"table": "connection", "page_size": "1"}).json()["results"][0]
    assert entry["actor"] == make.ACTOR
    assert entry["operation"] == "INSERT"
    assert entry["new"]["sealed_secrets"] in ("(masked)", "", "\\x")
    assert reader.get(f"/api/v1/audit/{entry['id']}/").json()["id"] == entry["id"]


def test_times_are_iso_in_utc(reader: APIClient, world: World) -> None:
    told = reader.get("/api/v1/events/", {"q": "evt_new"}).json()["results"][0]
    assert told["received_at"].endswith("Z")
    assert told["received_at"][:19] == f"{world.now - timedelta(seconds=9):%Y-%m-%dT%H:%M:%S}"


def test_status_is_what_the_command_says(reader: APIClient, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    call_command("status", "--json")
    said = json.loads(capsys.readouterr().out)
    told = reader.get("/api/v1/status/").json()
    for report in (said, told):
        for row in report["connections"]:
            row.pop("lag_seconds")
    assert told == said
    assert set(told) == {"inbox", "postings", "cases", "connections"}


def test_health_needs_no_token_and_says_nothing_else() -> None:
    from unittest.mock import patch

    from django.db import OperationalError

    client = APIClient()
    with patch("finsync.web.api.connection.cursor", side_effect=OperationalError("password for host db-7 refused")):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})


@pytest.mark.django_db
def test_health_is_ok_where_the_database_answers() -> None:
    answer = APIClient().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
