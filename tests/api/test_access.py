"""Who may do what: every address of the description against every kind of caller."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from exceptions_queue.models import ExceptionCase
from finsync.audit.models import AuditEntry
from finsync.canonical.models import CanonicalChange, Contract, Customer, Invoice, Payment, RevenueSchedule
from finsync.mappings.models import MappingVersion
from finsync.posting.models import Posting
from reconciliation.models import Cell, Run, Variance
from tests import factories as make
from tests.api.conftest import Caller
from tests.world import World

OPEN_TO_ALL = {"/healthz"}
MODELS: dict[str, Any] = {
    "exceptions": ExceptionCase, "postings": Posting, "changes": CanonicalChange, "customers": Customer,
    "contracts": Contract, "invoices": Invoice, "payments": Payment, "revenue-schedules": RevenueSchedule,
    "mapping-versions": MappingVersion, "runs": Run, "cells": Cell, "variances": Variance, "audit": AuditEntry,
}  # fmt: skip
BODIES = {
    "assign": {"person": "tomas"}, "resolve": {"reason": "a test"}, "comment": {"text": "a test"}, "retry": {}, "replay": {},
    "snooze": {"until": "2999-01-01T00:00:00Z"}, "runs": {"control": "R4"},
}  # fmt: skip


def operations() -> list[tuple[str, str]]:
    """Return every operation of the description as (method, path)."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return [(method.upper(), path) for path, found in schema["paths"].items() for method in found]


OPERATIONS = operations()
READS = [path for method, path in OPERATIONS if method == "GET" and path not in OPEN_TO_ALL]
ACTIONS = [path for method, path in OPERATIONS if method == "POST"]


def _address(path: str, world: World) -> str:
    kind = path.removeprefix("/api/v1/").removeprefix("reconciliation/").split("/")[0]
    number = world.unreadable.pk if kind == "events" else MODELS[kind].objects.first().pk if kind in MODELS else 0
    number = world.cases["refused"].pk if kind == "exceptions" else world.refused.pk if kind == "postings" else number
    query = "?q=C-1001" if kind == "trace" else ""
    return path.replace("{id}", str(number)).replace("{name}", "tryton") + query


def _body(path: str) -> dict[str, Any]:
    return BODIES[path.strip("/").split("/")[-1]]


def test_every_operation_of_the_description_is_tried_here() -> None:
    assert {method for method, _ in OPERATIONS} == {"GET", "POST"}
    assert len(ACTIONS) == 8
    assert len(READS) >= 30


@pytest.mark.parametrize("path", READS)
def test_reading_takes_a_token_that_reads(caller: Caller, world: World, path: str) -> None:
    address = _address(path, world)
    assert caller().get(address).status_code == 401
    assert caller("priya", "act").get(address).status_code == 403
    for person in ("otto", "priya", "mina"):
        assert caller(person, "read").get(address).status_code == 200, person
    assert caller("otto", "read").post(address, {}, format="json").status_code in (403, 405)


@pytest.mark.parametrize("path", ACTIONS)
def test_acting_takes_the_scope_and_the_role(caller: Caller, world: World, path: str) -> None:
    address, body = _address(path, world), _body(path)

    def tried(*who: str) -> int:
        return caller(*who).post(address, body, format="json").status_code

    allowed = "sofia" if path.endswith("/runs/") else "priya"
    assert tried() == 401
    assert tried(allowed, "read") == 403
    assert tried(allowed, "act") == 403
    assert tried("otto", "read", "act") == 403
    assert tried("mina", "read", "act") == 403
    if path.endswith("/runs/"):
        assert tried("priya", "read", "act") == 403
    assert tried(allowed, "read", "act") not in (401, 403, 404, 405, 415, 500)


def test_a_refusal_says_whether_the_scope_or_the_role_is_missing(caller: Caller, world: World) -> None:
    address = f"/api/v1/exceptions/{world.cases['refused'].pk}/resolve/"
    no_scope = caller("priya", "read").post(address, {"reason": "x"}, format="json").json()
    no_role = caller("otto", "read", "act").post(address, {"reason": "x"}, format="json").json()
    assert "scope 'act'" in no_scope["detail"]
    assert "Analyst, Controller, Integration admin" in no_role["detail"]
    assert world.cases["refused"].__class__.objects.get(pk=world.cases["refused"].pk).state == "OPEN"


@pytest.fixture
def browser(world: World) -> Iterator[Client]:
    client = Client(enforce_csrf_checks=True)
    client.login(username="priya", password=make.PASSWORD)
    yield client


def test_a_signed_in_browser_reads_and_acts_only_with_its_form_token(browser: Client, world: World) -> None:
    assert browser.get("/api/v1/exceptions/").status_code == 200
    address = f"/api/v1/exceptions/{world.cases['refused'].pk}/comment/"
    refused = browser.post(address, {"text": "from another site"}, content_type="application/json")
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["detail"]


def test_what_a_token_does_is_recorded_under_person_and_token(actor: APIClient, world: World) -> None:
    case = world.cases["refused"]
    assert actor.post(f"/api/v1/exceptions/{case.pk}/comment/", {"text": "seen"}, format="json").status_code == 200
    entry = case.events.latest("id")
    assert entry.note == "seen"
    assert entry.actor.startswith("user:priya via token ")
