"""The machine with one guard taken out: each of these must break a promise, or the tests prove nothing.

Source: the table of mutants in reliability.md 3.5.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from finsync.core import posting as rules
from finsync.core.lifecycle import PostingState
from finsync.core.posting import Move, Route, Standing, Verdict
from finsync.posting.machine import Claim, Claimed, Note, Ticket
from tests.faults.memory import Kept, Memory
from tests.faults.world import World

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """A name, what it patches, and the store it runs on."""

    name: str
    patch: Patch = lambda monkeypatch: None
    store: type[Memory] = Memory


class _SavedAfterTheCall(Memory):
    """No write-ahead: a claim leaves no trace until its answer is written."""

    def _take(self, row: Kept, now: float, render: Any) -> Claim:
        ticket = replace(self._ticket(row, "SEND"), lane_id=row.id)
        return Claim(
            ticket=ticket, document=row.document, body=render(row.document), resume_id=row.resume_id, claimed_at=now
        )

    def move(self, ticket: Ticket, move: Move, note: Note | None = None) -> Move | None:
        if ticket.attempt == "SEND":
            row = self.rows[ticket.subject.posting_id]
            if row.status != PostingState.READY:
                return None
            super()._take(row, self.clock(), lambda document: {})
            ticket = replace(self._ticket(row, "SEND"), lease_until=None)
            self.lanes[row.lane] = 0
        return super().move(ticket, move, note)


class _NoFence(Memory):
    """Whoever still holds a ticket may write, as long as the state looks right."""

    def _fits(self, row: Kept, ticket: Ticket) -> bool:
        return row.status == ticket.standing.state


class _LateNegativeBelieved(Memory):
    """No R3: 'surely not processed' is believed after the lease ended."""

    def move(self, ticket: Ticket, move: Move, note: Note | None = None) -> Move | None:
        return super().move(ticket, replace(move, while_leased=False), note)


class _NoLookupRule(Memory):
    """The database does not insist on a look-up after a send."""

    may_become_ready_after_a_send = (PostingState.SENDING, PostingState.UNKNOWN, PostingState.EXCEPTION)


class _BrokerIsTruth(Memory):
    """A posting is looked at only when a message says so, and messages get lost."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.messages = set(self.rows)

    def claim(self, connection_id: int, limit: int, render: Any) -> Claimed:
        claimed = super().claim(connection_id, limit, render)
        self.messages -= {claim.ticket.subject.posting_id for claim in claimed.claims}
        return claimed

    def _heads(self, now: float) -> list[Kept]:
        return [row for row in super()._heads(now) if row.id in self.messages]

    def expire_leases(self, limit: int) -> int:
        return 0  # its message is gone with the worker

    def take_doubts(self, limit: int) -> Sequence[Any]:
        return [doubt for doubt in super().take_doubts(limit) if doubt.ticket.subject.posting_id in self.messages]


def _blind_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is unclear is sent again."""
    told = rules.after_send

    def after_send(standing: Standing, route: Route, answer: Any, chance: float) -> Move:
        if answer.verdict is Verdict.UNKNOWN:
            return Move(to=PostingState.READY, reason="try again", next_seconds=5)
        return told(standing, route, answer, chance)

    monkeypatch.setattr(rules, "after_send", after_send)


def _naive_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not found means not there."""
    monkeypatch.setattr(rules.doubt, "absence_is_authoritative", lambda standing, route, asked_at: True)


def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "may_send", lambda seconds, lease: True)


def _quiet(take: Callable[[Route], float], monkeypatch: pytest.MonkeyPatch) -> None:
    def quiet_at(standing: Standing, route: Route) -> datetime | None:
        ended = standing.lease_ended_at
        return None if ended is None else ended + timedelta(seconds=take(route))

    monkeypatch.setattr(rules.doubt, "quiet_at", quiet_at)


def _no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    _quiet(lambda route: route.quiesce_seconds, monkeypatch)
    known = rules.absence_is_authoritative
    monkeypatch.setattr(
        rules.doubt, "absence_is_authoritative",
        lambda standing, route, asked_at: known(standing, replace(route, lag_seconds=0), asked_at),
    )  # fmt: skip


def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        rules, "retry_asked", lambda standing: Move(to=PostingState.READY, reason="retry", next_seconds=0, fresh=True)
    )


MUTANTS = [
    Mutant("no write-ahead", store=_SavedAfterTheCall),
    Mutant("blind retry", _blind_retry),
    Mutant("naive lookup-then-post", _naive_lookup),
    Mutant("no quiesce", lambda patch: _quiet(lambda route: route.lag_seconds, patch)),
    Mutant("no send guard", _no_guard),
    Mutant("human retry skips the look-up", _retry_at_once, _NoLookupRule),
    Mutant("broker is the truth", store=_BrokerIsTruth),
    Mutant("no fence", store=_NoFence),
    Mutant(
        "quiesce counted from the claim",
        lambda patch: _quiet(lambda route: route.quiesce_seconds + route.lag_seconds - route.lease_seconds, patch),
    ),
    Mutant("late negative believed", store=_LateNegativeBelieved),
    Mutant("no lag", _no_lag),
]


def world_of(mutant: Mutant, seed: int) -> World:
    """Return a class C history on the mutant's store."""
    from tests.faults.world import LANES, POSTINGS

    return World(seed, "C", make_store=lambda clock, how: mutant.store(clock, how, POSTINGS, LANES))
