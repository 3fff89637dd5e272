"""Postings in PostgreSQL: claims and moves, each one transaction, each decided by compare-and-set.

Lock order (R7): posting, attempt, dependants, needs, desk, lane. A claim goes the other way, lane then posting, but
waits for neither (SKIP LOCKED). All times are the database's (R10); ``clock`` is replaced only by the tests that
simulate time.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import OperationalError
from django.db import connection as database

from connectors.models import Connection
from finsync.audit.services import current_actor, recording
from finsync.core import pace, posting
from finsync.core.keys import canonical_json, content_hash
from finsync.core.lifecycle import PostingState
from finsync.core.pace import Pace
from finsync.core.posting import Finding, Move, Route, Standing
from finsync.core.records.document import PostingDocument
from finsync.posting.machine import Claim, Claimed, Doubt, Note, Subject, Ticket
from finsync.posting.services import desk, governor, sql
from finsync.posting.services.doors import route
from finsync.posting.services.reading import amount_of, assemble
from finsync.posting.services.rows import Row, fetch, fetch_prepared, run

logger = logging.getLogger(__name__)

OWNER_ACTOR = "system:dispatch"
JANITOR_ACTOR = "system:janitor"
WRITE_TRIES_MAX = 3  # a deadlock or a lost database connection: every write is a compare-and-set, so it may be repeated
CLOCK = "clock_timestamp()"  # of the primary (R10)
LOOKUP_LEASE_SECONDS = 60  # longer than the 45 s one call may take; then another janitor looks

NO_NOTE = Note(outcome="")
T = TypeVar("T")
Render = Callable[[PostingDocument], dict[str, Any]]


class PostgresStore:
    """The production ``PostingStore``. ``owner`` names the process in leases and attempts."""

    def __init__(
        self,
        owner: str,
        *,
        clock: str = "",
        route_of: Callable[[Connection, str], Route | None] = route,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.owner, self.clock, self.route_of, self.monotonic = owner, clock or CLOCK, route_of, monotonic
        self._connections: dict[int, Connection] = {}

    # ---- sending ---------------------------------------------------------------------------------------------

    def claim(self, connection_id: int, limit: int, render: Render) -> Claimed:
        """See ``PostingStore.claim``; the governor decides how many, lanes are locked, then their first postings."""
        started = self.monotonic()
        return repeated(lambda: self._claim_once(connection_id, limit, render, started))

    def _claim_once(self, connection_id: int, limit: int, render: Render, started: float) -> Claimed:
        with recording(OWNER_ACTOR):
            allowed, now = governor.reserve(connection_id, self.clock)
            room = min(limit, allowed.slots)
            if room <= 0:
                return Claimed(again_seconds=allowed.again_seconds)
            lanes = fetch_prepared(sql.DUE_LANES, {"connection": connection_id, "now": now, "limit": room})
            if not lanes:
                return Claimed()
            wanted = {"connection": connection_id, "keys": [lane.key for lane in lanes]}
            heads = {row.lane: row for row in fetch_prepared(sql.HEADS, wanted)}
            ready = []
            for lane in lanes:
                head = heads.get(lane.key)
                if head is None or head.next_action_at > now:
                    run(sql.REST_LANE, [head.next_action_at if head else None, lane.id])
                    continue
                claim = self._prepared(head, lane.id, now, render, started)
                if claim is not None:
                    ready.append(claim)
            claims = self._take(connection_id, ready, now, allowed.pace)
        return Claimed(claims=claims, again_seconds=0)

    def _prepared(self, head: Row, lane_id: int, now: Any, render: Render, started: float) -> Claim | None:
        """Return a claim not yet taken, or None after putting a posting that cannot go on the desk."""
        how = self.route_of(self._connection(head.connection_id), head.doc_type)
        subject, standing = self._subject(head), standing_of(head)
        ticket = Ticket(
            subject=subject, fence=head.fence, standing=standing, route=how or posting.Route(idempotency="D"),
            asked_at=now, lane_id=lane_id,
        )  # fmt: skip
        findable = how is not None and how.findable
        if how is None:
            why = f"{subject.connection} cannot post a {head.doc_type}"
            self.apply(ticket, posting.to_desk("ERP_POST_REJECTED", why, sends=head.sends, findable=findable))
            return None
        if posting.attempts_exhausted(head.attempts):
            self.apply(ticket, posting.exhausted(standing, findable, head.status_reason))
            return None
        try:
            document = _document(head)
            body = render(document)
            content_hash(body)
        except Exception as error:
            logger.exception("posting %s cannot be rendered", head.id)
            why = f"it cannot be rendered: {error!r}"
            self.apply(ticket, posting.to_desk("ERP_POST_REJECTED", why, sends=head.sends, findable=findable))
            return None
        return Claim(ticket=ticket, document=document, body=body, resume_id=head.resume_id, claimed_at=started)

    def _take(self, connection_id: int, ready: Sequence[Claim], now: Any, held: Pace) -> list[Claim]:
        """Write lease, fence and attempt of every claim, lease its lane, and keep what the route's pace is now."""
        ids = [claim.ticket.subject.posting_id for claim in ready]
        after = pace.spent(held, len(ready))
        values = {
            "ids": ids,
            "bodies": [canonical_json(claim.body).decode() for claim in ready],
            "hashes": [content_hash(claim.body) for claim in ready],
            "lanes": [claim.ticket.lane_id for claim in ready],
            "owner": self.owner,
            "now": now,
            "lease": ready[0].ticket.route.lease_seconds if ready else 0,
            "connection": connection_id,
            "tokens": after.tokens,
            "tokens_at": after.tokens_at,
            "concurrency": after.concurrency_now,
            "concurrency_changed_at": after.concurrency_changed_at,
        }
        taken = {row.id: row for row in fetch_prepared(sql.TAKE, values)}
        return [_taken(claim, taken[claim.ticket.subject.posting_id], now) for claim in ready]

    def move(self, ticket: Ticket, move: Move, note: Note | None = None) -> Move | None:
        """See ``PostingStore.move``; everything a move entails (needs, lane, desk) is in its transaction."""
        applied = repeated(lambda: self._write(ticket, move, note))
        if applied is None and move.while_leased:
            applied = repeated(lambda: self._write(ticket, posting.late(move), note))
        if applied is None:
            logger.warning("posting %s: a stale %s was refused (R2)", ticket.subject.posting_id, move.to)
        return applied

    def _write(self, ticket: Ticket, move: Move, note: Note | None) -> Move | None:
        """Apply a move: where it is one statement, that is the transaction."""
        actor = OWNER_ACTOR if ticket.attempt == "SEND" else JANITOR_ACTOR
        if not (move.on_desk or _off_the_desk(ticket, move) or _wakes(ticket, move)):
            return self.apply(ticket, move, note, actor)
        with recording(actor):
            return self.apply(ticket, move, note, actor)

    def apply(self, ticket: Ticket, move: Move, note: Note | None = None, actor: str = "") -> Move | None:
        """Write one move; None where state, fence or lease do not fit.

        Without ``actor`` it runs inside the caller's ``recording``, under its actor.
        """
        values = sql.move_values(actor or current_actor(), ticket, move, note or NO_NOTE)
        if not fetch_prepared(sql.move(self.clock), values):
            return None
        posting_id = ticket.subject.posting_id
        if move.on_desk:
            desk.put_posting(ticket.subject, move.code, move.reason)
        elif _off_the_desk(ticket, move):
            desk.take_posting_off(posting_id, _evidence(move))
        if _wakes(ticket, move):
            run(sql.WAKE_LANE, [posting_id])
        return move

    # ---- doubt -----------------------------------------------------------------------------------------------

    def expire_leases(self, limit: int) -> int:
        """See ``PostingStore.expire_leases``."""
        move = posting.lease_expired()
        values = {"reason": move.reason, "next": move.next_seconds, "limit": limit}
        with recording(JANITOR_ACTOR):
            expired = fetch(sql.expire(self.clock), values)
            if expired:
                run(sql.CLOSE_EXPIRED, [[row.id for row in expired]])
        return len(expired)

    def take_doubts(self, limit: int) -> Sequence[Doubt]:
        """See ``PostingStore.take_doubts``."""
        values = {"limit": limit, "lease": LOOKUP_LEASE_SECONDS, "working": True}
        return self._taken_to_look(sql.take_doubts(self.clock), values, "LOOKUP")

    def take_paused(self, limit: int) -> Sequence[Doubt]:
        """Take due doubts of paused routes: they cannot be asked and only grow old, so no attempt is opened."""
        values = {"limit": limit, "lease": LOOKUP_LEASE_SECONDS, "working": False}
        return self._taken_to_look(sql.take_doubts(self.clock), values, "")

    def take_verifications(self, limit: int) -> Sequence[Doubt]:
        """See ``PostingStore.take_verifications``."""
        values = {"limit": limit, "lease": LOOKUP_LEASE_SECONDS}
        return self._taken_to_look(sql.take_verifications(self.clock), values, "VERIFY")

    def _taken_to_look(self, statement: str, values: dict[str, Any], kind: str) -> list[Doubt]:
        with recording(JANITOR_ACTOR):
            rows = fetch(statement, values)
            doubts = []
            for row in rows:
                # A janitor that died left its attempt open; its fence is older, so it may be closed.
                run(sql.CLOSE_LOST_LOOKUP, [row.id])
                if kind:
                    run(sql.OPEN_LOOKUP, [row.id, row.fence, kind, self.owner, row.now])
                how = self.route_of(self._connection(row.connection_id), row.doc_type)
                ticket = Ticket(
                    subject=self._subject(row), fence=row.fence, standing=standing_of(row),
                    route=how or posting.Route(idempotency="D", findable=False), asked_at=row.now, attempt=kind,
                )  # fmt: skip
                doubts.append(Doubt(ticket=ticket, document=_document(row)))
        return doubts

    def found(self, ticket: Ticket, finding: Finding, note: Note) -> None:
        """See ``PostingStore.found``: R8 writes evidence and cases, never a state."""
        values = {
            "id": ticket.subject.posting_id,
            "fence": ticket.fence,
            "state": ticket.standing.state,
            "next": finding.next_seconds,
            "counted": 1 if finding.counts else 0,
        }
        with recording("system:verify"):
            if not run(sql.verified(self.clock), values):
                return
            run(sql.CLOSE_ATTEMPT, sql.closing(ticket, note))
            if finding.code:
                desk.put_posting(ticket.subject, finding.code, finding.detail)
            elif finding.detail and ticket.standing.state == PostingState.EXCEPTION:
                run(sql.TELL, [finding.detail, ticket.subject.posting_id])

    # ---- inside ----------------------------------------------------------------------------------------------

    def _connection(self, connection_id: int) -> Connection:
        if connection_id not in self._connections:
            self._connections[connection_id] = Connection.objects.get(pk=connection_id)
        return self._connections[connection_id]

    def _subject(self, row: Row) -> Subject:
        return subject_of(row, self._connection(row.connection_id).name)


