"""Posting rules as documents: what a rule set and a mapping set look like, read from and written to plain JSON values.

Parsing is strict: an unknown key, operator or shape is a ``DocumentError`` that names its path. What the words *mean*
(declared facts and amounts, balance) is checked by ``validate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from finsync.core.keys import content_hash
from finsync.core.mapping.reading import (
    DocumentError,
    read_choice,
    read_items,
    read_mapping,
    read_names,
    read_object,
    read_scalar,
    read_text,
    refuse_repeats,
)
from finsync.core.mapping.vocabulary import Per, Scalar

RULES_SCHEMA = "finsync.rules/1"
MAPPING_SET_SCHEMA = "finsync.mapping-set/1"


class Operator(StrEnum):
    """The five tests a condition can make."""

    EQ = "eq"
    IN = "in"
    BETWEEN = "between"
    PRESENT = "present"
    ABSENT = "absent"


class HitPolicy(StrEnum):
    """How many rows may hit. There is one policy: exactly one."""

    UNIQUE = "UNIQUE"


class Side(StrEnum):
    """Debit or credit."""

    DR = "DR"
    CR = "CR"

    @property
    def opposite(self) -> Side:
        return Side.CR if self is Side.DR else Side.DR


@dataclass(frozen=True)
class Condition:
    """One test of one fact.

    ``operands``: one value for eq, several for in, the lowest and the highest value (both included) for between.
    """

    fact: str
    operator: Operator
    operands: tuple[Scalar, ...] = ()

    def __str__(self) -> str:
        match self.operator:
            case Operator.EQ:
                return f"{self.fact} = {self.operands[0]}"
            case Operator.IN:
                return f"{self.fact} in {', '.join(map(str, self.operands))}"
            case Operator.BETWEEN:
                return f"{self.fact} from {self.operands[0]} to {self.operands[1]}"
        return f"{self.fact} {self.operator}"


@dataclass(frozen=True)
class Constant:
    """A fixed account or dimension value."""

    value: str


@dataclass(frozen=True)
class FactRef:
    """The value of a fact."""

    fact: str


@dataclass(frozen=True)
class SetRef:
    """The value a mapping set gives for some facts; ``by`` are the set's inputs."""

    mapping_set: str
    by: tuple[str, ...]


Source = Constant | FactRef | SetRef


@dataclass(frozen=True)
class RuleLine:
    """One journal line a rule makes, once per document, invoice line or tax line."""

    side: Side
    account: Source
    amount: str
    per: Per = Per.DOCUMENT
    dimensions: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """All conditions true: this rule makes these lines."""

    id: str
    when: tuple[Condition, ...]
    lines: tuple[RuleLine, ...]


@dataclass(frozen=True)
class RuleSet:
    """The decision table of one accounting event."""

    event: str
    rules: tuple[Rule, ...]
    hit_policy: HitPolicy = HitPolicy.UNIQUE

    @property
    def content_hash(self) -> str:
        """sha256 over the canonical JSON form: what is approved is what is posted."""
        return content_hash(rule_set_to_json(self))


@dataclass(frozen=True)
class MappingRow:
    """Input values to one output value. An input that is not named may have any value."""

    id: str
    when: tuple[Condition, ...]
    value: str


@dataclass(frozen=True)
class MappingSet:
    """A named table from input facts to one value, usually an account."""

    name: str
    inputs: tuple[str, ...]
    rows: tuple[MappingRow, ...]

    @property
    def content_hash(self) -> str:
        """sha256 over the canonical JSON form."""
        return content_hash(mapping_set_to_json(self))


def parse_rule_set(raw: Any) -> RuleSet:
    """Read a ``finsync.rules/1`` document from JSON values. Raises ``DocumentError`` with the path of the problem."""
    body = read_object(raw, "$", {"schema", "event", "hit_policy", "rules"})
    _schema(body, RULES_SCHEMA)
    rules = read_items(body["rules"], "rules", _rule)
    refuse_repeats([rule.id for rule in rules], "rules")
    return RuleSet(read_text(body["event"], "event"), rules, read_choice(HitPolicy, body["hit_policy"], "hit_policy"))


def parse_mapping_set(raw: Any) -> MappingSet:
    """Read a ``finsync.mapping-set/1`` document from JSON values. Raises ``DocumentError`` with the path."""
    body = read_object(raw, "$", {"schema", "name", "inputs", "rows"})
    _schema(body, MAPPING_SET_SCHEMA)
    inputs = read_names(body["inputs"], "inputs")
    rows = read_items(body["rows"], "rows", lambda row, path: _row(row, path, inputs))
    refuse_repeats([row.id for row in rows], "rows")
    return MappingSet(read_text(body["name"], "name"), inputs, rows)


def rule_set_to_json(rule_set: RuleSet) -> dict[str, Any]:
    """The document as plain JSON values; parsing it again gives an equal rule set."""
    return {
        "schema": RULES_SCHEMA,
        "event": rule_set.event,
        "hit_policy": rule_set.hit_policy.value,
        "rules": [
            {
                "id": rule.id,
                "when": [_condition_json(condition) for condition in rule.when],
                "lines": [_line_json(line) for line in rule.lines],
            }
            for rule in rule_set.rules
        ],
    }


def mapping_set_to_json(mapping_set: MappingSet) -> dict[str, Any]:
    """The document as plain JSON values; parsing it again gives an equal mapping set."""
    return {
        "schema": MAPPING_SET_SCHEMA,
        "name": mapping_set.name,
        "inputs": list(mapping_set.inputs),
        "rows": [
            {"id": row.id, "when": {c.fact: _row_test_json(c) for c in row.when}, "value": row.value}
            for row in mapping_set.rows
        ],
    }


