"""A small believable company for pages and their tests: two legal entities, four systems, a dozen customers.

Most of it went well. The day-45 expansion of contract C-1001 was refused by the revenue engine, a tax code of DE01 is
not mapped, one customer is unknown in the ledger, one document is in doubt, one letter cannot be read.
"""

from datetime import timedelta

from django.utils import timezone

from exceptions_queue.models import ExceptionCase
from exceptions_queue.services import Subject
from finsync.audit.services import recording
from finsync.core.money import Money
from finsync.posting.models import Posting
from tests import factories as make
from tests.company import CUSTOMERS, World
from tests.thread import thread

RULES = {
    "schema": "finsync.rules/1",
    "event": "invoice.issued",
    "hit_policy": "UNIQUE",
    "rules": [
        {
            "id": "R010",
            "when": [["entity", "in", ["US01", "DE01"]], ["revenue_treatment", "eq", "deferred"]],
            "lines": [
                {"side": "DR", "account": {"mapping_set": "ar_control", "by": ["entity"]}, "amount": "gross"},
                {
                    "side": "CR",
                    "account": "2100",
                    "amount": "net",
                    "per": "line",
                    "dimensions": {"product": {"fact": "product"}},
                },
                {
                    "side": "CR",
                    "account": {"mapping_set": "tax_payable", "by": ["entity", "tax_code"]},
                    "amount": "tax",
                    "per": "tax",
                },
            ],
        },
        {
            "id": "R020",
            "when": [["revenue_treatment", "eq", "immediate"]],
            "lines": [
                {"side": "DR", "account": "1100", "amount": "gross"},
                {"side": "CR", "account": "4000", "amount": "gross"},
            ],
        },
    ],
}
AR_CONTROL = {
    "schema": "finsync.mapping-set/1",
    "name": "ar_control",
    "inputs": ["entity"],
    "rows": [
        {"id": "A1", "when": {"entity": "US01"}, "value": "1100"},
        {"id": "A2", "when": {"entity": ["DE01", "AT01"]}, "value": "1200"},
    ],
}
TAX_PAYABLE = {
    "schema": "finsync.mapping-set/1",
    "name": "tax_payable",
    "inputs": ["entity", "tax_code"],
    "rows": [
        {"id": "T3", "when": {"entity": "US01", "tax_code": "US-TX-825"}, "value": "2210"},
        {"id": "T4", "when": {"entity": "DE01"}, "value": "2220"},
    ],
}


def build(customers: int = len(CUSTOMERS)) -> World:
    """Build the whole company; ``customers`` limits how many have documents (at least 2)."""
    world = World(now=timezone.now())
    _people(world)
    make.entity("US01", "Lighthouse Inc.", "USD", "US")
    make.entity("DE01", "Lighthouse GmbH", "EUR", "DE")
    _systems(world)
    people = world.people
    world.rules = make.mapping("rules:invoice.issued", "rules", RULES, people["dana"], people["mina"])
    for document in (AR_CONTROL, TAX_PAYABLE):
        name = document["name"]
        world.sets[name] = make.mapping(f"set:{name}", "mapping_set", document, people["dana"], people["mina"])
    for number, (name, entity) in enumerate(CUSTOMERS[:customers]):
        thread(world, number, name, entity)
    _troubles(world)
    _desk(world)
    _reconciliation(world)
    return world


def _people(world: World) -> None:
    for username, role, name in (
        ("priya", "analyst", "Priya Nair"),
        ("tomas", "analyst", "Tomás Arce"),
        ("sofia", "controller", "Sofia Lindqvist"),
        ("dana", "mapping_author", "Dana Whitfield"),
        ("mina", "mapping_approver", "Mina Okafor"),
        ("ines", "integration_admin", "Ines Sato"),
        ("otto", "auditor", "Otto Kern"),
    ):
        world.people[username] = make.person(username, role, name=name)


