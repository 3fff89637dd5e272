"""Order without trusting arrival: a pure decision on one fact of one aggregate, by its version.

Sources rarely promise order and almost never show their gaps, so the version kind decides what can be known:
only numbers that the contract itself counts are contiguous; most sources merely grow; some have nothing but a time.
Source of the rule: ordering, versions and duplicates, where a gap is fetched, a tie is refetched, a stale one is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

MISSING_NAMED_MAX = 100  # versions; a corrupt ordinal must not make a list of millions


class VersionKind(StrEnum):
    """What the ordinal of a fact means.

    ``CONTIGUOUS`` counts 1, 2, 3 … without holes (contract amendments); ``MONOTONE`` only grows (resource versions);
    ``TIMESTAMP`` is the source's event time in milliseconds, for sources without a version.
    """

    CONTIGUOUS = "CONTIGUOUS"
    MONOTONE = "MONOTONE"
    TIMESTAMP = "TIMESTAMP"


class Verdict(StrEnum):
    """What to do with the fact."""

    APPLY = "APPLY"
    DUPLICATE = "DUPLICATE"
    STALE = "STALE"
    GAP = "GAP"
    CONFLICT = "CONFLICT"
    REFETCH = "REFETCH"


@dataclass(frozen=True)
class Decision:
    """A verdict with the sentence a screen can print.

    ``missing`` names absent versions for a gap (at most ``MISSING_NAMED_MAX``).
    ``advances_to`` is the ordinal the aggregate stands at afterwards, ``None`` if it does not move. Store it also for
    a ``DUPLICATE``: an unchanged snapshot seen later still proves that anything in between is stale.
    """

    verdict: Verdict
    explanation: str
    missing: tuple[int, ...] = ()
    advances_to: int | None = None


def decide(
    kind: VersionKind,
    *,
    current_ordinal: int | None,
    current_hash: str | None,
    ordinal: int,
    content_hash: str,
    first_ordinal: int = 1,
) -> Decision:
    """Decide on one fact against what is already applied.

    ``current_ordinal`` and ``current_hash`` are ``None`` together while nothing has been applied.
    ``first_ordinal`` is where a contiguous sequence starts. Business outcomes are verdicts; only a half-known current
    state raises ``ValueError``.
    """
    if (current_ordinal is None) != (current_hash is None):
        raise ValueError("current_ordinal and current_hash are known together or not at all")
    if kind is VersionKind.CONTIGUOUS:
        ahead = _contiguous_ahead(current_ordinal, ordinal, first_ordinal)
        if ahead is not None:
            return ahead
    if current_ordinal is None:
        return Decision(Verdict.APPLY, f"{_name(kind, ordinal)} is the first one seen", advances_to=ordinal)
    if ordinal > current_ordinal:
        if kind is VersionKind.TIMESTAMP and content_hash == current_hash:
            return Decision(
                Verdict.DUPLICATE,
                f"{_name(kind, ordinal)} is newer but its content is what we already have",
                advances_to=ordinal,
            )
        return Decision(
            Verdict.APPLY, f"{_name(kind, ordinal)} follows {_name(kind, current_ordinal)}", advances_to=ordinal
        )
    if ordinal < current_ordinal:
        return Decision(
            Verdict.STALE, f"{_name(kind, ordinal)} is older than {_name(kind, current_ordinal)}; kept, not applied"
        )
    return _tie(kind, ordinal, same_content=content_hash == current_hash)


def _contiguous_ahead(current: int | None, ordinal: int, first: int) -> Decision | None:
    """The two outcomes only a counted sequence knows: a hole before the fact, or a number before the first."""
    expected = first if current is None else current + 1
    if ordinal > expected:
        missing = tuple(range(expected, min(ordinal, expected + MISSING_NAMED_MAX)))
        last = ordinal - 1
        what = f"version {expected} is" if last == expected else f"versions {expected} to {last} are"
        return Decision(Verdict.GAP, f"version {ordinal} waits: {what} missing", missing)
    if ordinal < first:
        return Decision(Verdict.CONFLICT, f"version {ordinal} lies before the first version {first}")
    return None


def _tie(kind: VersionKind, ordinal: int, *, same_content: bool) -> Decision:
    if same_content:
        return Decision(Verdict.DUPLICATE, f"{_name(kind, ordinal)} is already applied with the same content")
    if kind is VersionKind.TIMESTAMP:
        return Decision(
            Verdict.REFETCH, f"two different contents at {_name(kind, ordinal)}; ask the source which one stands"
        )
    return Decision(Verdict.CONFLICT, f"{_name(kind, ordinal)} is already applied with other content")


def _name(kind: VersionKind, ordinal: int) -> str:
    return f"time {ordinal} ms" if kind is VersionKind.TIMESTAMP else f"version {ordinal}"


@dataclass(frozen=True)
class Arrival:
    """One delivery of one fact: its ordinal and the hash of its content."""

    ordinal: int
    content_hash: str


@dataclass(frozen=True)
class Replayed:
    """Where an aggregate stands after a series of arrivals."""

    current: Arrival | None
    applied: tuple[Arrival, ...]
    held: tuple[Arrival, ...]
    refused: tuple[tuple[Arrival, Verdict], ...]


@dataclass
class _Aggregate:
    kind: VersionKind
    first_ordinal: int
    current: Arrival | None = None
    applied: list[Arrival] = field(default_factory=list)
    held: dict[int, list[Arrival]] = field(default_factory=dict)
    refused: list[tuple[Arrival, Verdict]] = field(default_factory=list)

    def take(self, arrival: Arrival) -> None:
        decision = decide(
            self.kind,
            current_ordinal=self.current.ordinal if self.current else None,
            current_hash=self.current.content_hash if self.current else None,
            ordinal=arrival.ordinal,
            content_hash=arrival.content_hash,
            first_ordinal=self.first_ordinal,
        )
        if decision.verdict is Verdict.GAP:
            waiting = self.held.setdefault(arrival.ordinal, [])
            if arrival not in waiting:
                waiting.append(arrival)
        elif decision.verdict is Verdict.APPLY:
            self.applied.append(arrival)
        elif decision.verdict in (Verdict.CONFLICT, Verdict.REFETCH):
            self.refused.append((arrival, decision.verdict))
        if decision.advances_to is not None:
            self.current = Arrival(decision.advances_to, arrival.content_hash)


def replay(kind: VersionKind, arrivals: Iterable[Arrival], *, first_ordinal: int = 1) -> Replayed:
    """Run arrivals through ``decide`` with a hold-back queue, as the applying stage does.

    A gap holds the fact back until the missing versions have come; ties that need the source are reported in
    ``refused``, because only the source can settle them.
    """
    aggregate = _Aggregate(kind, first_ordinal)
    for arrival in arrivals:
        aggregate.take(arrival)
        while aggregate.current and (waiting := aggregate.held.pop(aggregate.current.ordinal + 1, None)):
            for released in waiting:
                aggregate.take(released)
    held = tuple(arrival for _, waiting in sorted(aggregate.held.items()) for arrival in waiting)
    return Replayed(aggregate.current, tuple(aggregate.applied), held, tuple(aggregate.refused))
