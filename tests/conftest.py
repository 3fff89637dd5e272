"""What every test may ask for: PostgreSQL, Redis, Tryton, a browser. Each starts when the first test needs it.

Tests of the pure core need none of it and also run with ``-p no:django``.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

with suppress(ModuleNotFoundError):  # the ERP's own room defines ``tryton_server``
    from tests.connectors.tryton_fixture import *  # noqa: F403

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.services import Services

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
NO_BROWSER = "NO CHROMIUM FOUND: every browser test was SKIPPED. Install one (Debian: apt install chromium)."


# ---- PostgreSQL and Redis --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def local_services() -> "Iterator[Services]":
    """PostgreSQL and Redis of this test run."""
    from tests.services import services

    with services() as running:
        yield running


@pytest.fixture(scope="session")
def pg_dsn(local_services: "Services") -> str:
    """The URL of the test server's maintenance database, for tests that make databases of their own."""
    return local_services.postgres.dsn()


@pytest.fixture(scope="session")
def redis_url(local_services: "Services") -> str:
    """The URL of a real Redis, in Celery's form."""
    return local_services.redis_url


@pytest.fixture
def fresh_database(local_services: "Services", request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """Call with a short name to get the URL of a new, empty database that is dropped after the test."""
    import psycopg
    from psycopg import sql

    made: list[str] = []

    def make(name: str) -> str:
        database = f"{local_services.database}_{name}"
        drop(database)
        local_services.postgres.create_database(database)
        made.append(database)
        return local_services.postgres.dsn(database)

    def drop(database: str) -> None:
        with psycopg.connect(local_services.postgres.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))

    yield make
    for database in made:
        drop(database)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, local_services: "Services"
) -> None:
    """Point Django and Celery at the test servers, just before pytest-django creates the test database."""
    from django.conf import settings
    from django.db.backends.postgresql.operations import DatabaseOperations

    from finsync.celery import app
    from finsync.settings.base import database
    from tests.flushing import flush_without_triggers

    # Changed in place: Django has read the settings by now and holds this very dictionary.
    settings.DATABASES["default"].update(database(local_services.postgres.dsn(local_services.database)))
    DatabaseOperations.execute_sql_flush = flush_without_triggers
    settings.REDIS_URL = local_services.redis_url
    app.conf.broker_url = local_services.redis_url


@pytest.fixture
def process_environment(transactional_db: None, local_services: "Services") -> dict[str, str]:
    """The environment for a process of its own (worker, sweeper, web) that shares this test's database and Redis."""
    from django.db import connection

    options = connection.settings_dict
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "finsync.settings.test",
        "DATABASE_URL": f"postgresql://{options['USER']}@/{options['NAME']}?host={quote(str(options['HOST']))}",
        "REDIS_URL": local_services.redis_url,
        "PYTHONUNBUFFERED": "1",
    }


# ---- browser ---------------------------------------------------------------------------------------------------


def chromium() -> str | None:
    """Return the path of a Chromium: FINSYNC_CHROMIUM, or one on the PATH."""
    return os.environ.get("FINSYNC_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """The system's Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    # Playwright's synchronous calls keep an event loop on this thread; Django must not mistake the tests for async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a browser; without Chromium skip it, or refuse where FINSYNC_REQUIRE_BROWSER=1."""
    needing = [
        item for item in items if "browser" in getattr(item, "fixturenames", ()) or item.get_closest_marker("browser")
    ]
    for item in needing:
        item.add_marker(pytest.mark.browser)
    if not needing or chromium():
        return
    if os.environ.get("FINSYNC_REQUIRE_BROWSER") == "1":
        raise pytest.UsageError("No Chromium found, and FINSYNC_REQUIRE_BROWSER=1 asks for the browser tests.")
    config.stash[SKIPPED_BROWSER_TESTS] = len(needing)
    for item in needing:
        item.add_marker(pytest.mark.skip(reason="no Chromium"))


SKIPPED_BROWSER_TESTS = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say loudly that browser tests were skipped."""
    if config.stash.get(SKIPPED_BROWSER_TESTS, 0):
        terminalreporter.section("browser", sep="!", red=True, bold=True)
        terminalreporter.line(f"{NO_BROWSER} ({config.stash[SKIPPED_BROWSER_TESTS]} tests)", red=True, bold=True)
