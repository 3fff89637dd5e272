"""The stages and the timed jobs, in one table: what drains which rows, on which queue, and who is nudged next.

Stages pull (architecture.md 3): a hint only says 'look'. The due question is one indexed EXISTS, asked every second
by the sweeper; a lost hint therefore costs a second, never data.
"""

import importlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

logger = logging.getLogger(__name__)

DRAIN_SECONDS_MAX = 20  # well below the soft limit of a task; a busy stage is hinted again


@dataclass(frozen=True)
class Stage:
    """One stage: the function that takes a bounded batch and returns how much it did, and whether any is due."""

    queue: str
    function: str
    due: str
    then: tuple[str, ...] = ()

    def drain(self) -> int:
        """Take batches until nothing is due or the time is up; returns how much was done."""
        work = _load(self.function)
        done, until = 0, time.monotonic() + DRAIN_SECONDS_MAX
        while time.monotonic() < until:
            step = work()
            done += step
            if not step:
                break
        return done

    def is_due(self) -> bool:
        """Whether any row waits for this stage now."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS ({self.due})")
            row = cursor.fetchone()
        return bool(row and row[0])


@dataclass(frozen=True)
class Job:
    """One timed job: run once per slot of ``every_seconds``, whoever gets there first."""

    queue: str
    function: str
    every_seconds: int


_NOW = "next_action_at <= clock_timestamp()"

STAGES: Mapping[str, Stage] = {
    "poll": Stage(
        "intake",
        "connectors.services.poll:poll_due",
        "SELECT 1 FROM poll_cursor p JOIN connection c ON c.id = p.connection_id"
        f" WHERE c.state = 'ACTIVE' AND p.{_NOW}",
        ("normalise",),
    ),
    "fetch": Stage(
        "intake", "connectors.services.poll:fetch_due", f"SELECT 1 FROM fetch_wish WHERE {_NOW}", ("normalise",)
    ),
    "normalise": Stage(
        "intake",
        "connectors.services.normalise:normalise_due",
        f"SELECT 1 FROM inbox_message WHERE state IN ('RECEIVED', 'NORMALISED', 'IGNORED') AND {_NOW}",
        ("apply",),
    ),
    "apply": Stage(
        "apply",
        "finsync.canonical.services.apply:apply_due",
        f"SELECT 1 FROM aggregate WHERE NOT blocked AND {_NOW}",
        ("plan",),
    ),
    "plan": Stage(
        "plan", "finsync.posting.services.plan:plan_due", f"SELECT 1 FROM canonical_change WHERE {_NOW}", ("release",)
    ),
    "release": Stage(
        "plan",
        "finsync.posting.services.release:release_due",
        f"SELECT 1 FROM posting WHERE status = 'HELD' AND {_NOW}",
        ("dispatch",),
    ),
    "dispatch": Stage(
        "dispatch",
        "finsync.posting.services.dispatch:dispatch_due",
        "SELECT 1 FROM posting_lane_head l JOIN connection c ON c.id = l.connection_id"
        f" WHERE c.state = 'ACTIVE' AND l.{_NOW}",
        ("release",),
    ),
    "settle": Stage(
        "dispatch",
        "finsync.posting.services.janitor:settle_due",
        "SELECT 1 FROM posting WHERE"
        " (status IN ('UNKNOWN', 'ACCEPTED', 'REJECTED') AND next_action_at <= clock_timestamp())"
        " OR (status = 'SENDING' AND lease_until < clock_timestamp())",
        ("dispatch",),
    ),
    "verify": Stage(
        "dispatch",
        "finsync.posting.services.janitor:verify_due",
        "SELECT 1 FROM posting WHERE verify_at <= clock_timestamp()",
    ),
    "probe": Stage(
        "dispatch",
        "finsync.posting.services.governor:probe_paused",
        "SELECT 1 FROM connection WHERE state <> 'ACTIVE' AND coalesce(probe_at, '-infinity') <= clock_timestamp()",
        ("dispatch", "poll"),
    ),
    "reconcile": Stage(
        "reconcile",
        "reconciliation.services.run:run_requested",
        "SELECT 1 FROM recon_run WHERE state = 'RUNNING' AND started_at IS NULL",
    ),
}

JOBS: Mapping[str, Job] = {
    "recognise revenue": Job("plan", "finsync.posting.services.recognise:recognise_due", 15),
    "read accounting periods": Job("intake", "finsync.posting.services.periods:refresh_periods", 120),
    "wake snoozed cases": Job("plan", "exceptions_queue.services.work:wake_snoozed", 60),
    "reconcile": Job(
        "reconcile", "reconciliation.services.run:request_all", settings.FINSYNC["RECONCILE_EVERY_SECONDS"]
    ),
}


def _load(path: str) -> Callable[[], int]:
    module, _, name = path.partition(":")
    function: Callable[[], int] = getattr(importlib.import_module(module), name)
    return function


def run_stage(name: str) -> int:
    """Drain one stage; returns how much was done."""
    return STAGES[name].drain()


def run_job(name: str) -> bool:
    """Run a timed job unless its present slot was taken already; returns whether it ran.

    Two beats, a repeated hint or a clock jump cannot run a slot twice (reliability.md 2.2).
    """
    job = JOBS[name]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO job_run (job, slot, started_at)"
            " SELECT %s, floor(extract(epoch FROM clock_timestamp()) / %s)::bigint, clock_timestamp()"
            " ON CONFLICT (job, slot) DO NOTHING RETURNING slot",
            [name, job.every_seconds],
        )
        if cursor.fetchone() is None:
            return False
    _load(job.function)()
    return True


def drain_all(rounds_max: int = 50) -> int:
    """Drain every stage in order until nothing is due: the whole pipeline in one process (tests, sweeper --inline)."""
    done = 0
    for _ in range(rounds_max):
        step = sum(run_stage(name) for name, stage in STAGES.items() if stage.is_due())
        if not step:
            break
        done += step
    return done
