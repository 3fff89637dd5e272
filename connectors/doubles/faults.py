"""Misbehaviour on request: rules that match a request or a webhook, and what goes wrong then.

A rule is ``{"match": {fact: pattern}, "action": …, "times": n, "probability": p, "retry_after": s, "delay": s}``.
Facts of a request are ``method``, ``path`` and the names in its route (``contract``); facts of a webhook ``event``,
``object`` and what the double adds. Patterns are shell patterns; an empty match hits everything. ``times`` counts hits
and is unlimited where absent; ``probability`` is drawn from the double's seed, so a run can be repeated.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from connectors.doubles.store import Store

REQUEST_ACTIONS = frozenset({"429", "503", "refuse", "timeout_before", "timeout_after", "500_after"})
DELIVERY_ACTIONS = frozenset({"duplicate", "reorder", "delay", "drop"})
KNOWN = frozenset({"match", "action", "times", "probability", "retry_after", "delay", "code", "message", "status"})


class Faults:
    """The rules in force. They are kept in the store, so a restart does not heal anything."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = Random(seed)  # noqa: S311 - chance to be repeated, not secrecy

    def replace(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Put these rules in force instead of all others. Raises ValueError naming a rule that makes no sense."""
        for rule in rules:
            if unknown := set(rule) - KNOWN:
                raise ValueError(f"a rule knows no {', '.join(sorted(unknown))}")
            if rule.get("action") not in REQUEST_ACTIONS | DELIVERY_ACTIONS:
                raise ValueError(f"unknown action {rule.get('action')!r}")
            if not isinstance(rule.get("match", {}), dict):
                raise ValueError("match is an object of facts and patterns")
        self.store.remove_all("fault")
        for rule in rules:
            number = self.store.next("fault")
            self.store.put("fault", str(number), {**rule, "id": number})

    def take(self, actions: frozenset[str], facts: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the first rule that hits, and count the hit."""
        for rule in self.store.all("fault"):
            if rule["action"] not in actions or rule.get("times", 1) < 1 or not _matches(rule.get("match", {}), facts):
                continue
            if self.random.random() >= rule.get("probability", 1):
                continue
            if "times" in rule:
                rule["times"] -= 1
                self.store.put("fault", str(rule["id"]), rule)
            return rule
        return None


def _matches(match: Mapping[str, str], facts: Mapping[str, str]) -> bool:
    return all(name in facts and fnmatchcase(facts[name], str(pattern)) for name, pattern in match.items())
