"""The company of tests/world.py, and browsers that have signed in to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from tests.world import World, build

SignedIn = Callable[..., Client]


@pytest.fixture(scope="module")
def company(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The company with three customers' documents, built once per file and rolled back at its end."""
    with django_db_blocker.unblock(), transaction.atomic():
        world = build(customers=3)
        connection.check_constraints()  # what is done at commit, such as chaining the audit log, is done now
        yield world
        transaction.set_rollback(True)


@pytest.fixture
def world(company: World, db: None) -> World:
    """The company, for one test; what the test changes is undone."""
    return company


@pytest.fixture
def signed_in(world: World) -> SignedIn:
    """Call with a user name to get a client that has signed in; with ``htmx`` the id of the element it replaces."""

    def make(username: str = "priya", htmx: str = "") -> Client:
        headers = {"hx-request": "true", "hx-target": htmx, "hx-current-url": "http://testserver/"} if htmx else {}
        client = Client(headers=headers)
        client.force_login(world.people[username])
        return client

    return make