def _systems(world: World) -> None:
    now = world.now
    ok = {"last_success_at": now - timedelta(seconds=40), "tokens": 18, "tokens_at": now}
    add = world.systems
    add["crm"] = make.connection(
        "salesforce", "salesforce", "Salesforce", "crm", real=False, streams=("account", "order"), **ok
    )
    add["billing"] = make.connection(
        "stripe", "stripe", "Stripe", "billing", "gateway", real=False, streams=("event",), **ok
    )
    add["revenue"] = make.connection(
        "revenue-engine",
        "revenue_engine",
        "Revenue engine",
        "revenue",
        real=False,
        streams=("schedule",),
        state="PAUSED",
        state_reason="5 calls failed in a row; probed every 60 s",
        probe_at=now + timedelta(seconds=45),
        failures_in_a_row=5,
        last_success_at=now - timedelta(minutes=22),
        last_failure_at=now - timedelta(minutes=2),
        last_failure="503 Service Unavailable",
        tokens=4,
        tokens_at=now,
    )
    add["erp"] = make.connection(
        "tryton", "tryton", "Tryton", "erp", entities=["US01", "DE01"], concurrency_max=2, concurrency_now=2, **ok
    )


def _troubles(world: World) -> None:
    now, billing, erp = world.now, world.systems["billing"], world.systems["erp"]
    known = list(Posting.objects.filter(doc_type="payment").order_by("id"))
    world.unreadable = make.letter(
        billing,
        "evt_broken",
        "",
        b'{"id": "evt_broken", \x00\xff truncated',
        now - timedelta(hours=2),
        state="QUARANTINED",
        reason_code="ING_UNREADABLE",
        reason="not JSON: character 22 cannot be read",
        processed_at=None,
    )
    make.letter(
        billing,
        "evt_ping",
        "ping",
        {"type": "ping"},
        now - timedelta(minutes=30),
        state="IGNORED",
        reason="a ping says nothing finsync keeps",
    )
    make.letter(
        billing,
        "evt_new",
        "invoice.paid",
        {"type": "invoice.paid"},
        now - timedelta(seconds=9),
        state="RECEIVED",
        next_action_at=now,
        processed_at=None,
    )
    world.cases["unreadable"] = make.case(
        "ING_UNREADABLE",
        {"connection": "stripe", "message": "evt_broken"},
        Subject(type="inbox", id=world.unreadable.pk, business_key="evt_broken", detail="not JSON"),
        source="stripe",
    )
    for number, (name, _) in enumerate(CUSTOMERS[1:6]):
        world.cases["tax"] = make.case(
            "MAPPING_MISSING",
            {"mapping_set": "tax_payable", "inputs": {"entity": "DE01", "tax_code": "DE-VAT-20"}},
            Subject(
                type="change",
                id=900 + number,
                business_key=f"invoice:DE01:stripe:INV-{number}",
                amount=Money.of(18_234 + number * 977, "EUR"),
                detail="tax_payable has no row for DE01, DE-VAT-20",
            ),
            at=now - timedelta(hours=5),
            entity="DE01",
            source="stripe",
            target="tryton",
            customer=name,
            title="Tax code DE-VAT-20 has no account",
            explanation="Mapping set tax_payable has no row for DE01 with DE-VAT-20, so invoices that carry it wait.",
        )
    world.cases["unknown"] = make.case(
        "MDM_ACCOUNT_UNMAPPED",
        {"account": "0015g99999"},
        Subject(
            type="change", id=990, business_key="invoice:US01:stripe:INV-2026991", amount=Money.of("48220.75", "USD")
        ),
        at=now - timedelta(days=2, hours=6),
        entity="US01",
        source="stripe",
        target="tryton",
        customer="Unknown account",
    )
    world.doubtful = known[1]
    for number, code in enumerate(("ERP_POST_UNKNOWN", "ERP_CONTENT_MISMATCH", "ERP_MANUAL_EDIT")):
        row = known[min(1 + number, len(known) - 1)]
        make.case(
            code,
            {"connection": erp.name, "business_key": f"{row.business_key}-{number}"},
            Subject(
                type="posting", id=row.pk, business_key=row.business_key, amount=Money(row.amount_minor, row.currency)
            ),
            at=now - timedelta(hours=9 * number + 1),
            entity=row.entity,
            source="stripe",
            target="tryton",
        )
    for number, (minor, currency) in enumerate(((482_000, "JPY"), (3, "KWD"), (61_200, "USD"))):
        make.case(
            "BIL_PRORATION_VARIANCE",
            {"document": f"INV-77{number}"},
            Subject(
                type="change",
                id=700 + number,
                business_key=f"invoice:US01:stripe:INV-77{number}",
                amount=Money(minor, currency),
            ),
            at=now - timedelta(hours=20 + number),
            entity="US01",
            source="stripe",
            target="tryton",
            customer=CUSTOMERS[number][0],
        )


