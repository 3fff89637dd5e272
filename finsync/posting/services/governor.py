"""Pace and health of each connection, kept in PostgreSQL so that all workers share them (core.pace decides).

A route that fails several times in a row is paused, and probed until it answers; a paused route burns no attempts.
"""

import logging
from datetime import datetime, timedelta

from django.db import connection as database
from django.db.models import Q
from django.utils import timezone

from connectors.errors import AuthFailed, ConnectorError, TryLater
from connectors.models import Connection
from connectors.models.connection import ConnectionState
from finsync.audit.services import recording
from finsync.core import pace
from finsync.core.pace import Allowance, Pace
from finsync.core.posting import Answer, Verdict
from finsync.posting.services import desk, sql
from finsync.posting.services.doors import door
from finsync.posting.services.rows import Row, fetch, fetch_prepared, run

logger = logging.getLogger(__name__)

DETAIL_CHARACTERS_MAX = 500

# Under way: claimed by somebody whose lease still runs.
IN_FLIGHT = """
SELECT count(*) AS n FROM posting_attempt a JOIN posting p ON p.id = a.posting_id
 WHERE a.outcome IS NULL AND a.kind = 'SEND' AND p.connection_id = %s AND p.status = 'SENDING' AND p.lease_until > %s
"""
PACE = """
SELECT state, rate_per_second::float8, tokens::float8, tokens_at, concurrency_max, concurrency_now,
       concurrency_changed_at, not_before, {clock} AS now
  FROM connection WHERE id = %s FOR NO KEY UPDATE
"""
KEEP_PACE = """
UPDATE connection SET tokens = %s, tokens_at = %s, concurrency_now = %s, concurrency_changed_at = %s, not_before = %s
 WHERE id = %s
"""
WORKED = """
UPDATE connection SET failures_in_a_row = 0, last_success_at = clock_timestamp()
 WHERE id = %s AND (failures_in_a_row > 0 OR last_success_at IS NULL
                    OR last_success_at < clock_timestamp() - make_interval(secs => %s))
"""
FAILED = """
UPDATE connection SET failures_in_a_row = failures_in_a_row + 1, last_failure_at = clock_timestamp(), last_failure = %s
 WHERE id = %s RETURNING failures_in_a_row, state
"""


def reserve(connection_id: int, clock: str) -> tuple[Allowance, datetime]:
    """Lock a connection's pace and return what may start now, with the database's time. Inside a transaction."""
    row = fetch_prepared(PACE.format(clock=clock), [connection_id])[0]
    held = _pace(row)
    if row.state != ConnectionState.ACTIVE:
        return Allowance(slots=0, again_seconds=pace.PROBE_SECONDS, pace=held), row.now
    in_flight = fetch_prepared(IN_FLIGHT, [connection_id, row.now])[0].n
    return pace.allowance(held, row.now, in_flight), row.now


def keep(connection_id: int, held: Pace) -> None:
    """Store the pace that ``reserve`` locked."""
    with database.cursor() as cursor:
        cursor.execute(
            KEEP_PACE,
            [
                held.tokens,
                held.tokens_at,
                held.concurrency_now,
                held.concurrency_changed_at,
                held.not_before,
                connection_id,
            ],
        )


def spend(connection_id: int, calls: int) -> None:
    """Count calls that are not held back (look-ups) against the rate."""
    with database.cursor() as cursor:
        cursor.execute("UPDATE connection SET tokens = tokens - %s WHERE id = %s", [calls, connection_id])


def note_answer(connection: Connection, answer: Answer, asked_at: datetime) -> None:
    """Learn from one send that did not work: the route is throttled, or fails and may have to pause.

    That it works is written down with the posting's own move.
    """
    match answer.verdict:
        case Verdict.TRY_LATER:
            note_error(
                connection,
                TryLater(answer.detail, retry_after_seconds=answer.retry_after_seconds, http_status=answer.http_status),
                asked_at,
            )
        case Verdict.AUTH_FAILED:
            note_error(connection, AuthFailed(answer.detail, http_status=answer.http_status), asked_at)
        case Verdict.UNKNOWN:
            _failed(connection, answer.detail)


def note_success(connection: Connection) -> None:
    """The route answered a look-up."""
    with database.cursor() as cursor:
        cursor.execute(WORKED, [connection.pk, sql.SUCCESS_NOTED_EVERY_SECONDS])


