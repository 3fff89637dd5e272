"""The one table of states: every machine, every legal move, and who may make it.

Nothing else in the code base may hold a state table; the database triggers are generated from this one.
Posting follows the posting machine with write-ahead attempts: a posting that may exist in the target can only be
settled by looking it up, so every way back from doubt passes through ``UNKNOWN``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class InboxState(StrEnum):
    """A letter as it came in through a door."""

    RECEIVED = "RECEIVED"
    NORMALISED = "NORMALISED"
    IGNORED = "IGNORED"
    QUARANTINED = "QUARANTINED"


class PostingState(StrEnum):
    """One document on its way to one target system."""

    HELD = "HELD"
    READY = "READY"
    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    REJECTED = "REJECTED"
    EXCEPTION = "EXCEPTION"
    ACCEPTED = "ACCEPTED"
    POSTED = "POSTED"
    CANCELLED = "CANCELLED"


class FactState(StrEnum):
    """A normalised fact waiting to be applied to the canonical book."""

    PENDING = "PENDING"
    APPLIED = "APPLIED"
    DUPLICATE = "DUPLICATE"
    STALE = "STALE"
    HELD = "HELD"
    CONFLICT = "CONFLICT"
    QUARANTINED = "QUARANTINED"


class MappingState(StrEnum):
    """One version of a rule set or mapping set."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    CANARY = "CANARY"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"
    REJECTED = "REJECTED"


class CaseState(StrEnum):
    """One exception on somebody's desk."""

    OPEN = "OPEN"
    ASSIGNED = "ASSIGNED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    SNOOZED = "SNOOZED"
    RESOLVED = "RESOLVED"


class RunState(StrEnum):
    """One reconciliation run."""

    RUNNING = "RUNNING"
    BALANCED = "BALANCED"
    OPEN_ITEMS = "OPEN_ITEMS"
    SIGNED_OFF = "SIGNED_OFF"
    FAILED = "FAILED"


class Actor(StrEnum):
    """Who makes a move. ``HUMAN`` is a signed-in person; all others are parts of the machine."""

    NORMALISER = "normaliser"
    APPLIER = "applier"
    SEQUENCER = "sequencer"
    POSTER = "poster"
    JANITOR = "janitor"
    ROUTER = "router"
    RECONCILER = "reconciler"
    HUMAN = "human"


@dataclass(frozen=True)
class Edge:
    """One legal move.

    ``never_sent_only`` marks the moves that are legal only while nothing was ever sent to the target;
    ``four_eyes`` the ones that need a second person.
    """

    frm: str
    to: str
    actors: frozenset[Actor]
    when: str
    never_sent_only: bool = False
    four_eyes: bool = False


class IllegalTransition(ValueError):
    """A move the table does not know. Always a programmer error: ask ``allowed`` before offering a move."""

    def __init__(self, machine: str, frm: str, to: str) -> None:
        legal = sorted(edge_to for edge_frm, edge_to in TRANSITIONS[machine] if edge_frm == frm)
        names = ", ".join(legal) if legal else "none, it is terminal"
        super().__init__(f"{machine}: {frm} to {to} is not a legal move; legal from {frm}: {names}")
        self.machine, self.frm, self.to = machine, frm, to


def _edge(
    frm: StrEnum,
    to: StrEnum,
    actors: Actor | tuple[Actor, ...],
    when: str,
    *,
    never_sent: bool = False,
    four_eyes: bool = False,
) -> Edge:
    who = (actors,) if isinstance(actors, Actor) else actors
    return Edge(frm.value, to.value, frozenset(who), when, never_sent, four_eyes)


_I, _P, _F, _M, _C, _R = InboxState, PostingState, FactState, MappingState, CaseState, RunState

STATES: Mapping[str, type[StrEnum]] = MappingProxyType(
    {
        "inbox": InboxState,
        "fact": FactState,
        "posting": PostingState,
        "mapping": MappingState,
        "case": CaseState,
        "run": RunState,
    }
)

INITIAL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "inbox": frozenset({_I.RECEIVED.value}),
        "fact": frozenset({_F.PENDING.value}),
        "posting": frozenset({_P.HELD.value, _P.READY.value}),
        "mapping": frozenset({_M.DRAFT.value}),
        "case": frozenset({_C.OPEN.value}),
        "run": frozenset({_R.RUNNING.value}),
    }
)

