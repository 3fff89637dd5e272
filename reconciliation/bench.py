"""How long a full comparison takes against the bare join of the same rows (performance.md 3; for ``make bench``)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from statistics import median

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from finsync.audit.services import recording
from reconciliation.controls import CONTROLS
from reconciliation.models import Run
from reconciliation.services import cases
from reconciliation.services.compare import compare, set_for_join
from reconciliation.services.store import store

CONTROL = CONTROLS["R4"]
ACTOR = "system:bench"

# Invoices of two entities and currencies over a year, each side in its own random order as lists of systems come.
# Of every thousand pairs one differs in its amount and one is missing, on either side in turn.
_FILL = """
INSERT INTO recon_item (run_id, side, system, key, entity, currency, period, state, version, amount_minor, net_minor,
                        tax_minor, source_id, seen_at, document_date, payload_hash, facts)
SELECT %(run)s, %(side)s, 'bench', 'INV-' || lpad(n::text, 9, '0'), CASE WHEN n %% 3 = 0 THEN 'UK01' ELSE 'US01' END,
       CASE WHEN n %% 3 = 0 THEN 'GBP' ELSE 'USD' END, to_char(day, 'YYYY-MM'), 'paid', 1, cents, cents - 80, 80,
       'in_' || n, '2026-01-01Z', day, '', '{"account_id": "0015g00001"}'
  FROM (SELECT n, date '2026-01-01' + n %% 365 AS day,
               10000 + n %% 977 + CASE WHEN %(side)s = 'B' AND n %% 1000 = 7 THEN 1 ELSE 0 END AS cents
          FROM generate_series(1, %(rows)s) AS n
         WHERE n %% 1000 <> 500 OR (n %% 2000 = 500) = (%(side)s = 'A')) documents
 ORDER BY hashint8(n * CASE %(side)s WHEN 'A' THEN 3 ELSE 7 END)
"""
_BARE = """
SELECT count(*), sum(a.amount_minor), sum(b.amount_minor)
  FROM (SELECT entity, key, amount_minor FROM recon_item WHERE run_id = %(run)s AND side = 'A') a
  FULL OUTER JOIN (SELECT entity, key, amount_minor FROM recon_item WHERE run_id = %(run)s AND side = 'B') b
    ON a.entity = b.entity AND a.key = b.key
"""


@dataclass(frozen=True)
class Measured:
    """Medians in seconds: the full comparison (counts, totals, states, cells, variances and breaks stored), the bare
    join, and raising what was found on the desk, which is bounded and no part of the ratio."""

    rows: int
    repeats: int
    full_seconds: float
    bare_seconds: float
    desk_seconds: float
    variances: int

    @property
    def ratio(self) -> float:
        """Full comparison against bare join; to reach: 1.5 at a million rows per side."""
        return self.full_seconds / self.bare_seconds


def measure(rows: int = 1_000_000, repeats: int = 3) -> Measured:
    """Compare ``rows`` × ``rows`` items ``repeats`` times, in turn with the bare join, and leave nothing behind.

    Reading the sides is not part of it: both start from the same items.
    """
    run = _filled(rows)
    full, bare, desk = [], [], []
    try:
        for _ in range(repeats):
            bare.append(_timed(lambda: _bare(run)))
            with recording(ACTOR):  # rolled back, so that every round starts from the same state
                full.append(_timed(lambda: _full(run)))
                desk.append(_timed(lambda: cases.raise_all(run, CONTROL)))
                transaction.set_rollback(True)
    finally:
        with recording(ACTOR):
            run.delete()
        _vacuum()
    return Measured(rows, repeats, median(full), median(bare), median(desk), run.variances)


def _filled(rows: int) -> Run:
    with recording(ACTOR), database.cursor() as cursor:
        run = Run.objects.create(
            control=CONTROL.code, window_start=date(2026, 1, 1), window_end=date(2027, 1, 1), requested_by=ACTOR,
            started_at=timezone.now(),
        )  # fmt: skip
        for side in "AB":
            cursor.execute(_FILL, {"run": run.pk, "side": side, "rows": rows})
        run.items_a, run.items_b = (run.items.filter(side=side).count() for side in "AB")
    _vacuum()
    return run


def _vacuum() -> None:
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE recon_item")


def _full(run: Run) -> None:
    compare(run, CONTROL)
    store(run, CONTROL)


def _bare(run: Run) -> None:
    with transaction.atomic(), database.cursor() as cursor:
        set_for_join(cursor)
        cursor.execute(_BARE, {"run": run.pk})
        cursor.fetchall()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
