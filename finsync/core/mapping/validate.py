"""Does a document use only declared words, and do its lines balance whatever the amounts are?

Findings are values: all of them are shown to the author at once, each with its path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from finsync.core.mapping.document import (
    Condition,
    Constant,
    FactRef,
    MappingSet,
    Operator,
    RuleLine,
    RuleSet,
    Side,
    Source,
)
from finsync.core.mapping.vocabulary import EVENTS, Event, Fact, FactKind, fact_named


class Problem(StrEnum):
    """What can be wrong with a readable document."""

    UNKNOWN_EVENT = "UNKNOWN_EVENT"
    UNKNOWN_FACT = "UNKNOWN_FACT"
    UNKNOWN_AMOUNT = "UNKNOWN_AMOUNT"
    UNKNOWN_MAPPING_SET = "UNKNOWN_MAPPING_SET"
    INPUTS_DIFFER = "INPUTS_DIFFER"
    WRONG_VALUE = "WRONG_VALUE"
    WRONG_OPERATOR = "WRONG_OPERATOR"
    UNBALANCED = "UNBALANCED"


@dataclass(frozen=True)
class Finding:
    """One problem at one path, in words."""

    problem: Problem
    path: str
    message: str


def validate_rule_set(rule_set: RuleSet, mapping_sets: Mapping[str, MappingSet]) -> tuple[Finding, ...]:
    """Every finding in a rule set, with the mapping sets it will be used with; none means it may be submitted."""
    event = EVENTS.get(rule_set.event)
    if event is None:
        return (Finding(Problem.UNKNOWN_EVENT, "event", _unknown(rule_set.event, EVENTS)),)
    return tuple(_rule_findings(rule_set, event, mapping_sets))


def validate_mapping_set(mapping_set: MappingSet) -> tuple[Finding, ...]:
    """Every finding in a mapping set: inputs must be declared facts, row values of their kind."""
    findings: list[Finding] = []
    facts = {name: fact for name in mapping_set.inputs if (fact := fact_named(name))}
    for number, name in enumerate(mapping_set.inputs):
        if name not in facts:
            message = f"{name!r} is no fact of any accounting event"
            findings.append(Finding(Problem.UNKNOWN_FACT, f"inputs[{number}]", message))
    for number, row in enumerate(mapping_set.rows):
        for condition in row.when:
            if condition.fact in facts:
                path = f"rows[{number}].when.{condition.fact}"
                findings.extend(_condition_findings(condition, facts[condition.fact], path))
    return tuple(findings)


def _rule_findings(rule_set: RuleSet, event: Event, mapping_sets: Mapping[str, MappingSet]) -> Iterator[Finding]:
    for number, rule in enumerate(rule_set.rules):
        for position, condition in enumerate(rule.when):
            path = f"rules[{number}].when[{position}]"
            fact = event.facts.get(condition.fact)
            if fact is None:
                yield Finding(Problem.UNKNOWN_FACT, path, _unknown(condition.fact, event.facts))
            else:
                yield from _condition_findings(condition, fact, path)
        words_known = True
        for position, line in enumerate(rule.lines):
            for finding in _line_findings(line, event, mapping_sets, f"rules[{number}].lines[{position}]"):
                words_known &= finding.problem is not Problem.UNKNOWN_AMOUNT
                yield finding
        if words_known:
            yield from _balance_findings(rule.lines, event, f"rules[{number}].lines")


def _condition_findings(condition: Condition, fact: Fact, path: str) -> Iterator[Finding]:
    if condition.operator is Operator.BETWEEN and fact.kind not in (FactKind.INTEGER, FactKind.DATE):
        yield Finding(Problem.WRONG_OPERATOR, path, f"between needs a number or a date; {fact.name} is {fact.kind}")
    if condition.operator in (Operator.PRESENT, Operator.ABSENT) and not fact.optional:
        yield Finding(Problem.WRONG_OPERATOR, path, f"{fact.name} is always present, so this tests nothing")
    for operand in condition.operands:
        if not fact.accepts(operand):
            allowed = f"one of {', '.join(fact.values)}" if fact.values else f"a {fact.kind}"
            yield Finding(Problem.WRONG_VALUE, path, f"{fact.name} is {allowed}, not {operand!r}")


def _line_findings(
    line: RuleLine, event: Event, mapping_sets: Mapping[str, MappingSet], path: str
) -> Iterator[Finding]:
    amounts = event.amounts.get(line.per, {})
    if line.amount not in amounts:
        message = f"{event.name} per {line.per}: {_unknown(line.amount, amounts)}"
        yield Finding(Problem.UNKNOWN_AMOUNT, f"{path}.amount", message)
    facts = event.facts_of(line.per)
    yield from _source_findings(line.account, facts, mapping_sets, f"{path}.account")
    for name, source in line.dimensions.items():
        yield from _source_findings(source, facts, mapping_sets, f"{path}.dimensions.{name}")


def _source_findings(
    source: Source, facts: Mapping[str, Fact], mapping_sets: Mapping[str, MappingSet], path: str
) -> Iterator[Finding]:
    if isinstance(source, Constant):
        return
    for name in (source.fact,) if isinstance(source, FactRef) else source.by:
        if name not in facts:
            yield Finding(Problem.UNKNOWN_FACT, path, _unknown(name, facts))
    if isinstance(source, FactRef):
        return
    mapping_set = mapping_sets.get(source.mapping_set)
    if mapping_set is None:
        yield Finding(Problem.UNKNOWN_MAPPING_SET, path, _unknown(source.mapping_set, mapping_sets))
    elif set(mapping_set.inputs) != set(source.by):
        wants, given = ", ".join(mapping_set.inputs), ", ".join(source.by)
        yield Finding(Problem.INPUTS_DIFFER, path, f"{source.mapping_set} is asked by {wants}; the rule gives {given}")


def _balance_findings(lines: tuple[RuleLine, ...], event: Event, path: str) -> Iterator[Finding]:
    """Debits minus credits as a sum of independent parts must vanish part by part."""
    parts: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sign = 1 if line.side is Side.DR else -1
        for part, count in event.amounts[line.per][line.amount].items():
            parts[part] += sign * count
    too_much = [part for part, count in parts.items() if count > 0]
    too_little = [part for part, count in parts.items() if count < 0]
    if too_much or too_little:
        sides = [f"debits exceed credits by {' + '.join(too_much)}"] if too_much else []
        sides += [f"credits exceed debits by {' + '.join(too_little)}"] if too_little else []
        yield Finding(Problem.UNBALANCED, path, "; ".join(sides))


def _unknown(name: str, known: Mapping[str, object]) -> str:
    return f"{name!r} is unknown; known are {', '.join(sorted(known)) or 'none'}"