def note_error(connection: Connection, error: ConnectorError, asked_at: datetime) -> None:
    """Learn from one of the six errors."""
    if isinstance(error, AuthFailed):
        _pause(connection, "ERP_AUTH_FAILED", error.detail)
        return
    if isinstance(error, TryLater) and (error.http_status == 429 or error.retry_after_seconds):
        with recording("system:governor"):
            row = fetch(PACE.format(clock="clock_timestamp()"), [connection.pk])[0]
            keep(connection.pk, pace.throttled(_pace(row), row.now, asked_at, error.retry_after_seconds))
    _failed(connection, error.detail)


def probe_paused() -> int:
    """Ask paused and waiting connections that are due whether they answer; returns how many work again."""
    return sum(_probe(connection) for connection in _due_for_probe())


def probe_now(connection_id: int) -> str:
    """Ask one connection at once, because a person wants to know; returns what came of it."""
    connection = Connection.objects.get(pk=connection_id)
    if connection.state == ConnectionState.ACTIVE:
        return f"{connection.name} works already"
    if _probe(connection):
        return f"{connection.name} answers again; its postings go by themselves"
    connection.refresh_from_db(fields=["last_failure"])
    return f"{connection.name} still does not answer: {connection.last_failure}"


def _probe(connection: Connection) -> bool:
    """Ask a connection whether it answers, and resume it if so."""
    try:
        with door(connection) as way:
            answer = way.connector.ping()
    except (ConnectorError, KeyError) as error:
        _still_down(connection, str(error))
        return False
    except Exception as error:
        logger.exception("probe of %s failed in an unknown way", connection.name)
        _still_down(connection, repr(error))
        return False
    _resume(connection, answer)
    return True


def _due_for_probe() -> list[Connection]:
    """Take the probes that are due, so that two probers do not ask at once."""
    with recording("system:governor"):
        due = list(
            Connection.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(state__in=(ConnectionState.PAUSED, ConnectionState.WAITING))
            .filter(Q(probe_at=None) | Q(probe_at__lte=timezone.now()))
        )
        for connection in due:
            waiting = connection.state == ConnectionState.WAITING
            pause = pace.WAITING_PROBE_SECONDS if waiting else pace.PROBE_SECONDS
            Connection.objects.filter(pk=connection.pk).update(probe_at=timezone.now() + timedelta(seconds=pause))
    return due


def _resume(connection: Connection, answer: str) -> None:
    with recording("system:governor"):
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.state == ConnectionState.ACTIVE:
            return
        row.state, row.state_reason, row.probe_at, row.failures_in_a_row = ConnectionState.ACTIVE, answer[:500], None, 0
        row.last_success_at = timezone.now()
        row.save()
        run(sql.WAKE_DOUBTS, [connection.pk])
        desk.take_route_off(connection.pk, f"answers again: {answer}")


def _still_down(connection: Connection, detail: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE connection SET last_failure_at = clock_timestamp(), last_failure = %s WHERE id = %s",
            [detail[:DETAIL_CHARACTERS_MAX], connection.pk],
        )


def _failed(connection: Connection, detail: str) -> None:
    row = fetch(FAILED, [detail[:DETAIL_CHARACTERS_MAX], connection.pk])[0]
    if row.failures_in_a_row >= pace.FAILURES_IN_A_ROW_MAX and row.state == ConnectionState.ACTIVE:
        words = f"{row.failures_in_a_row} calls in a row failed, the last one with: {detail}"
        _pause(connection, "ERP_ROUTE_PAUSED", words)


def _pause(connection: Connection, code: str, detail: str) -> None:
    with recording("system:governor"):
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.state != ConnectionState.ACTIVE:
            return
        row.state, row.state_reason = ConnectionState.PAUSED, detail[:DETAIL_CHARACTERS_MAX]
        row.probe_at = timezone.now() + timedelta(seconds=pace.PROBE_SECONDS)
        row.last_failure, row.last_failure_at = detail[:DETAIL_CHARACTERS_MAX], timezone.now()
        row.save()
        desk.put_route(code, connection.pk, connection.name, detail)


def _pace(row: Row) -> Pace:
    return Pace(
        rate_per_second=row.rate_per_second,
        tokens=row.tokens,
        tokens_at=row.tokens_at,
        concurrency_max=row.concurrency_max,
        concurrency_now=row.concurrency_now,
        concurrency_changed_at=row.concurrency_changed_at,
        not_before=row.not_before,
    )
