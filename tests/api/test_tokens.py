"""API tokens: shown once, useless in a database dump, ended by time or by hand, never more than their owner may."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from finsync.kit.models import ApiToken
from tests.world import World


def _client(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    return client


def test_a_token_has_256_bits_and_only_its_hash_is_kept(world: World) -> None:
    token, text = ApiToken.issue(world.people["priya"], "script", ["read"])
    assert text.startswith(f"fs_{token.prefix}_")
    assert len(text) == len("fs_") + 8 + 1 + 43
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(t)::text FROM api_token t WHERE id = %s", [token.pk])
        (dump,) = cursor.fetchone()
    assert text.split("_", 2)[2] not in dump
    assert _client(text).get("/api/v1/status/").status_code == 200
    assert _client(f"fs_{token.prefix}_{token.digest[:43]}").get("/api/v1/status/").status_code == 401


def test_a_token_ends_after_at_most_ninety_days(world: World) -> None:
    token, text = ApiToken.issue(world.people["priya"], "script", ["read"], days=4000)
    assert token.expires_at <= timezone.now() + timedelta(days=90)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    assert _client(text).get("/api/v1/status/").status_code == 401


def test_a_revoked_token_and_one_of_a_person_who_left_end_at_once(world: World) -> None:
    _, first = ApiToken.issue(world.people["priya"], "script", ["read"])
    _, second = ApiToken.issue(world.people["tomas"], "script", ["read"])
    call_command("api_token", "revoke", first[:11], stdout=StringIO())
    world.people["tomas"].is_active = False
    world.people["tomas"].save()
    assert _client(first).get("/api/v1/status/").status_code == 401
    assert _client(second).get("/api/v1/status/").status_code == 401


@pytest.mark.parametrize(
    "text", ["", "x", "fs__", "fs_\xff\xfe_", "fs_zzzzzzzz_" + "a" * 43, "fs_12345678_" + "a" * 43, "a" * 9000]
)
def test_what_is_no_token_is_refused_in_words(world: World, text: str) -> None:
    answer = _client(text).get("/api/v1/exceptions/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert "unknown, revoked or expired" in answer.json()["detail"]


def test_use_is_noted_at_most_once_a_minute(world: World) -> None:
    token, text = ApiToken.issue(world.people["priya"], "script", ["read"])
    _client(text).get("/api/v1/status/")
    token.refresh_from_db()
    first = token.last_used_at
    _client(text).get("/api/v1/status/")
    token.refresh_from_db()
    assert first is not None
    assert token.last_used_at == first


def test_the_command_issues_a_token_that_works_and_shows_it_once(world: World) -> None:
    out, err = StringIO(), StringIO()
    call_command("api_token", "issue", "priya", "month-end script", "--act", "--days", "30", stdout=out, stderr=err)
    text = out.getvalue().strip()
    token = ApiToken.find(text)
    assert token is not None
    assert (token.owner, token.label, token.scopes) == (world.people["priya"], "month-end script", ["read", "act"])
    assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)
    listed = StringIO()
    call_command("api_token", "list", stdout=listed)
    assert token.prefix in listed.getvalue()
    assert text not in listed.getvalue() + err.getvalue()


@pytest.mark.parametrize(
    "words",
    [
        ("issue", "nobody", "x"),
        ("issue", "priya", "x", "--days", "0"),
        ("issue", "priya", "x", "--days", "91"),
        ("revoke", "00000000"),
    ],
)
def test_the_command_says_what_to_correct(world: World, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("api_token", *words, stdout=StringIO(), stderr=StringIO())