def subject_of(row: Any, connection: str) -> Subject:
    """Return what a posting row is, for tickets and the desk."""
    return Subject(
        posting_id=row.id,
        connection_id=row.connection_id,
        connection=connection,
        doc_type=row.doc_type,
        business_key=row.business_key,
        external_ref=row.external_ref,
        entity=row.entity,
        amount=amount_of(row),
        correlation_id=row.correlation_id,
        customer_key=row.customer_key,
        contract_number=row.contract_number,
        contract_version=row.contract_version,
        original_period=row.original_period,
        accounting_period=f"{row.accounting_date:%Y-%m}",
    )


def repeated(write: Callable[[], T]) -> T:
    """Run a compare-and-set write, again after a deadlock or a lost connection (reliability.md 8.30 and 8.32)."""
    for tried in range(1, WRITE_TRIES_MAX + 1):
        try:
            return write()
        except OperationalError:
            if tried == WRITE_TRIES_MAX or database.in_atomic_block:
                raise
            database.close_if_unusable_or_obsolete()
    raise AssertionError("unreachable")


def _taken(claim: Claim, row: Row, now: Any) -> Claim:
    standing = Standing(
        state=PostingState.SENDING,
        intent=claim.ticket.standing.intent,
        sends=row.sends,
        attempts=row.attempts,
        lease_ended_at=row.lease_until,
    )
    ticket = Ticket(
        subject=claim.ticket.subject, fence=row.fence, standing=standing, route=claim.ticket.route, asked_at=now,
        attempt="SEND", lane_id=claim.ticket.lane_id, lease_until=row.lease_until,
    )  # fmt: skip
    return Claim(
        ticket=ticket, document=claim.document, body=claim.body, resume_id=claim.resume_id, claimed_at=claim.claimed_at
    )


