"""What changed between two versions of a document, rule by rule and field by field, for the person who approves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finsync.core.mapping.document import MappingSet, RuleSet, mapping_set_to_json, rule_set_to_json

_ABSENT = object()


@dataclass(frozen=True)
class FieldChange:
    """One value that differs, by path inside its rule or row; ``None`` on the side that does not have it."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class EntryChange:
    """A rule or row that both versions have, with what differs in it."""

    id: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class DocumentDiff:
    """Ids of added and removed entries, changed entries, and changes of the document's own fields.

    The order of entries is no change: with the hit policy UNIQUE it has no meaning.
    """

    header: tuple[FieldChange, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[EntryChange, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.header or self.added or self.removed or self.changed)


def diff_rule_sets(old: RuleSet, new: RuleSet) -> DocumentDiff:
    """Compare two versions of a rule set by rule id."""
    return _diff(rule_set_to_json(old), rule_set_to_json(new), "rules")


def diff_mapping_sets(old: MappingSet, new: MappingSet) -> DocumentDiff:
    """Compare two versions of a mapping set by row id."""
    return _diff(mapping_set_to_json(old), mapping_set_to_json(new), "rows")


def _diff(old: Mapping[str, Any], new: Mapping[str, Any], entries: str) -> DocumentDiff:
    before = {entry["id"]: entry for entry in old[entries]}
    after = {entry["id"]: entry for entry in new[entries]}
    changed = (EntryChange(key, tuple(_fields(before[key], after[key], ""))) for key in before if key in after)
    return DocumentDiff(
        header=tuple(_fields(_without(old, entries), _without(new, entries), "")),
        added=tuple(key for key in after if key not in before),
        removed=tuple(key for key in before if key not in after),
        changed=tuple(change for change in changed if change.fields),
    )


def _without(document: Mapping[str, Any], entries: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != entries}


def _fields(before: Any, after: Any, path: str) -> list[FieldChange]:
    """Differences of two JSON values; objects and lists of equal length are entered, all else is compared whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [
            (f"{path}.{key}".lstrip("."), before.get(key, _ABSENT), after.get(key, _ABSENT))
            for key in [*before, *(key for key in after if key not in before)]
        ]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(before, after, strict=True))]
    else:
        same = type(before) is type(after) and before == after
        return [] if same else [FieldChange(path, *(None if side is _ABSENT else side for side in (before, after)))]
    return [change for name, one, other in pairs for change in _fields(one, other, name)]