# One move is one line, so that a machine reads as a table.
# fmt: off
EDGES: Mapping[str, tuple[Edge, ...]] = MappingProxyType({
    "inbox": (
        _edge(_I.RECEIVED, _I.NORMALISED, Actor.NORMALISER, "read into facts"),
        _edge(_I.RECEIVED, _I.IGNORED, Actor.NORMALISER, "a declared event type that carries nothing for us"),
        _edge(_I.RECEIVED, _I.QUARANTINED, Actor.NORMALISER, "cannot be read; kept and raised as a case"),
        _edge(_I.QUARANTINED, _I.RECEIVED, Actor.HUMAN, "replay after the cause was fixed"),
    ),
    "fact": (
        _edge(_F.PENDING, _F.APPLIED, Actor.APPLIER, "next in order"),
        _edge(_F.PENDING, _F.DUPLICATE, Actor.APPLIER, "same version, same content"),
        _edge(_F.PENDING, _F.STALE, Actor.APPLIER, "older than what is known; kept"),
        _edge(_F.PENDING, _F.HELD, Actor.APPLIER, "an earlier version is missing, or a tie is being refetched"),
        _edge(_F.PENDING, _F.CONFLICT, Actor.APPLIER, "same version, other content"),
        _edge(_F.PENDING, _F.QUARANTINED, Actor.APPLIER, "applying failed too often; blocks its aggregate only"),
        _edge(_F.HELD, _F.PENDING, Actor.SEQUENCER, "what it waited for has arrived"),
        _edge(_F.HELD, _F.APPLIED, Actor.APPLIER, "the gap closed in the same batch"),
        _edge(_F.HELD, _F.DUPLICATE, Actor.APPLIER, "the refetched snapshot has the same content"),
        _edge(_F.HELD, _F.STALE, Actor.APPLIER, "the refetched snapshot is newer"),
        _edge(_F.HELD, _F.CONFLICT, Actor.APPLIER, "same version, other content"),
        _edge(_F.HELD, _F.QUARANTINED, Actor.SEQUENCER, "waited past its limit, or applying failed too often"),
        _edge(_F.CONFLICT, _F.PENDING, Actor.HUMAN, "decided or corrected at the source; try again"),
        _edge(_F.CONFLICT, _F.STALE, (Actor.APPLIER, Actor.HUMAN), "superseded by a newer version"),
        _edge(_F.QUARANTINED, _F.PENDING, Actor.HUMAN, "replay after the cause was fixed"),
    ),
    "posting": (
        _edge(_P.HELD, _P.READY, Actor.SEQUENCER, "every prerequisite is acknowledged"),
        _edge(_P.HELD, _P.EXCEPTION, Actor.SEQUENCER, "waited longer than its SLA"),
        _edge(_P.HELD, _P.CANCELLED, Actor.HUMAN, "withdrawn before anything was sent"),
        _edge(_P.READY, _P.SENDING, Actor.POSTER, "lease claimed and attempt row committed"),
        _edge(_P.READY, _P.EXCEPTION, Actor.POSTER, "maximum number of attempts reached"),
        _edge(_P.READY, _P.CANCELLED, Actor.HUMAN, "withdrawn; nothing was ever sent", never_sent=True),
        _edge(_P.SENDING, _P.POSTED, Actor.POSTER, "2xx with id and echo of reference, amount and currency"),
        _edge(_P.SENDING, _P.ACCEPTED, Actor.POSTER, "taken by a target that confirms later"),
        _edge(_P.SENDING, _P.READY, Actor.POSTER, "surely not processed, told while the lease is valid"),
        _edge(_P.SENDING, _P.REJECTED, Actor.POSTER, "documented business refusal while the lease is valid"),
        _edge(_P.SENDING, _P.UNKNOWN, (Actor.POSTER, Actor.JANITOR), "no clear answer, or the lease expired"),
        _edge(_P.ACCEPTED, _P.POSTED, (Actor.POSTER, Actor.JANITOR), "the confirmation names our reference"),
        _edge(_P.ACCEPTED, _P.REJECTED, (Actor.POSTER, Actor.JANITOR), "the confirmation refuses the document"),
        _edge(_P.ACCEPTED, _P.UNKNOWN, Actor.JANITOR, "no confirmation in time, or an unreadable one"),
        _edge(_P.UNKNOWN, _P.POSTED, Actor.JANITOR, "exactly one hit with an equal fingerprint"),
        _edge(_P.UNKNOWN, _P.EXCEPTION, Actor.JANITOR, "several hits, a mismatch, too old, or a blind target"),
        _edge(_P.UNKNOWN, _P.READY, Actor.JANITOR, "authoritatively absent and the intent is to post"),
        _edge(_P.UNKNOWN, _P.CANCELLED, Actor.JANITOR, "authoritatively absent and the intent is to cancel",
              four_eyes=True),
        _edge(_P.REJECTED, _P.EXCEPTION, Actor.ROUTER, "routed to its owner under a business reason"),
        _edge(_P.EXCEPTION, _P.UNKNOWN, Actor.HUMAN, "retry or cancel asked for; looked up before anything else"),
        _edge(_P.EXCEPTION, _P.READY, Actor.HUMAN, "retry; nothing was ever sent", never_sent=True),
        _edge(_P.EXCEPTION, _P.CANCELLED, Actor.HUMAN, "withdrawn; nothing was ever sent", never_sent=True),
        _edge(_P.EXCEPTION, _P.POSTED, Actor.HUMAN, "target document linked with evidence", four_eyes=True),
    ),
    "mapping": (
        _edge(_M.DRAFT, _M.SUBMITTED, Actor.HUMAN, "content frozen under its hash, worked examples pass"),
        _edge(_M.DRAFT, _M.REJECTED, Actor.HUMAN, "abandoned by its author"),
        _edge(_M.SUBMITTED, _M.APPROVED, Actor.HUMAN, "signed by someone who is not an author", four_eyes=True),
        _edge(_M.SUBMITTED, _M.REJECTED, Actor.HUMAN, "refused by the approver or withdrawn; propose anew"),
        _edge(_M.APPROVED, _M.CANARY, Actor.HUMAN, "active for a share or an entity"),
        _edge(_M.APPROVED, _M.ACTIVE, Actor.HUMAN, "the first version: there is no older one to compare with"),
        _edge(_M.APPROVED, _M.REJECTED, Actor.HUMAN, "withdrawn before it was used"),
        _edge(_M.CANARY, _M.ACTIVE, Actor.HUMAN, "canary was clean"),
        _edge(_M.CANARY, _M.REJECTED, (Actor.HUMAN, Actor.RECONCILER), "canary stopped; the older version goes on"),
        _edge(_M.ACTIVE, _M.RETIRED, Actor.HUMAN, "a newer version took over"),
        _edge(_M.RETIRED, _M.ACTIVE, Actor.HUMAN, "rollback", four_eyes=True),
    ),
    "case": (
        _edge(_C.OPEN, _C.ASSIGNED, (Actor.HUMAN, Actor.ROUTER), "somebody owns it"),
        _edge(_C.OPEN, _C.PENDING_APPROVAL, Actor.HUMAN, "a resolution needs a second person"),
        _edge(_C.OPEN, _C.SNOOZED, Actor.HUMAN, "put off, with an end"),
        _edge(_C.OPEN, _C.RESOLVED, (Actor.HUMAN, Actor.ROUTER), "closed with a reason, or by later evidence"),
        _edge(_C.ASSIGNED, _C.OPEN, Actor.HUMAN, "given back to the queue"),
        _edge(_C.ASSIGNED, _C.PENDING_APPROVAL, Actor.HUMAN, "a resolution needs a second person"),
        _edge(_C.ASSIGNED, _C.SNOOZED, Actor.HUMAN, "put off, with an end"),
        _edge(_C.ASSIGNED, _C.RESOLVED, (Actor.HUMAN, Actor.ROUTER), "closed with a reason, or by later evidence"),
        _edge(_C.PENDING_APPROVAL, _C.ASSIGNED, Actor.HUMAN, "the second person refused"),
        _edge(_C.PENDING_APPROVAL, _C.OPEN, Actor.HUMAN, "the request was withdrawn"),
        _edge(_C.PENDING_APPROVAL, _C.RESOLVED, (Actor.HUMAN, Actor.ROUTER), "approved, or closed by later evidence"),
        _edge(_C.SNOOZED, _C.OPEN, (Actor.HUMAN, Actor.ROUTER), "the snooze ended or was ended"),
        _edge(_C.SNOOZED, _C.ASSIGNED, (Actor.HUMAN, Actor.ROUTER), "the snooze ended; its owner goes on"),
        _edge(_C.SNOOZED, _C.RESOLVED, (Actor.HUMAN, Actor.ROUTER), "closed with a reason, or by later evidence"),
        _edge(_C.RESOLVED, _C.OPEN, (Actor.ROUTER, Actor.HUMAN), "the same failure happened again"),
    ),
    "run": (
        _edge(_R.RUNNING, _R.BALANCED, Actor.RECONCILER, "both sides agree"),
        _edge(_R.RUNNING, _R.OPEN_ITEMS, Actor.RECONCILER, "something differs"),
        _edge(_R.RUNNING, _R.FAILED, Actor.RECONCILER, "a side could not be read; a new run replaces it"),
        _edge(_R.BALANCED, _R.OPEN_ITEMS, Actor.RECONCILER, "a number moved"),
        _edge(_R.OPEN_ITEMS, _R.BALANCED, Actor.RECONCILER, "the last open item cleared"),
        _edge(_R.BALANCED, _R.SIGNED_OFF, Actor.HUMAN, "signed"),
        _edge(_R.OPEN_ITEMS, _R.SIGNED_OFF, Actor.HUMAN, "signed; only items in transit or cut-off timing are open"),
        _edge(_R.SIGNED_OFF, _R.OPEN_ITEMS, Actor.RECONCILER, "a signed number moved"),
        _edge(_R.SIGNED_OFF, _R.BALANCED, Actor.RECONCILER, "a signed number moved on both sides; sign again"),
    ),
})

