"""Using the approved tables: which version is active, and what it makes of a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from finsync.audit.services import recording
from finsync.core.lifecycle import MappingState
from finsync.core.mapping.document import MappingSet, RuleSet, parse_mapping_set, parse_rule_set
from finsync.core.mapping.evaluate import Amounts, Evaluated, Facts, Item, Refused, evaluate
from finsync.core.mapping.overlap import FindingKind, find_in_mapping_set, find_in_rule_set
from finsync.core.mapping.validate import validate_mapping_set, validate_rule_set
from finsync.mappings.models import MappingVersion


class MappingInvalid(ValueError):
    """The document cannot be a version; ``findings`` say where and why."""

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(self.findings))


@dataclass(frozen=True)
class ActiveTables:
    """All active rule sets and mapping sets, parsed once per batch, with the versions they came from."""

    rules: Mapping[str, tuple[RuleSet, MappingVersion]]
    sets: Mapping[str, tuple[MappingSet, MappingVersion]]

    def evaluate(self, event: str, facts: Facts, amounts: Amounts, items: Sequence[Item]) -> Evaluated | Refused:
        """Return the journal lines of one document, or why there are none. No default account, ever."""
        if event not in self.rules:
            return Refused("MAPPING_MISSING", f"{event}: no rule set is active for this event", mapping_set=event)
        sets = {name: table for name, (table, _) in self.sets.items()}
        return evaluate(self.rules[event][0], sets, facts, amounts, items)

    def rule_version(self, event: str) -> MappingVersion | None:
        """Return the active version of an event's rules."""
        return self.rules[event][1] if event in self.rules else None

    def set_version(self, name: str) -> MappingVersion | None:
        """Return the active version of a mapping set."""
        return self.sets[name][1] if name in self.sets else None


def active_tables() -> ActiveTables:
    """Read every active version."""
    rules, sets = {}, {}
    for version in MappingVersion.objects.filter(state=MappingState.ACTIVE):
        if version.kind == "rules":
            rule_set = parse_rule_set(version.document)
            rules[rule_set.event] = (rule_set, version)
        else:
            mapping_set = parse_mapping_set(version.document)
            sets[mapping_set.name] = (mapping_set, version)
    return ActiveTables(rules, sets)


def propose(
    name: str, document: Mapping[str, Any], author: AbstractBaseUser, *, effective_from: date, reason: str
) -> MappingVersion:
    """Save the next version of a table as SUBMITTED, frozen under its hash.

    Raises MappingInvalid where the document uses an undeclared word, overlaps or leaves a gap that can be decided.
    """
    kind = "rules" if name.startswith("rules:") else "mapping_set"
    digest = _checked(kind, document)
    with recording():
        latest = MappingVersion.objects.filter(name=name).order_by("-version").first()
        number = latest.version if latest else 0
        version = MappingVersion.objects.create(
            name=name,
            kind=kind,
            version=number + 1,
            base_version=number,
            document=dict(document),
            content_hash=digest,
            effective_from=effective_from,
            author=author,
            reason=reason,
        )
        version.state = MappingState.SUBMITTED
        version.save(update_fields=["state"])
    return version


def approve_and_activate(version: MappingVersion, approver: AbstractBaseUser) -> MappingVersion:
    """Sign a submitted version and make it the active one; the older one retires.

    The database refuses an approver who is the author (constraint ``author_is_not_approver``).
    """
    with recording():
        version = MappingVersion.objects.select_for_update().get(pk=version.pk)
        version.state, version.approver, version.approved_at = MappingState.APPROVED, approver, timezone.now()
        version.save()
        for older in MappingVersion.objects.filter(name=version.name, state=MappingState.ACTIVE):
            older.state = MappingState.RETIRED
            older.save(update_fields=["state"])
        version.state = MappingState.ACTIVE
        version.save(update_fields=["state"])
    return version


def _checked(kind: str, document: Mapping[str, Any]) -> str:
    """Return the content hash of a document that may become a version. Raises MappingInvalid."""
    if kind == "rules":
        rule_set = parse_rule_set(document)
        sets = {name: table for name, (table, _) in active_tables().sets.items()}
        problems, coverage, digest = (
            validate_rule_set(rule_set, sets),
            find_in_rule_set(rule_set),
            rule_set.content_hash,
        )
    else:
        mapping_set = parse_mapping_set(document)
        problems, coverage, digest = (
            validate_mapping_set(mapping_set),
            find_in_mapping_set(mapping_set),
            mapping_set.content_hash,
        )
    # A gap is no error: what no row covers is refused when it is met. An overlap could post to two accounts.
    findings = [f"{problem.path}: {problem.message}" for problem in problems]
    findings += [finding.message for finding in coverage if finding.kind is FindingKind.OVERLAP]
    if findings:
        raise MappingInvalid(findings)
    return digest
