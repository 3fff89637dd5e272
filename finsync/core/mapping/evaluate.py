"""From facts and amounts to journal lines, or to a refusal that says what is missing. There is no default account.

Exactly one rule of the set may hit, and exactly one row of every mapping set it asks; the lines must balance per
currency. Anything else is refused with a reason code, so that a person maps it and nobody guesses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from finsync.core.mapping.document import (
    Condition,
    Constant,
    FactRef,
    MappingSet,
    Operator,
    Rule,
    RuleLine,
    RuleSet,
    Side,
    Source,
)
from finsync.core.mapping.vocabulary import Per, Scalar
from finsync.core.money import Money

MAPPING_MISSING = "MAPPING_MISSING"
MAPPING_AMBIGUOUS = "MAPPING_AMBIGUOUS"
ERP_UNBALANCED_JE = "ERP_UNBALANCED_JE"
NEAREST_RULES_NAMED_MAX = 5  # rules; a refusal is read by a person

# An absent fact is missing, None or the empty text, which is how records write "not stated".
Facts = Mapping[str, Scalar | None]
Amounts = Mapping[str, Money]


@dataclass(frozen=True)
class Item:
    """One invoice line or tax line: its id in the source, its own facts and amounts (transaction currency)."""

    per: Per
    id: str
    facts: Facts
    amounts: Amounts


@dataclass(frozen=True)
class EvaluatedLine:
    """One journal line with where it came from. ``amount`` is above zero; the side carries the sign."""

    account: str
    side: Side
    amount: Money
    rule_id: str
    source_line: str = ""
    mapping_set: str = ""
    row_id: str = ""
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Evaluated:
    """Balanced lines and the sentence that explains them; no lines if every amount is zero."""

    lines: tuple[EvaluatedLine, ...]
    rule_id: str
    explanation: str


@dataclass(frozen=True)
class Refused:
    """Why nothing was made. ``mapping_set`` is the set's name or the event's for its rules; with ``inputs`` it is
    the root cause of the case. ``missing_input`` names the fact or amount to look at first, "" if there is none.
    """

    code: str
    detail: str
    missing_input: str = ""
    mapping_set: str = ""
    inputs: Mapping[str, Scalar | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """The value a source gave, and the mapping row that gave it if one did."""

    value: str
    mapping_set: str = ""
    row_id: str = ""


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether one condition is true of the facts. Text, whole number and truth value never equal each other."""
    value = known(facts, condition.fact)
    match condition.operator:
        case Operator.PRESENT:
            return value is not None
        case Operator.ABSENT:
            return value is None
    if value is None:
        return False
    comparable = tagged(value)
    operands = [tagged(operand) for operand in condition.operands]
    if condition.operator is Operator.BETWEEN:
        return operands[0] <= comparable <= operands[1]
    return comparable in operands


def known(facts: Facts, name: str) -> Scalar | None:
    """A fact's value, ``None`` if it is absent. Raises ``TypeError`` for a value that no condition could test."""
    value = facts.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str | int):
        raise TypeError(f"fact {name} must be text, a whole number or true/false, not {value!r}")
    return value


def tagged(value: Scalar) -> tuple[str, Scalar]:
    """A value that compares only with its own kind: ``True`` is not 1 and "1" is not 1."""
    if isinstance(value, bool):
        return ("boolean", value)
    return ("integer", value) if isinstance(value, int) else ("text", str(value))


def evaluate(
    rule_set: RuleSet,
    mapping_sets: Mapping[str, MappingSet],
    facts: Facts,
    amounts: Amounts,
    lines: Sequence[Item] = (),
) -> Evaluated | Refused:
    """Make the journal lines of one document.

    ``facts`` and ``amounts`` are the document's, ``lines`` its invoice and tax lines, whose facts are merged over the
    document's for rule lines that repeat per line or per tax. A negative amount turns the side round, a zero amount
    makes no line. Amounts are in transaction currency. Raises ``TypeError`` for facts that are no scalars.
    """
    rule = _the_rule(rule_set, facts)
    if isinstance(rule, Refused):
        return rule
    made: list[EvaluatedLine] = []
    for line in rule.lines:
        for item in _items(line.per, facts, amounts, lines):
            result = _line(rule_set.event, rule, line, item, mapping_sets)
            if isinstance(result, Refused):
                return result
            if result is not None:
                made.append(result)
    return _unbalanced(rule_set.event, rule, made) or Evaluated(tuple(made), rule.id, _explain(rule, made))


def lookup(mapping_set: MappingSet, facts: Facts) -> Found | Refused:
    """The one row of a mapping set that the facts hit."""
    inputs = {name: known(facts, name) for name in mapping_set.inputs}
    hits = [row for row in mapping_set.rows if all(holds(test, facts) for test in row.when)]
    if len(hits) == 1:
        return Found(hits[0].value, mapping_set.name, hits[0].id)
    if hits:
        rows = ", ".join(row.id for row in hits)
        detail = f"{mapping_set.name}: rows {rows} all cover {_inputs(inputs)}"
        return Refused(MAPPING_AMBIGUOUS, detail, mapping_set=mapping_set.name, inputs=inputs)
    first_absent = next((name for name, value in inputs.items() if value is None), mapping_set.inputs[0])
    detail = f"{mapping_set.name}: no row covers {_inputs(inputs)}"
    return Refused(MAPPING_MISSING, detail, first_absent, mapping_set.name, inputs)