# fmt: on

TRANSITIONS: Mapping[str, frozenset[tuple[str, str]]] = MappingProxyType(
    {machine: frozenset((edge.frm, edge.to) for edge in edges) for machine, edges in EDGES.items()}
)

# No way out at all.
TERMINAL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        machine: frozenset(state.value for state in states) - {frm for frm, _ in TRANSITIONS[machine]}
        for machine, states in STATES.items()
    }
)

# Nothing more is expected to happen, though some may be woken again (a resolved case that regresses).
SETTLED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "inbox": frozenset({_I.NORMALISED.value, _I.IGNORED.value}),
        "fact": frozenset({_F.APPLIED.value, _F.DUPLICATE.value, _F.STALE.value}),
        "posting": frozenset({_P.POSTED.value, _P.CANCELLED.value}),
        "mapping": frozenset({_M.RETIRED.value, _M.REJECTED.value}),
        "case": frozenset({_C.RESOLVED.value}),
        "run": frozenset({_R.SIGNED_OFF.value, _R.FAILED.value}),
    }
)

_BY_MOVE = {machine: {(edge.frm, edge.to): edge for edge in edges} for machine, edges in EDGES.items()}


def allowed(machine: str, frm: str, to: str) -> bool:
    """Whether ``frm`` → ``to`` is a legal move of this machine. Unknown machines and states raise ``KeyError``."""
    for state in (frm, to):
        if state not in STATES[machine].__members__:
            raise KeyError(f"{machine} has no state {state!r}")
    return (frm, to) in TRANSITIONS[machine]


def check(machine: str, frm: str, to: str) -> None:
    """Raise ``IllegalTransition`` unless the move is legal."""
    if not allowed(machine, frm, to):
        raise IllegalTransition(machine, frm, to)


def edge(machine: str, frm: str, to: str) -> Edge:
    """The move with its actors and conditions; raises ``IllegalTransition`` if there is none."""
    check(machine, frm, to)
    return _BY_MOVE[machine][(frm, to)]


def allowed_by(machine: str, frm: str, to: str, actor: Actor) -> bool:
    """Whether this actor may make this move."""
    return allowed(machine, frm, to) and actor in _BY_MOVE[machine][(frm, to)].actors
