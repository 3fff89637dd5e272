"""The janitor: ended leases become doubt, doubt is looked up, refusals go to the desk. Nothing is ever sent here."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from connectors.models import Connection
from connectors.transport import Exchange
from finsync.audit.services import recording
from finsync.core import posting as rules
from finsync.core.lifecycle import PostingState
from finsync.core.posting import Move
from finsync.posting import machine
from finsync.posting.machine import Doubt, PostingStore, Sighting, Ticket
from finsync.posting.models import Posting
from finsync.posting.services import governor, sql
from finsync.posting.services.dispatch import owner
from finsync.posting.services.doors import door, route
from finsync.posting.services.rows import Row, fetch
from finsync.posting.services.store import PostgresStore, standing_of, subject_of

SETTLE_BATCH = 200
SETTLE_SECONDS_MAX = 40.0  # no new look-up after that; with one call's 45 s it stays below the task's 90 s
RENDERINGS_MAX = 12  # a target whose every period is closed needs a person

# Given a posting that the target refused because its period is closed, the accounting date to use instead, or None
# where a person must decide. Called inside the transaction that holds the posting's lock.
PeriodClosed = Callable[[Posting], date | None]
Write = Callable[[PostingStore, Doubt, Sighting, Sequence[Exchange]], Any]

_period_closed: list[PeriodClosed] = []


def register_period_closed(hook: PeriodClosed) -> None:
    """Name who finds the next open period for a posting whose own is closed; without one a person decides."""
    _period_closed[:] = [hook]


def settle_due(batch: int = SETTLE_BATCH) -> int:
    """Settle up to ``batch`` each of ended leases, refusals and doubts; returns how many were looked at."""
    store = PostgresStore(owner())
    done = store.expire_leases(batch) + route_rejected(batch)
    for doubt in store.take_paused(batch):
        ticket = doubt.ticket
        store.move(ticket, rules.route_paused(ticket.standing, ticket.route, ticket.asked_at))
        done += 1
    return done + _each(store, store.take_doubts, machine.settle, batch)


def verify_due(batch: int = SETTLE_BATCH) -> int:
    """Verify up to ``batch`` settled postings whose turn has come (R8); returns how many were asked for."""
    store = PostgresStore(owner())
    return _each(store, store.take_verifications, machine.verify, batch)


# ---- looking up ------------------------------------------------------------------------------------------------


def _each(store: PostgresStore, take: Callable[[int], Sequence[Doubt]], write: Write, batch: int) -> int:
    """Take one posting after another, so that none waits for another's call and other processes share the work."""
    done, ends_at = 0, time.monotonic() + SETTLE_SECONDS_MAX
    while done < batch and time.monotonic() < ends_at:
        taken = take(1)
        if not taken:
            break
        for doubt in taken:
            sighting, evidence = _ask(doubt)
            write(store, doubt, sighting, evidence)
        done += len(taken)
    return done


def _ask(doubt: Doubt) -> tuple[Sighting, Sequence[Exchange]]:
    """Look a posting up in its target, at the expense of the route's rate; learn from the answer."""
    ticket = doubt.ticket
    if not ticket.route.findable:
        return Sighting(failure="it has no search", for_ever=True), ()
    connection = Connection.objects.get(pk=ticket.subject.connection_id)
    governor.spend(connection.pk, 1)
    with door(connection) as way:
        sighting, evidence = machine.look_up(doubt, way.connector), way.evidence()
    if sighting.error is not None and not sighting.for_ever:
        governor.note_error(connection, sighting.error, ticket.asked_at)
    elif not sighting.failure:
        governor.note_success(connection)
    return sighting, evidence


# ---- refusals --------------------------------------------------------------------------------------------------


def route_rejected(batch: int = SETTLE_BATCH) -> int:
    """Send refused postings to their desk; a closed period first asks for the next open one. Returns how many."""
    store = PostgresStore(owner())
    with recording("system:router"):
        refused = fetch(sql.REJECTED_DUE, [batch])
        for row in refused:
            _route_one(store, row)
    return len(refused)


def _route_one(store: PostgresStore, row: Row) -> None:
    connection = Connection.objects.get(pk=row.connection_id)
    how = route(connection, row.doc_type) or rules.Route(idempotency="D", findable=False)
    ticket = Ticket(
        subject=subject_of(row, connection.name),
        fence=row.fence,
        standing=standing_of(row),
        route=how,
        asked_at=row.now,
    )
    code, why = row.exception_code, row.status_reason
    redated = _redated(row) if code == "ERP_PERIOD_CLOSED" else None
    if redated is None:
        store.apply(ticket, rules.to_desk(code, why, sends=row.sends, findable=how.findable))
        return
    # Through the desk's state but not onto the desk: the closed period has its answer, and what was sent is looked up.
    store.apply(ticket, Move(to=PostingState.EXCEPTION, reason=why, code=code))
    parked = replace(ticket.standing, state=PostingState.EXCEPTION)
    if store.apply(replace(ticket, fence=ticket.fence + 1, standing=parked), rules.redated(redated)) is None:
        raise RuntimeError(f"posting {row.id} moved although its row is locked")


def _redated(row: Row) -> date | None:
    """Let the hook find another date and write it as the next rendering; the original period is kept (R6)."""
    posting = Posting.objects.select_related("connection").get(pk=row.id)
    if posting.render_no >= RENDERINGS_MAX or not _period_closed:
        return None
    found = _period_closed[0](posting)
    if found is None or found == posting.accounting_date:
        return None
    posting.original_period = posting.original_period or f"{posting.accounting_date:%Y-%m}"
    posting.accounting_date, posting.render_no = found, posting.render_no + 1
    posting.save(update_fields=["original_period", "accounting_date", "render_no"])
    return found