def _the_rule(rule_set: RuleSet, facts: Facts) -> Rule | Refused:
    hits = [rule for rule in rule_set.rules if all(holds(condition, facts) for condition in rule.when)]
    if len(hits) == 1:
        return hits[0]
    tested = {condition.fact for rule in rule_set.rules for condition in rule.when}
    inputs = {name: known(facts, name) for name in sorted(tested)}
    if hits:
        detail = f"{rule_set.event}: rules {', '.join(rule.id for rule in hits)} all cover {_inputs(inputs)}"
        return Refused(MAPPING_AMBIGUOUS, detail, mapping_set=rule_set.event, inputs=inputs)
    failing = [(rule.id, [c for c in rule.when if not holds(c, facts)]) for rule in rule_set.rules]
    failing.sort(key=lambda nearness: len(nearness[1]))
    wants = "; ".join(
        f"{rule_id} wants {' and '.join(map(str, conditions))}"
        for rule_id, conditions in failing[:NEAREST_RULES_NAMED_MAX]
    )
    detail = f"{rule_set.event}: no rule covers {_inputs(inputs)}" + (f" ({wants})" if wants else "")
    return Refused(MAPPING_MISSING, detail, failing[0][1][0].fact if failing else "", rule_set.event, inputs)


def _items(per: Per, facts: Facts, amounts: Amounts, lines: Sequence[Item]) -> list[Item]:
    """What one rule line repeats over, each with the document's facts underneath its own."""
    if per is Per.DOCUMENT:
        return [Item(per, "", facts, amounts)]
    return [Item(per, item.id, {**facts, **item.facts}, item.amounts) for item in lines if item.per is per]


def _line(
    event: str, rule: Rule, line: RuleLine, item: Item, mapping_sets: Mapping[str, MappingSet]
) -> EvaluatedLine | Refused | None:
    amount = item.amounts.get(line.amount)
    if amount is None:
        where = f" of {line.per} {item.id}" if item.id else ""
        detail = f"{event}: rule {rule.id} needs the amount {line.amount}{where}, which the document does not state"
        return Refused(MAPPING_MISSING, detail, line.amount, event, {"rule": rule.id, "amount": line.amount})
    if not amount:
        return None
    account = _resolve(event, rule, line.account, item.facts, mapping_sets)
    if isinstance(account, Refused):
        return account
    dimensions: list[tuple[str, str]] = []
    for name, source in line.dimensions.items():
        found = _resolve(event, rule, source, item.facts, mapping_sets)
        if isinstance(found, Refused):
            return found
        dimensions.append((name, found.value))
    return EvaluatedLine(
        account=account.value,
        side=line.side.opposite if amount.is_negative else line.side,
        amount=abs(amount),
        rule_id=rule.id,
        source_line=item.id,
        mapping_set=account.mapping_set,
        row_id=account.row_id,
        dimensions=tuple(dimensions),
    )


def _resolve(
    event: str, rule: Rule, source: Source, facts: Facts, mapping_sets: Mapping[str, MappingSet]
) -> Found | Refused:
    match source:
        case Constant():
            return Found(source.value)
        case FactRef():
            value = known(facts, source.fact)
            if value is None:
                detail = f"{event}: rule {rule.id} uses {source.fact}, which the document does not state"
                return Refused(MAPPING_MISSING, detail, source.fact, event, {"rule": rule.id, "fact": source.fact})
            return Found(str(value))
    mapping_set = mapping_sets.get(source.mapping_set)
    if mapping_set is None:
        detail = f"{event}: rule {rule.id} asks the mapping set {source.mapping_set}, which has no approved version"
        return Refused(MAPPING_MISSING, detail, source.mapping_set, source.mapping_set)
    return lookup(mapping_set, facts)


def _unbalanced(event: str, rule: Rule, lines: Sequence[EvaluatedLine]) -> Refused | None:
    minor: defaultdict[tuple[str, Side], int] = defaultdict(int)
    for line in lines:
        minor[line.amount.currency, line.side] += line.amount.minor
    for currency in sorted({currency for currency, _ in minor}):
        debit, credit = minor[currency, Side.DR], minor[currency, Side.CR]
        if debit != credit:
            detail = (
                f"{event}: rule {rule.id} makes debits of {Money(debit, currency)} and credits of "
                f"{Money(credit, currency)}, {Money(debit - credit, currency)} apart"
            )
            return Refused(ERP_UNBALANCED_JE, detail, mapping_set=event, inputs={"rule": rule.id})
    return None


def _explain(rule: Rule, lines: Sequence[EvaluatedLine]) -> str:
    why = " and ".join(map(str, rule.when)) or "it has no conditions"
    if not lines:
        return f"Rule {rule.id} applies ({why}); every amount is zero, so nothing is posted"
    parts = []
    for line in lines:
        origin = f" by {line.mapping_set} row {line.row_id}" if line.mapping_set else ""
        parts.append(f"{line.side} {line.account} {line.amount}{origin}")
    return f"Rule {rule.id} applies ({why}): {'; '.join(parts)}"


def _inputs(inputs: Mapping[str, Scalar | None]) -> str:
    return ", ".join(f"{name} = {'absent' if value is None else value}" for name, value in inputs.items()) or "anything"