def _desk(world: World) -> None:
    """Two people took cases; some deadlines are near or over."""
    now, rows = world.now, list(ExceptionCase.objects.order_by("pk"))
    for number, row in enumerate(rows):
        due = {1: timedelta(hours=3, minutes=5), 3: -timedelta(hours=6), 5: timedelta(hours=2, minutes=10)}.get(
            number % 7
        )
        owner = {2: "priya", 3: "tomas", 6: "tomas", 8: "priya"}.get(number)
        with recording(make.ACTOR):
            row.sla_due_at = now + due if due else row.sla_due_at
            row.priority = {0: "P1", 3: "P1"}.get(number, row.priority)
            row.severity_score = {"P1": 8, "P2": 6}.get(row.priority, row.severity_score)
            if owner:
                row.state, row.assignee = "ASSIGNED", world.people[owner]
            row.save()


def _reconciliation(world: World) -> None:
    us = {"entity": "US01", "currency": "USD", "period": "2026-02"}
    de = {
        "entity": "DE01",
        "currency": "EUR",
        "period": "2026-02",
        "total_a_minor": 9_072_000,
        "total_b_minor": 9_072_000,
    }
    tied = {"total_a_minor": 15_588_000, "total_b_minor": 15_588_000, "count_a": 12, "count_b": 12, "verdict": "TIED"}
    ended = {"finished_at": world.now - timedelta(minutes=4)}
    make.run("R4", [us | tied, tied | de | {"count_a": 5, "count_b": 5}], items_a=17, items_b=17, **ended)
    make.run("R9", [us | tied, tied | de | {"verdict": "IN_TRANSIT", "count_b": 11}], items_a=24, items_b=23, **ended)
    behind = {
        "count_a": 9,
        "count_b": 9,
        "total_a_minor": 1_727_671,
        "total_b_minor": 1_200_000,
        "state_breaks": 1,
        "open_variances": 1,
        "variance_minor": 527_671,
        "verdict": "VARIANCE",
    }
    make.run(
        "R6",
        [us | behind, tied | de | {"count_a": 4, "count_b": 4}],
        [
            {
                "cell": 0,
                "key": "C-1001",
                "break_class": "STATE",
                "explanation": "contract is version 2, the schedule still version 1",
                "amount_a_minor": 1_727_671,
                "amount_b_minor": 1_200_000,
                "difference_minor": 527_671,
                "state_a": "active",
                "state_b": "active",
                "version_a": 2,
                "version_b": 1,
                "source_id_a": "801C-1001",
                "source_id_b": "RS-C-1001",
            }
        ],
        systems=("salesforce", "revenue-engine"),
        items_a=13,
        items_b=13,
        **ended,
    )
    make.run(
        "R7",
        [us | tied | {"verdict": "TOLERANCE", "total_b_minor": 15_587_999}, tied | de],
        items_a=24,
        items_b=24,
        **ended,
    )
    make.run("R14", [us | tied, tied | de | {"count_a": 8, "count_b": 8}], items_a=20, items_b=20, **ended)
