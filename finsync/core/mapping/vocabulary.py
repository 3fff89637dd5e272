"""The words posting rules may use: the facts and amounts every accounting event offers, and how amounts add up.

One table. A rule that names anything else is refused with its path, so a typo can never post to the wrong account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

Scalar = str | int | bool


class Per(StrEnum):
    """What one rule line repeats over."""

    DOCUMENT = "document"
    LINE = "line"
    TAX = "tax"


class FactKind(StrEnum):
    """The values a fact can take. ``DATE`` is ISO text (2026-02-14); intervals exist for ``INTEGER`` and ``DATE``."""

    TEXT = "text"
    INTEGER = "integer"
    DATE = "date"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class Fact:
    """A declared fact. ``values`` is its closed list, empty if open; ``optional`` facts may be absent."""

    name: str
    kind: FactKind = FactKind.TEXT
    values: tuple[str, ...] = ()
    optional: bool = False

    def accepts(self, value: object) -> bool:
        """Whether a value has this fact's kind and, if the list is closed, is on it."""
        if self.kind is FactKind.BOOLEAN:
            return isinstance(value, bool)
        if self.kind is FactKind.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        if self.kind is FactKind.DATE:
            return isinstance(value, str) and is_iso_date(value)
        return isinstance(value, str) and (not self.values or value in self.values)


def is_iso_date(text: str) -> bool:
    """Whether text is exactly a calendar day as 2026-02-14, so that text order is time order."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


# An amount as a sum of independent parts, e.g. gross = net + tax. Parts are names without meaning of their own.
Parts = Mapping[str, int]


@dataclass(frozen=True)
class Event:
    """An accounting event: its facts by scope, and its amounts by scope as sums of independent parts.

    Facts of a line or tax scope are merged over the document's. The parts state the identities that the static
    balance check may use: two amounts with equal parts are equal over the whole document.
    """

    name: str
    facts: Mapping[str, Fact]
    amounts: Mapping[Per, Mapping[str, Parts]]
    scope_facts: Mapping[Per, Mapping[str, Fact]] = field(default_factory=dict)

    def facts_of(self, per: Per) -> dict[str, Fact]:
        """Every fact a rule line of this scope can use."""
        return {**self.facts, **self.scope_facts.get(per, {})}


def _facts(*facts: Fact) -> Mapping[str, Fact]:
    return MappingProxyType({fact.name: fact for fact in facts})


_TREATMENT = Fact("revenue_treatment", values=("deferred", "immediate"))
_PARTY = (
    Fact("entity"),
    Fact("currency"),
    Fact("account_id"),
    Fact("country", optional=True),
)
_CONTRACT = (
    Fact("contract_number", optional=True),
    Fact("contract_version", FactKind.INTEGER, optional=True),
    Fact("change_type", values=("NEW", "UPSELL", "DOWNSELL", "RENEW", "CANCEL"), optional=True),
)
_ITEM = (
    Fact("product"),
    _TREATMENT,
    Fact("proration", FactKind.BOOLEAN),
    Fact("service_start", FactKind.DATE, optional=True),
    Fact("service_end", FactKind.DATE, optional=True),
)
_TAXED = (*_ITEM, Fact("tax_code"), Fact("jurisdiction"), Fact("rate"))

# A document whose lines differ is "mixed": its rule must then work per line.
_INVOICE_FACTS = _facts(
    *_PARTY,
    *_CONTRACT,
    Fact("billing_system"),
    Fact("revenue_treatment", values=("deferred", "immediate", "mixed")),
    Fact("document_date", FactKind.DATE),
    Fact("taxed", FactKind.BOOLEAN),
)
_INVOICE_AMOUNTS: Mapping[Per, Mapping[str, Parts]] = MappingProxyType(
    {
        Per.DOCUMENT: {"gross": {"net": 1, "tax": 1}, "net": {"net": 1}, "tax": {"tax": 1}},
        Per.LINE: {"gross": {"net": 1, "tax": 1}, "net": {"net": 1}, "tax": {"tax": 1}},
        Per.TAX: {"tax": {"tax": 1}, "base": {"base": 1}},
    }
)
_INVOICE_SCOPES = MappingProxyType({Per.LINE: _facts(*_ITEM), Per.TAX: _facts(*_TAXED)})
_PAYMENT_FACTS = _facts(*_PARTY, Fact("gateway"), Fact("method", optional=True), Fact("document_date", FactKind.DATE))

# fmt: off
EVENTS: Mapping[str, Event] = MappingProxyType({
    event.name: event for event in (
        Event("customer.registered", _facts(*_PARTY, Fact("tax_id", optional=True)), {}),
        Event("invoice.issued", _INVOICE_FACTS, _INVOICE_AMOUNTS, _INVOICE_SCOPES),
        Event("invoice.voided", _INVOICE_FACTS, _INVOICE_AMOUNTS, _INVOICE_SCOPES),
        Event("credit_memo.issued", _INVOICE_FACTS, _INVOICE_AMOUNTS, _INVOICE_SCOPES),
        Event("payment.captured", _PAYMENT_FACTS, {
            Per.DOCUMENT: {"gross": {"net": 1, "fee": 1}, "net": {"net": 1}, "fee": {"fee": 1}},
        }),
        Event("payment.applied", _facts(*_PAYMENT_FACTS.values(), Fact("billing_system")), {
            Per.DOCUMENT: {"applied": {"applied": 1}},
        }),
        Event("payment.refunded", _PAYMENT_FACTS, {Per.DOCUMENT: {"gross": {"gross": 1}}}),
        Event("revenue.recognised", _facts(
            *_PARTY, *_CONTRACT, Fact("period"), Fact("product", optional=True),
            Fact("measure", values=("ratable", "usage", "point_in_time"), optional=True),
        ), {Per.DOCUMENT: {"recognised": {"recognised": 1}}}),
    )
})
# fmt: on


def fact_named(name: str) -> Fact | None:
    """A fact by name over all events, for the inputs of a mapping set, which serves several events.

    Where events differ in whether the fact may be absent, the looser one counts.
    """
    found = [
        facts[name]
        for event in EVENTS.values()
        for facts in (event.facts, *event.scope_facts.values())
        if name in facts
    ]
    return next((fact for fact in found if fact.optional), found[0] if found else None)
