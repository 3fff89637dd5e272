"""The sample company: two legal entities, the people, the connections and the approved mappings it starts with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Account:
    """One demo account; its password is printed by `make run` and exists in demo settings only."""

    username: str
    name: str
    role: str


ACCOUNTS = (
    Account("ana", "Ana Analyst", "analyst"),
    Account("carl", "Carl Controller", "controller"),
    Account("maya", "Maya Maker", "mapping_author"),
    Account("omar", "Omar Approver", "mapping_approver"),
    Account("ines", "Ines Integration", "integration_admin"),
    Account("aude", "Aude Auditor", "auditor"),
)

ENTITIES = (
    {"code": "US01", "name": "Finsync US Inc", "currency": "USD", "country": "US", "timezone": "America/Chicago"},
    {"code": "UK01", "name": "Finsync UK Ltd", "currency": "GBP", "country": "GB", "timezone": "Europe/London"},
)


@dataclass(frozen=True)
class SampleConnection:
    """One connection of the sample company. ``values`` are columns of the Connection model."""

    name: str
    kind: str
    title: str
    roles: tuple[str, ...]
    real: bool
    values: Mapping[str, Any] = field(default_factory=dict)


# A double loses nothing in flight for longer than its read timeout; the ERP runs on this machine. Hence short waits
# before 'not found' is believed; production defaults are 900 s and 300 s.
_NEAR = {"quiesce_seconds": 60, "lag_seconds": 10, "read_timeout_seconds": 30, "lease_seconds": 180}

CONNECTIONS = (
    SampleConnection("salesforce", "salesforce", "Salesforce", ("crm",), False, {"rate_per_second": 20, **_NEAR}),
    SampleConnection("stripe", "stripe", "Stripe", ("billing", "gateway"), False, {"rate_per_second": 25, **_NEAR}),
    SampleConnection(
        "revenue_engine", "revenue_engine", "Revenue engine", ("revenue",), False, {"rate_per_second": 20, **_NEAR}
    ),
    SampleConnection(
        "tryton", "tryton", "Tryton ERP", ("erp",), True, {"rate_per_second": 20, "concurrency_max": 4, **_NEAR}
    ),
)


def _rules(event: str, lines: Sequence[Mapping[str, Any]], when: Sequence[Any] = ()) -> dict[str, Any]:
    return {
        "schema": "finsync.rules/1",
        "event": event,
        "hit_policy": "UNIQUE",
        "rules": [{"id": "R010", "when": list(when), "lines": list(lines)}],
    }


def _set(name: str, inputs: Sequence[str], rows: Sequence[tuple[Mapping[str, str], str]]) -> dict[str, Any]:
    return {
        "schema": "finsync.mapping-set/1",
        "name": name,
        "inputs": list(inputs),
        "rows": [
            {"id": f"M{number:03d}", "when": dict(when), "value": value}
            for number, (when, value) in enumerate(rows, start=1)
        ],
    }


def _by_entity(code: str) -> list[tuple[dict[str, str], str]]:
    return [({"entity": entity["code"]}, code) for entity in ENTITIES]


# Mapping sets come first: rules are checked against them. GB-VAT-5 is missing on purpose: somebody must propose it.
MAPPINGS: Mapping[str, dict[str, Any]] = {
    "set:ar_control": _set("ar_control", ["entity"], _by_entity("1100")),
    "set:gateway_clearing": _set("gateway_clearing", ["entity"], _by_entity("1050")),
    "set:deferred_revenue": _set("deferred_revenue", ["entity"], _by_entity("2100")),
    "set:subscription_revenue": _set("subscription_revenue", ["entity"], _by_entity("4000")),
    "set:tax_payable": _set(
        "tax_payable",
        ["entity", "tax_code"],
        [
            ({"entity": "US01", "tax_code": "US-TX-SALES"}, "2200"),
            ({"entity": "UK01", "tax_code": "GB-VAT-20"}, "2200"),
        ],
    ),
    "rules:invoice.issued": _rules(
        "invoice.issued",
        [
            {"side": "DR", "account": {"mapping_set": "ar_control", "by": ["entity"]}, "amount": "gross"},
            {
                "side": "CR",
                "account": {"mapping_set": "deferred_revenue", "by": ["entity"]},
                "amount": "net",
                "per": "line",
                "dimensions": {"product": {"fact": "product"}},
            },
            {
                "side": "CR",
                "account": {"mapping_set": "tax_payable", "by": ["entity", "tax_code"]},
                "amount": "tax",
                "per": "tax",
                "dimensions": {"tax_code": {"fact": "tax_code"}},
            },
        ],
        [["revenue_treatment", "eq", "deferred"]],
    ),
    "rules:payment.captured": _rules(
        "payment.captured",
        [
            {"side": "DR", "account": {"mapping_set": "gateway_clearing", "by": ["entity"]}, "amount": "gross"},
            {"side": "CR", "account": {"mapping_set": "ar_control", "by": ["entity"]}, "amount": "gross"},
        ],
    ),
    "rules:revenue.recognised": _rules(
        "revenue.recognised",
        [
            {"side": "DR", "account": {"mapping_set": "deferred_revenue", "by": ["entity"]}, "amount": "recognised"},
            {
                "side": "CR",
                "account": {"mapping_set": "subscription_revenue", "by": ["entity"]},
                "amount": "recognised",
            },
        ],
    ),
}