def standing_of(row: Row) -> Standing:
    """Return what the machine needs to know of a posting row."""
    return Standing(
        state=PostingState(row.status),
        intent=row.intent,
        sends=row.sends,
        attempts=row.attempts,
        lookups=row.lookups,
        negatives=row.negatives,
        first_negative_at=row.first_negative_at,
        first_sent_at=row.first_sent_at,
        lease_ended_at=row.last_lease_until,
        doubtful_since=row.doubtful_since,
        document_id=row.erp_document_id or "",
        verified_count=row.verified_count,
    )


def _document(row: Row) -> PostingDocument:
    stored = row.but(document=json.loads(row.document))
    return assemble(stored, json.loads(row.lines or "[]"), json.loads(row.reference_ids or "{}"))


def _off_the_desk(ticket: Ticket, move: Move) -> bool:
    """Whether a move ends what may stand on the desk. Fence 1 is a first send: nothing can have gone wrong before."""
    if move.to in (PostingState.POSTED, PostingState.CANCELLED):
        return ticket.fence > 1
    return ticket.attempt == "LOOKUP" and move.to == PostingState.READY


def _wakes(ticket: Ticket, move: Move) -> bool:
    """Whether a lane has to be woken; after a send the move itself frees it."""
    return move.to == PostingState.READY and ticket.attempt != "SEND"


def _evidence(move: Move) -> str:
    if move.to == PostingState.POSTED:
        return f"posted as {move.number or move.document_id}"
    return move.reason
