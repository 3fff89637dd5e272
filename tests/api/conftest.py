"""A small company, and callers of the API: each holds a token with named scopes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from finsync.kit.models import ApiToken
from tests.world import World, build

Caller = Callable[..., APIClient]


@pytest.fixture(scope="module")
def company(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The company with two customers' documents and all of its troubles, built once per file and rolled back at its end."""
    with django_db_blocker.unblock(), transaction.atomic():
        world = build(customers=2)
        connection.check_constraints()  # what is done at commit, such as chaining the audit log, is done now
        yield world
        transaction.set_rollback(True)


@pytest.fixture
def world(company: World, db: None) -> World:
    """The company, for one test; what the test changes is undone."""
    return company


@pytest.fixture
def caller(world: World) -> Caller:
    """Call with a user name and scopes to get a client that sends a token; without arguments it is anonymous."""

    def make(username: str = "", *scopes: str) -> APIClient:
        client = APIClient()
        if username:
            _, text = ApiToken.issue(world.people[username], "a test", list(scopes))
            client.credentials(HTTP_AUTHORIZATION=f"Token {text}")
        return client

    return make


@pytest.fixture
def reader(caller: Caller) -> APIClient:
    """The auditor with a token that reads."""
    return caller("otto", "read")


@pytest.fixture
def actor(caller: Caller) -> APIClient:
    """An analyst with a token that reads and acts."""
    return caller("priya", "read", "act")
