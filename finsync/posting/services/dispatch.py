"""Dispatch: due lanes are claimed in batches, their postings sent by a few threads, the answers written down.

Safe to run in any number of processes at once. Nothing is sent before its claim is committed (R1), and a process that
dies leaves a lease that ends (janitor).
"""

import logging
import os
import queue
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence

from django.db import connection as database
from django.db import transaction

from connectors.models import Connection
from finsync.core.posting import Answer
from finsync.posting import machine
from finsync.posting.machine import Claim
from finsync.posting.services import governor, sql
from finsync.posting.services.doors import door
from finsync.posting.services.rows import fetch
from finsync.posting.services.store import PostgresStore

logger = logging.getLogger(__name__)

DISPATCH_BATCH = 1_000  # a round opens its threads' database connections anew
DISPATCH_SECONDS_MAX = 30.0  # no new claim after that; with one call's 45 s it stays below the task's 90 s
THREADS_MAX = 16
CLAIM_PARTS = 4  # a claim is worth its transaction once a quarter of the slots is free
PATIENCE_SECONDS_MAX = 2.0  # a route that asks for a longer pause is left to the next hint


def owner() -> str:
    """Return how this process signs leases and attempts."""
    return f"{socket.gethostname()}:{os.getpid()}"


def dispatch_due(batch: int = DISPATCH_BATCH, threads: int = THREADS_MAX) -> int:
    """Send up to ``batch`` due postings, each connection at its governor's pace; returns how many were claimed.

    ``threads`` bounds how many are sent at the same time by this call (1: no thread is started). Raises RuntimeError
    inside a transaction: a claim must be committed before it is sent.
    """
    with transaction.atomic(durable=True):
        routes = {row.id: Connection.objects.get(pk=row.id) for row in fetch(sql.DUE_CONNECTIONS)}
    crew = _Crew(PostgresStore(owner()), routes, 1 if database.in_atomic_block else threads)
    try:
        return _Round(crew, routes, batch).run()
    finally:
        crew.dismiss()


class _Round:
    """One call of ``dispatch_due``: claims while there is room, until nothing is due or the round is over."""

    def __init__(self, crew: "_Crew", routes: dict[int, Connection], batch: int) -> None:
        self.crew, self.batch, self.claimed = crew, batch, 0
        self.routes = dict(routes)
        self.again_at = dict.fromkeys(routes, 0.0)
        self.peak: Counter[int] = Counter()
        self.ends_at = time.monotonic() + DISPATCH_SECONDS_MAX

    def run(self) -> int:
        while True:
            for connection_id in list(self.again_at):
                self._claim(connection_id)
            if self.crew.busy:
                self.crew.await_one()
            elif not self._rest():
                return self.claimed

    def _claim(self, connection_id: int) -> None:
        """Claim for one connection once a part of what it had in flight at most is through: claims stay batches."""
        now = time.monotonic()
        room = min(self.batch - self.claimed, self.crew.free)
        if now >= self.ends_at or self.claimed >= self.batch:
            self.again_at.clear()
            return
        if room <= 0 or now < self.again_at[connection_id]:
            return
        peak = self.peak[connection_id]
        if peak - self.crew.flying[connection_id] < peak // CLAIM_PARTS:
            return
        with door(self.routes[connection_id]) as way:
            claimed = self.crew.store.claim(connection_id, room, way.connector.build_body)
        self.claimed += len(claimed.claims)
        if claimed.claims:
            self.crew.hand_out(claimed.claims)
            self.peak[connection_id] = max(peak, self.crew.flying[connection_id])
        elif claimed.again_seconds is None or claimed.again_seconds > PATIENCE_SECONDS_MAX:
            del self.again_at[connection_id]
        else:
            self.again_at[connection_id] = now + claimed.again_seconds

    def _rest(self) -> bool:
        """Sleep until a connection may be asked again; False where none will be."""
        if not self.again_at:
            return False
        time.sleep(max(0.0, min(self.again_at.values()) - time.monotonic()))
        return True


class _Crew:
    """The threads of one round. Each closes its database connection when the round ends."""

    def __init__(self, store: PostgresStore, routes: dict[int, Connection], size: int) -> None:
        self.store, self.routes, self.size = store, routes, max(size, 1)
        self.flying: Counter[int] = Counter()
        self._jobs: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Claim] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def busy(self) -> int:
        """How many claims are under way."""
        return self.flying.total()

    @property
    def free(self) -> int:
        """How many claims could be sent at once by now."""
        return self.size - self.busy

    def hand_out(self, claims: Sequence[Claim]) -> None:
        """Send these: in threads, or here where there is but one to send or threads are not wanted."""
        alone = self.size == 1 or (len(claims) == 1 and not self._threads)
        for claim in claims:
            if alone:
                self._send(claim)
                continue
            self.flying[claim.ticket.subject.connection_id] += 1
            if len(self._threads) < min(self.busy, self.size):
                thread = threading.Thread(target=self._work, name=f"dispatch-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._jobs.put(claim)

    def await_one(self) -> None:
        """Wait until one claim is through, and count off every other that is."""
        claim = self._done.get()
        while True:
            self.flying[claim.ticket.subject.connection_id] -= 1
            try:
                claim = self._done.get_nowait()
            except queue.Empty:
                return

    def dismiss(self) -> None:
        """Let every thread finish what it has and end."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (claim := self._jobs.get()) is not None:
                try:
                    self._send(claim)
                except Exception:
                    # The posting keeps its lease until it ends; the janitor settles it.
                    logger.exception("posting %s: its answer could not be kept", claim.ticket.subject.posting_id)
                finally:
                    self._done.put(claim)
        finally:
            database.close()

    def _send(self, claim: Claim) -> None:
        connection = self.routes[claim.ticket.subject.connection_id]
        with door(connection) as way:
            answer = machine.send(claim, way.connector, time.monotonic)
            evidence = way.evidence()
        machine.record(self.store, claim, answer, random.random(), evidence)  # noqa: S311  (jitter, no secret)
        self._learn(connection, answer, claim)

    @staticmethod
    def _learn(connection: Connection, answer: Answer, claim: Claim) -> None:
        governor.note_answer(connection, answer, claim.ticket.asked_at)
