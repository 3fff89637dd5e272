"""Real workers, real PostgreSQL, real Redis, a real HTTP target: killed and emptied while 500 documents post.

Workers are the production ones (celery and the sweeper). Source: reliability.md 3.6 (4) and 2.3.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.models import Connection
from exceptions_queue.models import Occurrence
from finsync.local.redis_server import Redis
from finsync.posting.models import Attempt, Posting, PostingMove
from finsync.posting.services.rows import run
from tests.posting import prepared

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

DOCUMENTS = 500
CHAOS_SECONDS = 30.0
KILL_EVERY_SECONDS = 2.5
ANSWER_SECONDS = 0.8  # slow enough that kills hit sends, and that the work lasts as long as the chaos
SETTLE_SECONDS_MAX = 240.0  # lease, quiesce and lag are seconds here; the rest is a busy machine
WORKERS = 2
# Inside the assumptions of class C: what is late at the target is late by less than quiesce, its search by less than lag.
PACE = {"lease_seconds": 12, "quiesce_seconds": 4, "lag_seconds": 1, "read_timeout_seconds": 5}


@contextmanager
def target_server(tmp_path: Path) -> Iterator[str]:
    """Serve a SimERP that misbehaves from the first request on."""
    command = [
        sys.executable,
        "-m",
        "connectors.simulator.server",
        "--seed",
        "7",
        "--rough",
        "--lag",
        "0.5",
        "--delay",
        "2",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


class Worker:
    """One celery worker with its children, in a process group of its own so that it can be killed whole."""

    def __init__(self, number: int, environment: dict[str, str], log: Path) -> None:
        self.number, self.environment, self.log = number, environment, log
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", "finsync.celery", "worker", "-Q", "dispatch", "-c", "2"]
        command += ["-n", f"chaos{self.number}@%h", "--without-gossip", "--without-mingle", "-l", "WARNING"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """Kill -9 the whole worker."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_children(self) -> int:
        """Kill -9 its children in the middle of whatever they do; returns how many there were."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        return len(children)


def ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Talk to the target's control page."""
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, data, 10) as answer:
        return dict(json.load(answer))


def settled() -> bool:
    return not Posting.objects.exclude(status__in=("POSTED", "EXCEPTION")).exists()


def test_killed_workers_and_an_emptied_redis_lose_nothing_and_post_nothing_twice(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    redis = Redis(tmp_path / "redis", tmp_path / "redis.log")
    redis.start()
    environment = process_environment | {"REDIS_URL": redis.url()}
    with target_server(tmp_path) as url:
        ask(f"{url}/_sandbox/weather", {"answer_seconds": ANSWER_SECONDS})
        connection = prepared.target("chaos", url, **PACE)
        for doc_type, count in (("invoice", 170), ("payment", 165), ("journal", DOCUMENTS - 335)):
            prepared.postings(connection, count, doc_type, prefix=doc_type)
        workers = [Worker(number, environment, tmp_path / f"worker{number}.log") for number in range(WORKERS)]
        sweeper = subprocess.Popen([sys.executable, "manage.py", "sweeper"], env=environment)
        try:
            kills = _chaos(workers, redis)
            ask(f"{url}/_sandbox/weather", {"rough": False, "answer_seconds": 0})
            run("UPDATE connection SET concurrency_now = concurrency_max")  # as eight quiet minutes would
            took = _await_settled()
        finally:
            sweeper.kill()
            for worker in workers:
                worker.kill()
            sweeper.wait()
            redis.stop()
        _judge(url, connection, kills, took)


def _chaos(workers: list[Worker], redis: Redis) -> int:
    """Kill children and whole workers, empty Redis, and restart it without its data; returns the kills."""
    kills, until, chaos = 0, time.monotonic() + CHAOS_SECONDS, random.Random(5)
    while time.monotonic() < until:
        time.sleep(KILL_EVERY_SECONDS)
        worker = chaos.choice(workers)
        run("UPDATE connection SET probe_at = NULL, concurrency_now = greatest(concurrency_now, 4)")  # work goes on
        match chaos.choice(("children", "children", "children", "worker", "flush", "restart")):
            case "children":
                kills += worker.kill_children()
            case "worker":
                worker.kill()
                worker.start()
                kills += 1
            case "flush":
                redis.client().flushall()
            case "restart":
                redis.stop()
                for data in redis.directory.glob("appendonlydir/*"):
                    data.unlink()
                redis.start()
    return kills


def _await_settled() -> float:
    began = time.monotonic()
    while not settled():
        waited = time.monotonic() - began
        left = Counter(Posting.objects.values_list("status", flat=True))
        assert waited < SETTLE_SECONDS_MAX, f"not settled after {waited:.0f} s: {left}"
        time.sleep(0.5)
    return time.monotonic() - began


def _judge(url: str, connection: Connection, kills: int, took: float) -> None:
    time.sleep(3)  # whatever is still on its way arrives
    held = ask(f"{url}/_sandbox/state")["documents"]
    by_reference = Counter(document["reference"] for document in held)
    complete = {document["id"]: document["reference"] for document in held if document["complete"]}
    rows = list(Posting.objects.filter(connection=connection))
    standing = set(
        Occurrence.objects.filter(subject_type="posting", cleared_at=None).values_list("subject_id", flat=True)
    )
    states = Counter(row.status for row in rows)
    orphans = Attempt.objects.filter(outcome="LEASE_EXPIRED").count()
    doubts = PostingMove.objects.filter(too="UNKNOWN").count()
    print(f"\n{kills} kills, {orphans} sends cut off, {doubts} doubts, {len(held)} documents, {dict(states)}", end=", ")
    print(f"settled {took:.0f} s after the faults ended")
    assert kills >= 5, "too few kills to show anything"
    assert orphans, "no kill hit a send"
    assert len(rows) == DOCUMENTS
    lost = [
        row.business_key
        for row in rows
        if row.status == "POSTED" and complete.get(row.erp_document_id) != row.external_ref
    ]
    assert not lost, f"POSTED without a complete document: {lost}"
    assert all(row.pk in standing for row in rows if row.status == "EXCEPTION"), "parked without a case"
    assert [reference for reference, count in by_reference.items() if count > 1] == []
    assert states["POSTED"] >= DOCUMENTS * 0.95
