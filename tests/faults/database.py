"""The fault histories over real PostgreSQL: the production store with a simulated clock inside its statements."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection as database
from django.db.models import Min

from connectors.models import Connection
from finsync.core import posting as rules
from finsync.core.posting import Finding, Move, Refusal, Route, Standing
from finsync.posting.machine import Claimed, Doubt, Note, Ticket
from finsync.posting.models import Posting
from finsync.posting.services import actions, janitor, store
from finsync.posting.services.rows import run
from tests.faults.memory import EPOCH
from tests.posting import prepared

DOC_TYPE_OF = {"A": "payment", "B": "invoice", "C": "journal"}
# Session settings hold the simulated seconds; the statements of the store read them instead of the clock.
CLOCK_FUNCTION = """
CREATE OR REPLACE FUNCTION sim_now() RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT timestamptz '2026-01-05 00:00:00+00' + current_setting('sim.seconds')::float8 * interval '1 second' $$
"""


def use_simulated_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every store made from now on take its time from ``sim_now()``."""
    run(CLOCK_FUNCTION)
    monkeypatch.setattr(store, "CLOCK", "sim_now()")


class DatabaseStore:
    """The production store behind the interface the histories use; ``count`` postings in ``lanes`` lanes."""

    def __init__(self, clock: Callable[[], float], route: Route, count: int, lanes: int, name: str) -> None:
        self.clock, self.stale = clock, 0
        self.connection: Connection = prepared.target(
            name, lease_seconds=int(route.lease_seconds), quiesce_seconds=int(route.quiesce_seconds),
            lag_seconds=int(route.lag_seconds), tokens_at=EPOCH, concurrency_changed_at=EPOCH,
        )  # fmt: skip
        self.rows = prepared.postings(
            self.connection, count, DOC_TYPE_OF[route.idempotency], prefix=name, lanes=lanes, amount_minor=100
        )
        prepared.refuse(self.rows[-1])
        self._reset_times()
        self.inner = store.PostgresStore("sim", monotonic=clock)

    def _reset_times(self) -> None:
        run("UPDATE posting SET next_action_at = %s WHERE connection_id = %s", [EPOCH, self.connection.pk])
        run("UPDATE posting_lane_head SET next_action_at = %s WHERE connection_id = %s", [EPOCH, self.connection.pk])

    def _tell_time(self) -> None:
        with database.cursor() as cursor:
            cursor.execute("SELECT set_config('sim.seconds', %s, false)", [str(self.clock())])

    def claim(self, connection_id: int, limit: int, render: Any) -> Claimed:
        self._tell_time()
        return self.inner.claim(self.connection.pk, limit, render)

    def move(self, ticket: Ticket, move: Move, note: Note | None = None) -> Move | None:
        self._tell_time()
        applied = self.inner.move(ticket, move, note)
        self.stale += applied is None
        return applied

    def expire_leases(self, limit: int) -> int:
        self._tell_time()
        return self.inner.expire_leases(limit)

    def take_doubts(self, limit: int) -> Sequence[Doubt]:
        self._tell_time()
        return self.inner.take_doubts(limit)

    def take_verifications(self, limit: int) -> Sequence[Doubt]:
        self._tell_time()
        return self.inner.take_verifications(limit)

    def found(self, ticket: Ticket, finding: Finding, note: Note) -> None:
        self._tell_time()
        self.inner.found(ticket, finding, note)

    def route_rejected(self) -> None:
        self._tell_time()
        janitor.route_rejected()

    def wake_doubts(self) -> None:
        self._tell_time()
        run(
            "UPDATE posting SET next_action_at = sim_now() WHERE connection_id = %s AND status IN ('UNKNOWN', 'ACCEPTED')",
            [self.connection.pk],
        )

    def ask(self, posting_id: int, wish: Callable[[Standing], Move | Refusal]) -> bool:
        self._tell_time()
        try:
            if wish is rules.retry_asked:
                actions.retry(posting_id, "user:ada")
            else:
                proposal = actions.propose_cancel(posting_id, "not wanted", "user:ada")
                actions.confirm(proposal.pk, "user:ben")
        except actions.ConflictError:
            return False
        return True

    def next_due(self) -> float:
        due = self._postings().aggregate(due=Min("next_action_at"))["due"]
        return (due - EPOCH).total_seconds() if due is not None else float("inf")

    def on_desk(self) -> list[int]:
        return list(self._postings().filter(status="EXCEPTION").values_list("id", flat=True))

    def standings(self) -> dict[str, tuple[str, str, list[str]]]:
        from exceptions_queue.models import Occurrence

        cases: dict[int, list[str]] = {}
        for posting_id, code in Occurrence.objects.filter(subject_type="posting").values_list(
            "subject_id", "case__code"
        ):
            cases.setdefault(posting_id, []).append(code)
        return {
            row.external_ref: (row.status, row.erp_document_id or "", cases.get(row.pk, [])) for row in self._postings()
        }

    def _postings(self) -> Any:
        return Posting.objects.filter(connection=self.connection).order_by("id")
