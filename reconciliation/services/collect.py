"""Reading both sides of a control into items, in batches, so that memory stays flat whatever the size."""

import json
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import islice

from django.db import connection as database
from django.db import transaction

from connectors.contract import Window
from connectors.errors import ConnectorError
from connectors.models import Connection
from connectors.models.connection import ConnectionState
from connectors.registry import connect, connector_class
from finsync.core.records.observed import Observed
from reconciliation.book import COLUMNS, SIDES
from reconciliation.controls import Control, Held, Shown, Span
from reconciliation.models import Run

BATCH_ROWS = 2_000
# Documents are read this far beyond the window: a pair may straddle its edge (dated in January, booked in February).
MARGIN = timedelta(days=31)

_COPY = f"COPY recon_item (run_id, side, {COLUMNS}, net_minor, tax_minor, payload_hash) FROM STDIN"
_INSERT = (
    f"INSERT INTO recon_item (run_id, side, {COLUMNS}, payload_hash)"  # noqa: S608  (both parts are ours)
    " SELECT %(run)s, %(side)s, shown.*, '' FROM ({query}) AS shown"
)
# Outside the window only what pairs with something inside stays.
_TRIM = """
DELETE FROM recon_item edge WHERE edge.run_id = %(run)s
   AND (edge.document_date < %(start)s OR edge.document_date >= %(end)s)
   AND NOT EXISTS (SELECT 1 FROM recon_item inside WHERE inside.run_id = edge.run_id AND inside.key = edge.key
                      AND inside.entity = edge.entity AND inside.side <> edge.side
                      AND inside.document_date >= %(start)s AND inside.document_date < %(end)s)
"""
_ZEROES = """
INSERT INTO recon_item (run_id, side, system, key, entity, currency, period, state, version, amount_minor, source_id,
                        document_date, payload_hash, facts)
SELECT run_id, CASE side WHEN 'A' THEN 'B' ELSE 'A' END, '', key, entity, currency, period, '', 0, 0, '',
       document_date, '', '{"implied": "nothing shown, so zero"}'
  FROM recon_item shown WHERE run_id = %(run)s
   AND NOT EXISTS (SELECT 1 FROM recon_item other WHERE other.run_id = shown.run_id AND other.key = shown.key
                      AND other.entity = shown.entity AND other.side <> shown.side)
"""


class CannotRead(Exception):
    """A side cannot be read as a whole; the message says which and why. Half a side would show false breaks."""


class TakenOver(Exception):
    """Another worker has taken this run since; nothing more may be written under the old fence."""


def problem_of(side: Shown | Held) -> str:
    """Return why a side cannot be read at the moment, "" where it can."""
    if isinstance(side, Held):
        return ""
    found = Connection.objects.filter(roles__contains=[side.role]).order_by("pk")
    able = [each for each in found if side.object in connector_class(each.kind).capabilities.observes]
    if not able:
        return f"no {side.role} connection can show {side.object} documents"
    idle = [each for each in able if each.state != ConnectionState.ACTIVE]
    return "; ".join(f"{each.title} is {each.state.lower()}{_because(each)}" for each in idle)


def _because(connection: Connection) -> str:
    return f" ({connection.state_reason})" if connection.state_reason else ""


def collect(run: Run, control: Control) -> None:
    """Read both sides into items of ``run`` and set its counts. Raises CannotRead and TakenOver."""
    # What finsync holds is read last: it wrote every send down before it was sent, so that a document which appears in
    # the target meanwhile is known here. The other way round it would look like one made by hand.
    for letter, side in sorted(zip("AB", control.sides, strict=True), key=lambda one: isinstance(one[1], Held)):
        problem = problem_of(side)
        if problem:
            raise CannotRead(f"{side.name} cannot be read: {problem}.")
        if isinstance(side, Held):
            _hold(run, control, letter, side)
        else:
            _show(run, control, letter, side)
    parameters = {"run": run.pk, "start": run.window_start, "end": run.window_end}
    with transaction.atomic(), database.cursor() as cursor:
        check_fence(run)
        if control.span is Span.DOCUMENTS:
            cursor.execute(_TRIM, parameters)
        if control.absent_is_zero:
            cursor.execute(_ZEROES, parameters)
        cursor.execute(
            "SELECT count(*) FILTER (WHERE side = 'A'), count(*) FILTER (WHERE side = 'B')"
            " FROM recon_item WHERE run_id = %s",
            [run.pk],
        )
        run.items_a, run.items_b = cursor.fetchone()


def check_fence(run: Run) -> None:
    """Hold the run against a take-over until the transaction ends. Raises TakenOver where it has happened."""
    if not Run.objects.select_for_update().filter(pk=run.pk, started_at=run.started_at, state="RUNNING").exists():
        raise TakenOver(f"run {run.pk} was taken over")


def _reach(run: Run, control: Control) -> tuple[date, date]:
    margin = MARGIN if control.span is Span.DOCUMENTS else timedelta(0)
    return run.window_start - margin, run.window_end + margin


def _hold(run: Run, control: Control, letter: str, side: Held) -> None:
    start, end = _reach(run, control)
    with transaction.atomic(), database.cursor() as cursor:
        check_fence(run)
        cursor.execute(
            _INSERT.format(query=SIDES[side.query]), {"run": run.pk, "side": letter, "start": start, "end": end}
        )


def _show(run: Run, control: Control, letter: str, side: Shown) -> None:
    start, end = _reach(run, control)
    for connection in Connection.objects.filter(roles__contains=[side.role]).order_by("pk"):
        if side.object not in connector_class(connection.kind).capabilities.observes:
            continue
        window = Window(start=start, end=end, entities=tuple(connection.entities))
        try:
            rows = iter(connect(connection).observe(side.object, window))
            for batch in _batches(row for row in rows if _wanted(row, side)):
                _store(run, letter, connection.name, side, batch)
        except ConnectorError as error:
            what = f"{connection.title} could not be read ({type(error).__name__})"
            raise CannotRead(f"{what}: {error.detail}") from error


def _wanted(row: Observed, side: Shown) -> bool:
    fact, value = side.leave_out
    return not fact or row.facts.get(fact) != value


def _batches(rows: Iterable[Observed]) -> Iterator[list[Observed]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch


def _store(run: Run, letter: str, system: str, side: Shown, rows: list[Observed]) -> None:
    with transaction.atomic(), database.cursor() as cursor:
        check_fence(run)
        with cursor.copy(_COPY) as copy:
            for row in rows:
                state = side.states.get(row.state, row.state)
                facts = row.facts if state == row.state else {**row.facts, "state": row.state}
                copy.write_row((
                    run.pk, letter, system, row.key, row.entity, row.currency, row.period, state, row.version,
                    row.amount.minor, row.source_id, None, row.document_date, json.dumps(facts),
                    row.net.minor if row.net is not None else None,
                    row.tax.minor if row.tax is not None else None,
                    row.payload_hash,
                ))  # fmt: skip