def _rule(raw: Any, path: str) -> Rule:
    body = read_object(raw, path, {"id", "when", "lines"})
    lines = read_items(body["lines"], f"{path}.lines", _line)
    if not lines:
        raise DocumentError(f"{path}.lines", "a rule makes at least one line")
    return Rule(read_text(body["id"], f"{path}.id"), read_items(body["when"], f"{path}.when", _condition), lines)


def _condition(raw: Any, path: str) -> Condition:
    if not isinstance(raw, list) or len(raw) not in (2, 3):
        raise DocumentError(path, "a condition is [fact, operator] or [fact, operator, value]")
    operator = read_choice(Operator, raw[1], f"{path}[1]")
    operand = raw[2:]
    wants_operand = operator not in (Operator.PRESENT, Operator.ABSENT)
    if wants_operand != bool(operand):
        raise DocumentError(path, f"{operator} takes {'one value' if wants_operand else 'no value'}")
    operands = _operands(operator, operand[0], f"{path}[2]") if operand else ()
    return Condition(read_text(raw[0], f"{path}[0]"), operator, operands)


def _operands(operator: Operator, raw: Any, path: str) -> tuple[Scalar, ...]:
    if operator is Operator.EQ:
        return (read_scalar(raw, path),)
    values = read_items(raw, path, read_scalar)
    if len({type(value) for value in values}) > 1:
        raise DocumentError(path, "values of one kind only")
    if operator is Operator.IN and (not values or len(set(values)) != len(values)):
        raise DocumentError(path, "at least one value, each named once")
    if operator is Operator.BETWEEN and (len(values) != 2 or not values[0] <= values[1]):  # type: ignore[operator]
        raise DocumentError(path, "the lowest and the highest value, in this order")
    return values


def _line(raw: Any, path: str) -> RuleLine:
    body = read_object(raw, path, {"side", "account", "amount"}, {"per", "dimensions"})
    dimensions = read_mapping(body.get("dimensions", {}), f"{path}.dimensions")
    return RuleLine(
        read_choice(Side, body["side"], f"{path}.side"),
        _source(body["account"], f"{path}.account"),
        read_text(body["amount"], f"{path}.amount"),
        read_choice(Per, body.get("per", Per.DOCUMENT), f"{path}.per"),
        {read_text(k, f"{path}.dimensions"): _source(v, f"{path}.dimensions.{k}") for k, v in dimensions.items()},
    )


def _source(raw: Any, path: str) -> Source:
    if isinstance(raw, str):
        return Constant(read_text(raw, path))
    if isinstance(raw, Mapping) and "fact" in raw:
        return FactRef(read_text(read_object(raw, path, {"fact"})["fact"], f"{path}.fact"))
    body = read_object(raw, path, {"mapping_set", "by"})
    return SetRef(read_text(body["mapping_set"], f"{path}.mapping_set"), read_names(body["by"], f"{path}.by"))


def _row(raw: Any, path: str, inputs: tuple[str, ...]) -> MappingRow:
    body = read_object(raw, path, {"id", "when", "value"})
    when = read_mapping(body["when"], f"{path}.when")
    for name in when:
        if name not in inputs:
            raise DocumentError(f"{path}.when.{name}", f"not an input of this set; inputs are {', '.join(inputs)}")
    conditions = tuple(_row_test(name, when[name], f"{path}.when.{name}") for name in inputs if name in when)
    return MappingRow(read_text(body["id"], f"{path}.id"), conditions, read_text(body["value"], f"{path}.value"))


def _row_test(name: str, raw: Any, path: str) -> Condition:
    """A bare value is eq, a list is in, {"between": [low, high]} is between."""
    if isinstance(raw, list):
        return Condition(name, Operator.IN, _operands(Operator.IN, raw, path))
    if isinstance(raw, Mapping):
        between = read_object(raw, path, {"between"})["between"]
        return Condition(name, Operator.BETWEEN, _operands(Operator.BETWEEN, between, path))
    return Condition(name, Operator.EQ, (read_scalar(raw, path),))


def _condition_json(condition: Condition) -> list[Any]:
    match condition.operator:
        case Operator.EQ:
            return [condition.fact, "eq", condition.operands[0]]
        case Operator.PRESENT | Operator.ABSENT:
            return [condition.fact, condition.operator.value]
    return [condition.fact, condition.operator.value, list(condition.operands)]


def _row_test_json(condition: Condition) -> Any:
    match condition.operator:
        case Operator.EQ:
            return condition.operands[0]
        case Operator.IN:
            return list(condition.operands)
        case Operator.BETWEEN:
            return {"between": list(condition.operands)}
    raise ValueError(f"a mapping row cannot test {condition.operator}")


def _line_json(line: RuleLine) -> dict[str, Any]:
    body: dict[str, Any] = {
        "side": line.side.value,
        "account": _source_json(line.account),
        "amount": line.amount,
    }
    if line.per is not Per.DOCUMENT:
        body["per"] = line.per.value
    if line.dimensions:
        body["dimensions"] = {name: _source_json(source) for name, source in line.dimensions.items()}
    return body


def _source_json(source: Source) -> Any:
    match source:
        case Constant():
            return source.value
        case FactRef():
            return {"fact": source.fact}
    return {"mapping_set": source.mapping_set, "by": list(source.by)}


def _schema(body: Mapping[str, Any], expected: str) -> None:
    if body["schema"] != expected:
        raise DocumentError("schema", f"{body['schema']!r} is not {expected!r}")
