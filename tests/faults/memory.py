"""Postings in memory: the compare-and-set contract of the PostgreSQL store, and its invariants, without a database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from finsync.core import posting as rules
from finsync.core.keys import external_ref
from finsync.core.lifecycle import PostingState, check
from finsync.core.money import Money
from finsync.core.posting import Finding, Move, Refusal, Route, Standing
from finsync.core.records.document import DocType, PostingDocument
from finsync.posting.machine import Claim, Claimed, Doubt, Note, Subject, Ticket
from tests.posting.prepared import RECORD

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
LOOKUP_LEASE_SECONDS = 60


@dataclass
class Kept:
    """One posting as the store holds it. Times are seconds of the simulated clock."""

    id: int
    lane: str
    document: PostingDocument
    status: PostingState = PostingState.READY
    code: str = ""
    intent: str = "post"
    sends: int = 0
    attempts: int = 0
    lookups: int = 0
    negatives: int = 0
    first_negative_at: datetime | None = None
    first_sent: float | None = None
    last_lease: float | None = None
    lease_until: float | None = None
    doubtful_since: float | None = None
    fence: int = 0
    next_at: float | None = 0.0
    resume_id: str = ""
    document_id: str = ""
    verify_at: float | None = None
    verified: int = 0
    cases: list[str] = field(default_factory=list)


class Memory:
    """A ``PostingStore`` for one connection. ``clock`` returns seconds; ``stale`` counts refused writes (R2)."""

    def __init__(self, clock: Callable[[], float], route: Route, count: int, lanes: int) -> None:
        self.clock, self.route, self.stale = clock, route, 0
        self.rows = {number: Kept(number, f"lane {number % lanes}", _document(number)) for number in range(count)}
        self.lanes: dict[str, float] = {}  # lane → end of its lease

    def claim(self, connection_id: int, limit: int, render: Callable[[PostingDocument], dict[str, Any]]) -> Claimed:
        now, claims = self.clock(), []
        for row in self._heads(now):
            if len(claims) >= limit:
                break
            if rules.attempts_exhausted(row.attempts):
                self._write(row, rules.exhausted(self._standing(row), self.route.findable, row.code), 1)
                continue
            claims.append(self._take(row, now, render))
        return Claimed(claims=claims, again_seconds=0 if claims else None)

    def _heads(self, now: float) -> list[Kept]:
        heads: dict[str, Kept] = {}
        for row in self.rows.values():
            if row.status == PostingState.READY:
                heads.setdefault(row.lane, row)
        return [row for row in heads.values() if (row.next_at or 0) <= now and self.lanes.get(row.lane, 0) <= now]

    def _take(self, row: Kept, now: float, render: Callable[[PostingDocument], dict[str, Any]]) -> Claim:
        check("posting", row.status, PostingState.SENDING)
        row.status, row.fence = PostingState.SENDING, row.fence + 1
        row.sends, row.attempts = row.sends + 1, row.attempts + 1
        row.lookups, row.negatives, row.first_negative_at = 0, 0, None
        row.first_sent = now if row.first_sent is None else row.first_sent
        row.lease_until = row.last_lease = row.next_at = now + self.route.lease_seconds
        row.verify_at = None
        self.lanes[row.lane] = row.lease_until
        ticket = replace(self._ticket(row, "SEND"), lane_id=row.id, lease_until=_at(row.lease_until))
        body = render(row.document)
        return Claim(ticket=ticket, document=row.document, body=body, resume_id=row.resume_id, claimed_at=now)

    def move(self, ticket: Ticket, move: Move, note: Note | None = None) -> Move | None:
        row = self.rows[ticket.subject.posting_id]
        if not self._fits(row, ticket):
            self.stale += 1
            return None
        if move.while_leased and not (row.lease_until is not None and row.lease_until > self.clock()):
            move = rules.late(move)
        self._write(row, move, 0 if ticket.attempt else 1)
        if ticket.attempt == "SEND" and self.lanes.get(row.lane) == _seconds(ticket.lease_until):
            self.lanes[row.lane] = 0
        return move

    def _fits(self, row: Kept, ticket: Ticket) -> bool:
        return row.fence == ticket.fence and row.status == ticket.standing.state

    def _write(self, row: Kept, move: Move, bump: int) -> None:
        now = self.clock()
        if move.to != row.status:
            check("posting", row.status, move.to)
            if row.sends and move.to in (PostingState.READY, PostingState.CANCELLED):
                assert row.status in self.may_become_ready_after_a_send, (
                    "it was sent before and must be looked up first"
                )
            row.doubtful_since = now
        row.status, row.fence, row.lease_until = move.to, row.fence + bump, None
        row.code = move.code if move.to in (PostingState.EXCEPTION, PostingState.REJECTED) else ""
        row.next_at = now + move.next_seconds if move.next_seconds is not None else None
        row.attempts = 0 if move.fresh else max(row.attempts - move.refund_attempt, 0)
        row.intent = row.intent if move.intent is None else move.intent
        row.resume_id = row.resume_id if move.resume_id is None else move.resume_id
        row.lookups, row.negatives, row.first_negative_at = move.lookups, move.negatives, move.first_negative_at
        row.document_id = move.document_id
        row.verify_at = now + move.verify_seconds if move.verify_seconds is not None else None
        row.verified = 0
        if move.on_desk:
            row.cases.append(move.code)
        assert (row.status == PostingState.POSTED) == bool(row.document_id), "I3"
        parked = row.status in (
            PostingState.POSTED,
            PostingState.CANCELLED,
            PostingState.EXCEPTION,
            PostingState.REJECTED,
        )
        assert parked or row.next_at is not None, "I5"
        assert (row.status in (PostingState.EXCEPTION, PostingState.REJECTED)) == bool(row.code), "I6"

    may_become_ready_after_a_send = (PostingState.SENDING, PostingState.UNKNOWN)

    def expire_leases(self, limit: int) -> int:
        now = self.clock()
        ended = [
            row for row in self.rows.values() if row.status == PostingState.SENDING and (row.lease_until or 0) <= now
        ]
        for row in ended[:limit]:
            self._write(row, rules.lease_expired(), 1)
        return len(ended[:limit])

    def take_doubts(self, limit: int) -> Sequence[Doubt]:
        states = (PostingState.UNKNOWN, PostingState.ACCEPTED)
        now = self.clock()
        due = [row for row in self.rows.values() if row.status in states and (row.next_at or 0) <= now]
        taken = sorted(due, key=lambda row: row.next_at or 0)[:limit]
        for row in taken:
            row.fence, row.next_at = row.fence + 1, now + LOOKUP_LEASE_SECONDS
        return [Doubt(ticket=self._ticket(row, "LOOKUP"), document=row.document) for row in taken]

    def take_verifications(self, limit: int) -> Sequence[Doubt]:
        now = self.clock()
        due = [row for row in self.rows.values() if row.verify_at is not None and row.verify_at <= now][:limit]
        for row in due:
            row.fence, row.verify_at = row.fence + 1, now + LOOKUP_LEASE_SECONDS
        return [Doubt(ticket=self._ticket(row, "VERIFY"), document=row.document) for row in due]

    def found(self, ticket: Ticket, finding: Finding, note: Note) -> None:
        row = self.rows[ticket.subject.posting_id]
        if not self._fits(row, ticket):
            return
        row.verified += finding.counts
        row.verify_at = self.clock() + finding.next_seconds if finding.next_seconds is not None else None
        if finding.code:
            row.cases.append(finding.code)

    def wake_doubts(self) -> None:
        """Look everything in doubt up now: its route works again (services.governor)."""
        for row in self.rows.values():
            if row.status in (PostingState.UNKNOWN, PostingState.ACCEPTED):
                row.next_at = min(row.next_at or 0.0, self.clock())

    def route_rejected(self) -> None:
        """Send refused postings to their desk (services.janitor.route_rejected)."""
        for row in self.rows.values():
            if row.status == PostingState.REJECTED:
                self._write(row, rules.to_desk(row.code, "", sends=row.sends, findable=self.route.findable), 1)

    def ask(self, posting_id: int, wish: Callable[[Standing], Move | Refusal]) -> bool:
        """Apply what a person asks for (services.actions)."""
        row = self.rows[posting_id]
        move = wish(self._standing(row))
        if isinstance(move, Move):
            self._write(row, move, 1)
        return isinstance(move, Move)

    # ---- what the tests look at ------------------------------------------------------------------------------

    def standings(self) -> dict[str, tuple[str, str, list[str]]]:
        """Return by reference: state, target document and cases."""
        return {row.document.external_ref: (row.status.value, row.document_id, row.cases) for row in self.rows.values()}

    def next_due(self) -> float:
        """Return when something is due next, in seconds; infinity where nothing is."""
        times = [row.next_at for row in self.rows.values() if row.next_at is not None]
        return min(times, default=float("inf"))

    def on_desk(self) -> list[int]:
        """Return the ids of postings on the desk."""
        return [row.id for row in self.rows.values() if row.status == PostingState.EXCEPTION]

    def _ticket(self, row: Kept, attempt: str) -> Ticket:
        document = row.document
        subject = Subject(
            posting_id=row.id, connection_id=1, connection="sim", doc_type=document.doc_type,
            business_key=document.business_key, external_ref=document.external_ref,
        )  # fmt: skip
        return Ticket(
            subject=subject, fence=row.fence, standing=self._standing(row), route=self.route,
            asked_at=_at(self.clock()), attempt=attempt,
        )  # fmt: skip

    def _standing(self, row: Kept) -> Standing:
        return Standing(
            state=row.status, intent=row.intent, sends=row.sends, attempts=row.attempts, lookups=row.lookups,
            negatives=row.negatives, first_negative_at=row.first_negative_at,
            first_sent_at=None if row.first_sent is None else _at(row.first_sent),
            lease_ended_at=None if row.last_lease is None else _at(row.last_lease),
            doubtful_since=None if row.doubtful_since is None else _at(row.doubtful_since),
            document_id=row.document_id, verified_count=row.verified,
        )  # fmt: skip


def _at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else (at - EPOCH).total_seconds()


def _document(number: int) -> PostingDocument:
    key = f"doc:{number}"
    amount = Money(100 + number, "USD")
    return PostingDocument(
        doc_type=DocType.INVOICE, external_ref=external_ref("sim", "invoice", key), business_key=key,
        correlation_id="cor-1", entity="US01", currency="USD", amount=amount, document_date=date(2026, 1, 15),
        accounting_date=date(2026, 1, 15), record=RECORD, narrative="refuse" if number == 7 else key,
    )  # fmt: skip
