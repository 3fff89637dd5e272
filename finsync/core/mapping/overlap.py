"""Overlaps and gaps, found before approval: with five operators both are decidable.

Every row covers a region: per fact a set of values, an interval, or absence. Two rows overlap if their regions meet in
every fact; there is a gap if some combination of the values in play is covered by no row. Every finding carries facts
that show it, so that a person can check it by hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from finsync.core.mapping.document import Condition, MappingSet, Operator, RuleSet
from finsync.core.mapping.evaluate import tagged
from finsync.core.mapping.vocabulary import EVENTS, Fact, FactKind, Scalar, fact_named

GAPS_NAMED_MAX = 50  # findings; more are summed up in one
GAP_STEPS_MAX = 100_000  # combinations tried before the search gives up and says so

Tagged = tuple[str, Scalar]
Domains = Mapping[str, Sequence[Scalar]]


class FindingKind(StrEnum):
    """What can be wrong with a decision table as a whole."""

    OVERLAP = "OVERLAP"
    GAP = "GAP"
    NEVER_HITS = "NEVER_HITS"
    NOT_PROVEN = "NOT_PROVEN"


@dataclass(frozen=True)
class CoverageFinding:
    """One overlap, gap or dead row; ``witness`` are facts that show it (``None`` is an absent fact)."""

    kind: FindingKind
    rows: tuple[str, ...]
    witness: Mapping[str, Scalar | None]
    message: str


@dataclass(frozen=True)
class _Region:
    """The values of one fact a row accepts. ``values`` is ``None`` for any; bounds are included."""

    absent: bool = True
    values: frozenset[Tagged] | None = None
    low: Tagged | None = None
    high: Tagged | None = None

    def meet(self, other: _Region) -> _Region:
        values = self.values if other.values is None else other.values
        if self.values is not None and other.values is not None:
            values = self.values & other.values
        lows = [bound for bound in (self.low, other.low) if bound is not None]
        highs = [bound for bound in (self.high, other.high) if bound is not None]
        met = _Region(self.absent and other.absent, values, max(lows, default=None), min(highs, default=None))
        if met.values is None:
            return met
        inside = frozenset(value for value in met.values if met._within(value))
        return replace(met, values=inside, low=None, high=None)

    def _within(self, value: Tagged) -> bool:
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)

    def accepts(self, value: Tagged | None) -> bool:
        if value is None:
            return self.absent
        return self._within(value) and (self.values is None or value in self.values)

    def example(self, fact: Fact) -> Tagged | None:
        """Some present value, or ``None`` if only absence is left (or nothing at all)."""
        if self.values is not None:
            return min(self.values, default=None)
        if self.low is None:
            return tagged(_ANY_VALUE[fact.kind])
        return self.low if self._within(self.low) else None

    def is_empty(self, fact: Fact) -> bool:
        return not self.absent and self.example(fact) is None


_ANY_VALUE: Mapping[FactKind, Scalar] = {
    FactKind.TEXT: "anything",
    FactKind.INTEGER: 0,
    FactKind.DATE: "2000-01-01",
    FactKind.BOOLEAN: True,
}
_BOOLEANS = frozenset({tagged(True), tagged(False)})


@dataclass(frozen=True)
class _Row:
    id: str
    regions: Mapping[str, _Region]


def find_in_rule_set(rule_set: RuleSet, domains: Domains | None = None) -> tuple[CoverageFinding, ...]:
    """Every overlap and dead rule, and the gaps, of a rule set whose words are declared.

    ``domains`` gives the values that really occur of an open fact (all entities, say); without it the values the
    document itself names count. Raises ``KeyError`` for an event that is not declared; ``validate`` comes first.
    """
    facts = EVENTS[rule_set.event].facts
    return _findings([(rule.id, rule.when) for rule in rule_set.rules], facts, domains or {})


def find_in_mapping_set(mapping_set: MappingSet, domains: Domains | None = None) -> tuple[CoverageFinding, ...]:
    """The same for the rows of a mapping set. An input that is no declared fact counts as open text.

    A row cannot ask for absence, so an absent input is no gap to close: evaluation refuses it and says so.
    """
    facts = {name: replace(fact_named(name) or Fact(name), optional=False) for name in mapping_set.inputs}
    return _findings([(row.id, row.when) for row in mapping_set.rows], facts, domains or {})


def _findings(
    rows: Sequence[tuple[str, tuple[Condition, ...]]], facts: Mapping[str, Fact], domains: Domains
) -> tuple[CoverageFinding, ...]:
    read = [_Row(identifier, _regions(when, facts)) for identifier, when in rows]
    dead = {row.id for row in read if any(region.is_empty(facts[name]) for name, region in row.regions.items())}
    alive = [row for row in read if row.id not in dead]
    why = "can never hit: its conditions exclude each other"
    never = [
        CoverageFinding(FindingKind.NEVER_HITS, (row.id,), {}, f"{row.id} {why}") for row in read if row.id in dead
    ]
    return (*never, *_overlaps(alive, facts), *_gaps(alive, facts, domains))


def _regions(when: Iterable[Condition], facts: Mapping[str, Fact]) -> dict[str, _Region]:
    regions: dict[str, _Region] = {}
    for condition in when:
        start = regions.get(condition.fact) or _whole(facts[condition.fact])
        regions[condition.fact] = start.meet(_region(condition))
    return regions


def _whole(fact: Fact) -> _Region:
    """Everything a fact can be."""
    if fact.kind is FactKind.BOOLEAN:
        return _Region(fact.optional, _BOOLEANS)
    return _Region(fact.optional, frozenset(map(tagged, fact.values)) if fact.values else None)


def _region(condition: Condition) -> _Region:
    operands = tuple(map(tagged, condition.operands))
    match condition.operator:
        case Operator.PRESENT:
            return _Region(absent=False)
        case Operator.ABSENT:
            return _Region(values=frozenset())
        case Operator.BETWEEN:
            return _Region(False, None, operands[0], operands[1])
    return _Region(False, frozenset(operands))


def _overlaps(rows: Sequence[_Row], facts: Mapping[str, Fact]) -> Iterator[CoverageFinding]:
    for one, other in _candidate_pairs(rows):
        witness: dict[str, Scalar | None] = {}
        for name in one.regions.keys() | other.regions.keys():
            whole = _whole(facts[name])
            met = one.regions.get(name, whole).meet(other.regions.get(name, whole))
            if met.is_empty(facts[name]):
                break
            example = met.example(facts[name])
            witness[name] = None if example is None else example[1]
        else:
            message = f"{one.id} and {other.id} both cover {_words(witness)}"
            yield CoverageFinding(FindingKind.OVERLAP, (one.id, other.id), dict(sorted(witness.items())), message)


def _candidate_pairs(rows: Sequence[_Row]) -> Iterator[tuple[_Row, _Row]]:
    """Pairs that can meet at all, found through the fact that most rows pin to certain values."""
    pinned: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        for name, region in row.regions.items():
            pinned[name] += region.values is not None and not region.absent
    if not pinned:
        yield from ((one, other) for number, one in enumerate(rows) for other in rows[number + 1 :])
        return
    by_fact = max(sorted(pinned), key=lambda name: pinned[name])
    buckets: defaultdict[Tagged, list[int]] = defaultdict(list)
    loose: list[int] = []
    for number, row in enumerate(rows):
        tested = row.regions.get(by_fact)
        if tested is None or tested.values is None or tested.absent:
            loose.append(number)
        else:
            for value in tested.values:
                buckets[value].append(number)
    pairs = {(one, other) for bucket in buckets.values() for i, one in enumerate(bucket) for other in bucket[i + 1 :]}
    pairs |= {(min(one, other), max(one, other)) for one in loose for other in range(len(rows)) if one != other}
    yield from ((rows[one], rows[other]) for one, other in sorted(pairs))


def _gaps(rows: Sequence[_Row], facts: Mapping[str, Fact], domains: Domains) -> Iterator[CoverageFinding]:
    tested = sorted({name for row in rows for name in row.regions})
    cells = {name: _cells(facts[name], rows, domains.get(name)) for name in tested}
    search = _GapSearch(cells)
    for number, witness in enumerate(search.uncovered(rows, {})):
        if number == GAPS_NAMED_MAX:
            message = f"there are more gaps than the {GAPS_NAMED_MAX} named here"
            yield CoverageFinding(FindingKind.NOT_PROVEN, (), {}, message)
            return
        yield CoverageFinding(FindingKind.GAP, (), witness, f"nothing covers {_words(witness)}")
    if search.steps > GAP_STEPS_MAX:
        message = f"the search for gaps stopped after {GAP_STEPS_MAX} combinations"
        yield CoverageFinding(FindingKind.NOT_PROVEN, (), {}, message)


def _cells(fact: Fact, rows: Sequence[_Row], domain: Sequence[Scalar] | None) -> list[Tagged | None]:
    """One value for every way the rows tell this fact apart, absence included where it can be absent."""
    regions = [row.regions[fact.name] for row in rows if fact.name in row.regions]
    named = {value for region in regions for value in region.values or ()}
    bounds = {bound for region in regions for bound in (region.low, region.high) if bound is not None}
    whole = _whole(fact)
    if domain is not None:
        values = {tagged(value) for value in domain}
    elif whole.values is not None:
        values = set(whole.values)
    else:
        edges = named | bounds
        # Just after every edge a new stretch begins; past the last edge nothing is claimed.
        after = {_successor(edge, fact) for edge in edges} if bounds else set()
        values = edges | {value for value in after if value is not None and value <= max(edges)}
        values = values or {tagged(_ANY_VALUE[fact.kind])}
    return [*sorted(values), *([None] if fact.optional else [])]


def _successor(value: Tagged, fact: Fact) -> Tagged | None:
    if fact.kind is FactKind.INTEGER and isinstance(value[1], int):
        return tagged(value[1] + 1)
    if fact.kind is FactKind.DATE and isinstance(value[1], str) and value[1] != date.max.isoformat():
        return tagged((date.fromisoformat(value[1]) + timedelta(days=1)).isoformat())
    return None


class _GapSearch:
    """Walks the combinations fact by fact and leaves a branch as soon as one row covers all of it."""

    def __init__(self, cells: Mapping[str, list[Tagged | None]]) -> None:
        self.cells = cells
        self.steps = 0

    def uncovered(self, rows: Sequence[_Row], chosen: dict[str, Scalar | None]) -> Iterator[dict[str, Scalar | None]]:
        self.steps += 1
        if self.steps > GAP_STEPS_MAX:
            return
        if not rows:
            yield dict(chosen)
            return
        if any(not (row.regions.keys() - chosen.keys()) for row in rows):
            return
        name = min(name for row in rows for name in row.regions if name not in chosen)
        explored: set[tuple[int, ...]] = set()
        for cell in self.cells[name]:
            kept = tuple(i for i, row in enumerate(rows) if name not in row.regions or row.regions[name].accepts(cell))
            if kept and kept in explored:
                continue  # told apart by no row: the same rows cover it, so it has the same gaps
            explored.add(kept)
            value = None if cell is None else cell[1]
            yield from self.uncovered([rows[i] for i in kept], {**chosen, name: value})


def _words(facts: Mapping[str, Scalar | None]) -> str:
    shown = [f"{name} = {'absent' if value is None else value}" for name, value in sorted(facts.items())]
    return ", ".join(shown) or "any facts at all"
