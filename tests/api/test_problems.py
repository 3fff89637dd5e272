"""Every error of the API is one document a program can read: RFC 9457, with what, where and what to do."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from tests.world import World


def _is_problem(answer, status: int) -> dict:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "code", "instance"} <= set(body)
    assert body["status"] == status
    assert body["detail"]
    return body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/v1/exceptions/999999999/", 404), ("get", "/api/v1/exceptions/x/", 404), ("get", "/api/v1/nothing/", 404),
        ("post", "/api/v1/nothing/", 404), ("get", "/api/", 404), ("get", "/api/v2/postings/", 404),
        ("get", "/api/v1/exceptions", 404), ("get", "/api/v1/postings/999999999999999999/", 404),
        ("get", "/api/v1/connections/no-such/", 404), ("get", "/api/v1/events/999999999/", 404),
        ("post", "/api/v1/exceptions/", 405), ("put", "/api/v1/exceptions/1/", 405), ("delete", "/api/v1/postings/1/", 405),
        ("patch", "/api/v1/events/1/", 405), ("options", "/api/v1/events/", 405), ("get", "/api/v1/exceptions/1/resolve/", 405),
        ("post", "/api/v1/trace/", 405), ("get", "/api/v1/events/?format=xml", 404), ("get", "/api/v1/events/?nonsense=1", 400),
        ("get", "/api/v1/trace/", 400), ("get", "/api/v1/trace/?q=no-such-thing-anywhere", 404),
        ("get", "/api/v1/trace/?q=C-1001&posting=999999999", 404), ("get", "/api/v1/trace/?q=C-1001&posting=x", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_a_problem(actor: APIClient, method: str, path: str, status: int) -> None:
    answer = getattr(actor, method)(path)
    body = _is_problem(answer, status)
    assert body["instance"] == path.split("?", maxsplit=1)[0]
    if status == 405:
        assert answer["Allow"]


def test_an_unacceptable_kind_of_answer_is_a_problem(actor: APIClient) -> None:
    _is_problem(actor.get("/api/v1/events/", HTTP_ACCEPT="text/html"), 406)


def test_nobody_is_told_how_to_sign_in(world: World) -> None:
    answer = APIClient().get("/api/v1/exceptions/")
    body = _is_problem(answer, 401)
    assert answer["WWW-Authenticate"] == "Token"
    assert body["code"] == "not_authenticated"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"reason": "x"', "application/json", 400), (b"[" * 100_000, "application/json", 400), (b"\xff\xfe", "application/json", 400),
        (b'{"reason": NaN}', "application/json", 400), (b"[1]", "application/json", 400), (b'"x"', "application/json", 400),
        (b"null", "application/json", 400), (b'{"reason": "\\ud800"}', "application/json", 400),
        (b'{"version": 1e400, "reason": "x"}', "application/json", 400),
        (b'{"reason": "x"}', "application/json; charset=utf-16", 400), (b"reason=x", "application/x-www-form-urlencoded", 415),
        (b"<x/>", "application/xml", 415), (b'{"reason": "' + b"x" * 3_000_000 + b'"}', "application/json", 413),
    ],
    ids=["cut off", "deep", "no text", "NaN", "a list", "a text", "null", "half a character", "huge", "charset", "form", "xml", "large"],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_a_problem(
    actor: APIClient, world: World, body: bytes, kind: str, status: int
) -> None:
    address = f"/api/v1/exceptions/{world.cases['refused'].pk}/resolve/"
    _is_problem(actor.generic("POST", address, body, content_type=kind), status)


@pytest.fixture
def failing(actor: APIClient) -> Iterator[APIClient]:
    actor.raise_request_exception = False
    yield actor


def test_a_defect_is_a_problem_without_its_inside(failing: APIClient) -> None:
    with patch("finsync.web.api.search", side_effect=RuntimeError("the inside of the house")):
        answer = failing.get("/api/v1/trace/?q=x")
    assert "inside" not in _is_problem(answer, 500)["detail"]


def test_a_database_that_does_not_answer_is_a_problem_that_says_when_to_ask_again(failing: APIClient) -> None:
    with patch("finsync.web.api.search", side_effect=OperationalError("canceling statement due to statement timeout")):
        answer = failing.get("/api/v1/trace/?q=x")
    assert "timeout" not in _is_problem(answer, 503)["detail"]
    assert answer["Retry-After"] == "5"
