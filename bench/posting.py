"""Dispatch with its claim, attempt and result in PostgreSQL, beside a bare loop over the same HTTP client."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from django.db import connection as database

from bench.figures import Figure, Scale, paired, seconds
from bench.letters import customer
from connectors.models import Connection
from connectors.transport import Transport
from finsync.audit.services import recording
from finsync.canonical.models import CanonicalChange
from finsync.canonical.services.apply import apply_due
from finsync.canonical.services.facts import Statement, store_facts
from finsync.core.keys import external_ref
from finsync.posting.models import Lane, Posting
from finsync.posting.services.dispatch import dispatch_due

ANSWER_SECONDS = 0.02
IN_FLIGHT = 8
BATCH = 200
WIDE = 100_000  # calls a second: the governor must not be what is measured


def measure(scale: Scale, say: Callable[[str], None]) -> list[Figure]:
    """Return the figure of dispatch."""
    with _erp() as url:
        target = _target(url)
        maker = _Maker(target, _any_change())
        say(
            f"posting: {scale.posts} postings a round, {IN_FLIGHT} in flight,"
            f" answers after {ANSWER_SECONDS * 1000:.0f} ms"
        )
        _dispatched(maker, 50)
        _looped(url, 50, 0)
        rounds = iter(range(1, 100))
        return [
            paired(
                scale.rounds,
                lambda: _dispatched(maker, scale.posts),
                lambda: _looped(url, scale.posts, next(rounds)),
                unit="ms/posting", reach=1.15, job=f"posting over HTTP, {IN_FLIGHT} in flight, durable",
                against="the bare HTTP loop, same client, same threads",
            )
        ]  # fmt: skip


def _dispatched(maker: "_Maker", count: int) -> float:
    """Milliseconds per posting."""
    maker.make(count)

    def work() -> None:
        while dispatch_due(BATCH):
            pass

    took = seconds(work)
    posted = Posting.objects.filter(connection=maker.target, status="POSTED").count()
    assert posted == maker.made, f"{posted} of {maker.made} were posted"
    return 1000 * took / count


def _looped(url: str, count: int, round_number: int) -> float:
    """Milliseconds per call of a loop that only posts and reads the answer."""
    calls: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    for number in range(count):
        calls.put(json.dumps({"reference": f"bare{round_number}-{number}", "doc_type": "invoice"}).encode())
    for _ in range(IN_FLIGHT):
        calls.put(None)

    def post() -> None:
        transport = Transport(url)
        while (body := calls.get()) is not None:
            answer = transport.request("POST", "/documents", content=body, headers={"content-type": "application/json"})
            assert answer.status_code < 300, answer.text
            answer.json()
            transport.exchanges.clear()
        transport.close()

    threads = [threading.Thread(target=post, daemon=True) for _ in range(IN_FLIGHT)]

    def work() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return 1000 * seconds(work) / count


@contextmanager
def _erp() -> Iterator[str]:
    """Run the simulated ERP in a process of its own; yields its address."""
    command = [sys.executable, "-m", "connectors.simulator.server"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        httpx.post(
            f"{url}/_sandbox/weather", json={"rough": False, "answer_seconds": ANSWER_SECONDS}
        ).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _target(url: str) -> Connection:
    with recording("system:bench"):
        return Connection.objects.create(
            name="simulated", kind="simulated_erp", title="Simulated ERP", roles=["erp"], base_url=url,
            rate_per_second=WIDE, tokens=WIDE, concurrency_max=IN_FLIGHT, concurrency_now=IN_FLIGHT,
        )  # fmt: skip


def _any_change() -> CanonicalChange:
    with recording("system:bench"):
        store_facts([Statement(record=customer("001BENCHAAA"), origin=1, roles=("crm",))])
    apply_due()
    return CanonicalChange.objects.latest("pk")


class _Maker:
    """Makes postings that are ready to go, each in a lane of its own, as planning and release leave them."""

    def __init__(self, target: Connection, cause: CanonicalChange) -> None:
        self.target, self.cause, self.made = target, cause, 0

    def make(self, count: int) -> None:
        """Make ``count`` more and wake their lanes."""
        numbers = range(self.made, self.made + count)
        self.made += count
        with recording("system:bench"):
            Posting.objects.bulk_create([self._posting(number) for number in numbers])
            Lane.objects.bulk_create([Lane(connection=self.target, key=f"bench:{number}") for number in numbers])
            with database.cursor() as cursor:
                cursor.execute("UPDATE posting_lane_head SET next_action_at = now() WHERE next_action_at IS NULL")

    def _posting(self, number: int) -> Posting:
        key, day = f"invoice:US01:bench:{number}:v1", self.cause.source_ts.date()
        document = {"record_type": "customer", "record": self.cause.record, "narrative": f"Invoice {number}"}
        return Posting(
            connection=self.target, doc_type="invoice", business_key=key, lane=f"bench:{number}", status="READY",
            external_ref=external_ref("bench", "invoice", key), content_hash="0" * 64, entity="US01", currency="USD",
            amount_minor=571_204 + number, document=document, document_date=day, accounting_date=day, change=self.cause,
            next_action_at=self.cause.source_ts, source_ts=self.cause.source_ts, correlation_id=f"cor-{number}",
        )  # fmt: skip
