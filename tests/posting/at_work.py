"""What the tests of sending and settling look at, and how they let time pass."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import connection as database

from connectors.simulator.faults import CALM, PostFault
from connectors.simulator.server import Server
from exceptions_queue.models import ExceptionCase
from finsync.posting.models import Posting
from finsync.posting.services.rows import run


def only(posting: Posting) -> Posting:
    posting.refresh_from_db()
    return posting


def case_of(posting: Posting) -> str:
    """Return the code of the open case a posting is on, "" where it is on none."""
    standing = ExceptionCase.objects.exclude(state="RESOLVED").filter(
        occurrences__subject_type="posting", occurrences__subject_id=posting.pk, occurrences__cleared_at=None
    )
    return standing.values_list("code", flat=True).first() or ""


def due(*postings: Posting) -> None:
    """Let postings, their lanes and their route's pause be due now instead of in a while."""
    ids = [posting.pk for posting in postings]
    run(
        "UPDATE posting SET next_action_at = now() - interval '1 s' WHERE id = ANY(%s) AND next_action_at IS NOT NULL",
        [ids],
    )
    run("UPDATE posting SET verify_at = now() - interval '1 s' WHERE id = ANY(%s) AND verify_at IS NOT NULL", [ids])
    run("UPDATE posting_lane_head SET next_action_at = now() - interval '1 s'")
    run("UPDATE connection SET not_before = NULL, probe_at = NULL")


def others_connected() -> int:
    """Return how many other sessions this database has."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until something holds; returns whether it did in time."""
    ends_at = time.monotonic() + seconds
    while not holds() and time.monotonic() < ends_at:
        time.sleep(0.05)
    return holds()


@contextmanager
def weather(erp: Server, fault: PostFault) -> Iterator[None]:
    """Let every POST meet one fault."""
    erp.erp.weather.menu = replace(CALM, posts={fault: 1.0})
    yield
    erp.erp.weather.menu = CALM
