"""What people and programs do over the API: once, on what they looked at, or told why not and what is legal."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from exceptions_queue.models import ExceptionCase
from finsync.posting.models import Posting
from reconciliation.models import Run
from tests.api.conftest import Caller
from tests.world import World


@pytest.fixture
def case(world: World) -> ExceptionCase:
    return ExceptionCase.objects.get(pk=world.cases["refused"].pk)


def _act(client: APIClient, case: ExceptionCase, name: str, body: dict[str, object], **headers: str):
    return client.post(f"/api/v1/exceptions/{case.pk}/{name}/", body, format="json", headers=headers)


def test_resolving_twice_is_a_conflict_that_names_what_is_legal(actor: APIClient, case: ExceptionCase) -> None:
    first = _act(actor, case, "resolve", {"reason": "fixed in the engine"})
    assert first.status_code == 200
    assert first.json()["state"] == "RESOLVED"
    assert first.json()["resolution"] == "fixed in the engine"
    again = _act(actor, case, "resolve", {"reason": "fixed in the engine"})
    assert again.status_code == 409
    assert again.json()["legal"] == ["comment"]
    assert again.json()["version"] == first.json()["version"]
    assert "already resolved" in again.json()["detail"]
    assert case.events.filter(action="resolved").count() == 1


def test_assigning_twice_is_a_conflict_and_writes_nothing(actor: APIClient, case: ExceptionCase) -> None:
    assert _act(actor, case, "assign", {"person": "tomas"}).json()["assignee"] == "tomas"
    again = _act(actor, case, "assign", {"person": "tomas"})
    assert again.status_code == 409
    assert "resolve" in again.json()["legal"]
    assert case.events.filter(action="assigned").count() == 1
    assert _act(actor, case, "assign", {"person": None}).json()["state"] == "OPEN"
    assert _act(actor, case, "assign", {"person": None}).status_code == 409


@pytest.mark.parametrize("name", ["assign", "snooze", "retry"])
def test_a_resolved_case_takes_nothing_but_notes(actor: APIClient, case: ExceptionCase, name: str) -> None:
    _act(actor, case, "resolve", {"reason": "done"})
    body = {"assign": {"person": None}, "snooze": {"until": "2026-12-31T00:00:00Z"}, "retry": {}}[name]
    if name == "snooze":
        body = {"until": (timezone.now() + timedelta(days=1)).isoformat()}
    answer = _act(actor, case, name, body)
    assert (answer.status_code, answer.json()["legal"]) == (409, ["comment"])
    assert _act(actor, case, "comment", {"text": "for the record"}).status_code == 200


@pytest.mark.parametrize("way", ["header", "body"])
def test_an_action_on_an_older_version_is_a_conflict(actor: APIClient, case: ExceptionCase, way: str) -> None:
    seen = actor.get(f"/api/v1/exceptions/{case.pk}/")
    assert _act(actor, case, "assign", {"person": "tomas"}).status_code == 200

    def resolve(version: str):
        number = int(version.strip('"'))
        if way == "header":
            return _act(actor, case, "resolve", {"reason": "x"}, **{"If-Match": version})
        return _act(actor, case, "resolve", {"reason": "x", "version": number})

    late = resolve(seen["ETag"])
    assert late.status_code == 409
    assert "changed by somebody else" in late.json()["detail"]
    assert resolve(actor.get(f"/api/v1/exceptions/{case.pk}/")["ETag"]).status_code == 200


def test_an_unreadable_version_is_refused(actor: APIClient, case: ExceptionCase) -> None:
    assert _act(actor, case, "resolve", {"reason": "x"}, **{"If-Match": "seven"}).status_code == 400
    assert _act(actor, case, "resolve", {"reason": "x", "version": 0}, **{"If-Match": '"1"'}).status_code == 400
    assert _act(actor, case, "resolve", {"reason": "x", "version": -1}).status_code == 400


@pytest.mark.parametrize(
    ("name", "body", "pointer"),
    [
        ("resolve", {}, "#/reason"), ("resolve", {"reason": "  "}, "#/reason"), ("resolve", {"reason": "a\x00b"}, "#/reason"),
        ("resolve", {"reason": "x", "state": "OPEN"}, "#/state"), ("assign", {"person": "nobody"}, "#/person"),
        ("assign", {"person": "otto"}, "#/person"), ("assign", {}, "#/person"), ("snooze", {"until": "2020-01-01T00:00:00Z"}, "#/until"),
        ("snooze", {"until": "9999-01-01T00:00:00Z"}, "#/until"), ("snooze", {"until": "soon"}, "#/until"), ("comment", {"text": ""}, "#/text"),
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit_says_where(
    actor: APIClient, case: ExceptionCase, name: str, body: dict, pointer: str
) -> None:
    answer = _act(actor, case, name, body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    case.refresh_from_db()
    assert (case.state, case.version) == ("OPEN", 0)


def test_a_snooze_ends_when_it_was_said_to(actor: APIClient, case: ExceptionCase) -> None:
    until = timezone.now().replace(microsecond=0) + timedelta(days=2)
    told = _act(actor, case, "snooze", {"until": until.isoformat()}).json()
    assert told["state"] == "SNOOZED"
    assert told["snoozed_until"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"


def test_retrying_a_case_starts_its_posting_and_looks_it_up_first(
    actor: APIClient, case: ExceptionCase, world: World
) -> None:
    answer = _act(actor, case, "retry", {})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"started": 1, "problems": []}
    assert Posting.objects.get(pk=world.refused.pk).status == "UNKNOWN"  # it was sent before
    again = _act(actor, case, "retry", {})
    assert again.status_code == 409


def test_retrying_a_posting_twice_is_a_conflict(actor: APIClient, world: World) -> None:
    address = f"/api/v1/postings/{world.refused.pk}/retry/"
    first = actor.post(address, {}, format="json")
    assert first.status_code == 200, first.content
    assert first.json()["posting"]["status"] == "UNKNOWN"
    assert "looked up" in first.json()["detail"]
    again = actor.post(address, {}, format="json")
    assert again.status_code == 409
    assert again.json()["legal"] == []
    posted = actor.post(f"/api/v1/postings/{world.expansion.pk}/retry/", {}, format="json")
    assert posted.status_code == 409


def test_replaying_an_event_reads_it_again_once(actor: APIClient, world: World) -> None:
    address = f"/api/v1/events/{world.unreadable.pk}/replay/"
    first = actor.post(address)
    assert first.status_code == 200
    assert first.json()["event"]["state"] == "RECEIVED"
    assert first.json()["event"]["replays"] == 1
    assert actor.post(address).status_code == 409
    assert actor.post("/api/v1/events/999999999/replay/").status_code == 404


def test_a_run_is_asked_for_once_at_a_time(caller: Caller, world: World) -> None:
    controller = caller("sofia", "read", "act")
    before = Run.objects.count()
    first = controller.post("/api/v1/reconciliation/runs/", {"control": "R4"}, format="json")
    assert first.status_code == 202, first.content
    assert (first.json()["control"], first.json()["state"], first.json()["finished_at"]) == ("R4", "RUNNING", None)
    assert first.json()["requested_by"].startswith("user:sofia via token ")
    again = controller.post("/api/v1/reconciliation/runs/", {"control": "R4"}, format="json")
    assert again.status_code == 409
    assert str(first.json()["id"]) in again.json()["detail"]
    assert Run.objects.count() == before + 1
    assert controller.post("/api/v1/reconciliation/runs/", {"control": "R99"}, format="json").status_code == 400
