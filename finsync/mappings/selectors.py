"""Reading mapping versions the way a controller reads a table of accounts."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F

from finsync.core.lifecycle import MappingState
from finsync.core.mapping.document import Constant, FactRef, Source, parse_mapping_set, parse_rule_set
from finsync.core.mapping.reading import DocumentError
from finsync.mappings.models import MappingVersion

VERSIONS_SHOWN_MAX = 50


@dataclass(frozen=True)
class Listed:
    """One live rule set or mapping set, with how many rows it has."""

    version: MappingVersion
    title: str
    rows: int


def live() -> tuple[list[Listed], list[Listed]]:
    """Return the live rule sets and the live mapping sets, by name; one query."""
    found = MappingVersion.objects.filter(state__in=(MappingState.ACTIVE, MappingState.CANARY))
    versions = found.select_related("author", "approver").order_by("name")
    listed = [_listed(version) for version in versions]
    rules = [row for row in listed if row.version.kind == "rules"]
    return rules, [row for row in listed if row.version.kind != "rules"]


def _listed(version: MappingVersion) -> Listed:
    body = version.document if isinstance(version.document, dict) else {}
    return Listed(version, version.name.split(":", 1)[-1], len(body.get("rules") or body.get("rows") or ()))


@dataclass(frozen=True)
class Sheet:
    """One version as a table: its columns, and its rows as lists of cells; ``problem`` where it cannot be read."""

    version: MappingVersion
    title: str
    is_rules: bool
    columns: list[str]
    rows: list[dict[str, Any]]
    history: list[MappingVersion]
    problem: str = ""


def sheet(name: str, number: int | None) -> Sheet | None:
    """Read one version of one name, the live one where no number is given; two queries."""
    versions = MappingVersion.objects.filter(name=name).select_related("author", "approver")
    rank = F("version").desc()
    history = list(versions.order_by(rank)[:VERSIONS_SHOWN_MAX])
    live_states = (MappingState.ACTIVE, MappingState.CANARY)
    if number is None:
        chosen = next((row for row in history if row.state in live_states), history[0] if history else None)
    else:
        chosen = next((row for row in history if row.version == number), versions.filter(version=number).first())
    if chosen is None:
        return None
    title, is_rules = name.split(":", 1)[-1], chosen.kind == "rules"
    try:
        columns, rows = _rule_rows(chosen.document) if is_rules else _set_rows(chosen.document)
    except DocumentError as problem:
        return Sheet(chosen, title, is_rules, [], [], history, str(problem))
    return Sheet(chosen, title, is_rules, columns, rows, history)


def _rule_rows(document: Any) -> tuple[list[str], list[dict[str, Any]]]:
    rules = parse_rule_set(document).rules
    rows = [
        {
            "id": rule.id,
            "when": [str(condition) for condition in rule.when] or ["always"],
            "lines": [
                {
                    "side": "Debit" if line.side.value == "DR" else "Credit",
                    "account": _source(line.account),
                    "set": getattr(line.account, "mapping_set", ""),
                    "amount": line.amount,
                    "per": "" if line.per.value == "document" else f"per {line.per.value}",
                    "dimensions": [f"{name} = {_source(source)}" for name, source in line.dimensions.items()],
                }
                for line in rule.lines
            ],
        }
        for rule in rules
    ]
    return [], rows


def _set_rows(document: Any) -> tuple[list[str], list[dict[str, Any]]]:
    found = parse_mapping_set(document)
    columns = list(found.inputs)
    rows = []
    for row in found.rows:
        tests = {condition.fact: condition for condition in row.when}
        cells = [_test(str(tests[name]), name) if name in tests else "any" for name in columns]
        rows.append({"id": row.id, "cells": cells, "value": row.value})
    return columns, rows


def _test(words: str, fact: str) -> str:
    return words.removeprefix(f"{fact} ").removeprefix("= ")


def _source(source: Source) -> str:
    if isinstance(source, Constant):
        return source.value
    if isinstance(source, FactRef):
        return f"the fact {source.fact}"
    return f"{source.mapping_set} by {', '.join(source.by)}"
