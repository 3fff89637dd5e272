"""A small believable company for pages and their tests: two legal entities, four systems, a dozen customers.

Most of it went well. The day-45 expansion of contract C-1001 was refused by the revenue engine, a tax code of DE01 is
not mapped, one customer is unknown in the ledger, one document is in doubt, one letter cannot be read.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils import timezone

from connectors.models import Connection, InboxMessage
from exceptions_queue.models import ExceptionCase
from exceptions_queue.services import Subject
from finsync.audit.services import recording
from finsync.canonical.models import CanonicalChange
from finsync.core.money import Money
from finsync.core.proration import ProrationRule
from finsync.core.records import (
    ChangeType,
    ContractLine,
    ContractVersionRecord,
    CustomerRecord,
    InvoiceLine,
    InvoiceRecord,
    InvoiceStatus,
    PaymentApplicationRecord,
    PaymentRecord,
    PaymentStatus,
    Record,
    RevenueScheduleRecord,
    RevenueTreatment,
    SchedulePeriod,
    TaxLine,
    to_json,
)
from finsync.core.records.document import DocType
from finsync.mappings.models import MappingVersion
from finsync.posting.models import Posting
from tests import factories as make

START, END, AMENDED = date(2026, 1, 1), date(2027, 1, 1), date(2026, 2, 14)
CUSTOMERS = (
    ("Meridian Foods Inc.", "US01"), ("Halden Marine AS", "DE01"), ("Brightwater Logistics", "US01"),
    ("Kestrel Health Inc.", "US01"), ("Ostrava Glas GmbH", "DE01"), ("Pinecrest Schools", "US01"),
    ("Vireo Analytics", "US01"), ("Mondial Fracht SE", "DE01"), ("Toru Robotics Corp.", "US01"),
    ("Northgate Dental", "US01"), ("Alpenblick Hotels GmbH", "DE01"), ("Caldera Mining Co.", "US01"),
)
TAX = {"US01": ("US-TX-825", Decimal("0.0825"), "USD"), "DE01": ("DE-VAT-20", Decimal("0.20"), "EUR")}
RULES = {
    "schema": "finsync.rules/1", "event": "invoice.issued", "hit_policy": "UNIQUE",
    "rules": [
        {"id": "R010", "when": [["entity", "in", ["US01", "DE01"]], ["revenue_treatment", "eq", "deferred"]],
         "lines": [
             {"side": "DR", "account": {"mapping_set": "ar_control", "by": ["entity"]}, "amount": "gross"},
             {"side": "CR", "account": "2100", "amount": "net", "per": "line",
              "dimensions": {"product": {"fact": "product"}}},
             {"side": "CR", "account": {"mapping_set": "tax_payable", "by": ["entity", "tax_code"]}, "amount": "tax",
              "per": "tax"}]},
        {"id": "R020", "when": [["revenue_treatment", "eq", "immediate"]],
         "lines": [{"side": "DR", "account": "1100", "amount": "gross"}, {"side": "CR", "account": "4000", "amount": "gross"}]},
    ],
}
AR_CONTROL = {
    "schema": "finsync.mapping-set/1", "name": "ar_control", "inputs": ["entity"],
    "rows": [{"id": "A1", "when": {"entity": "US01"}, "value": "1100"},
             {"id": "A2", "when": {"entity": ["DE01", "AT01"]}, "value": "1200"}],
}
TAX_PAYABLE = {
    "schema": "finsync.mapping-set/1", "name": "tax_payable", "inputs": ["entity", "tax_code"],
    "rows": [{"id": "T3", "when": {"entity": "US01", "tax_code": "US-TX-825"}, "value": "2210"},
             {"id": "T4", "when": {"entity": "DE01"}, "value": "2220"}],
}


@dataclass
class World:
    """What was built, for tests that need to point at a row."""

    now: datetime
    people: dict[str, User] = field(default_factory=dict)
    systems: dict[str, Connection] = field(default_factory=dict)
    rules: MappingVersion | None = None
    sets: dict[str, MappingVersion] = field(default_factory=dict)
    expansion: Posting | None = None  # invoice of the amendment, posted in Tryton
    refused: Posting | None = None  # the amendment, refused by the revenue engine
    doubtful: Posting | None = None
    unreadable: InboxMessage | None = None
    cases: dict[str, ExceptionCase] = field(default_factory=dict)


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
        _thread(world, number, name, entity)
    _troubles(world)
    _desk(world)
    _reconciliation(world)
    return world


def _people(world: World) -> None:
    for username, role, name in (
        ("priya", "analyst", "Priya Nair"), ("tomas", "analyst", "Tomás Arce"), ("sofia", "controller", "Sofia Lindqvist"),
        ("dana", "mapping_author", "Dana Whitfield"), ("mina", "mapping_approver", "Mina Okafor"),
        ("ines", "integration_admin", "Ines Sato"), ("otto", "auditor", "Otto Kern"),
    ):
        world.people[username] = make.person(username, role, name=name)


def _systems(world: World) -> None:
    now = world.now
    ok = {"last_success_at": now - timedelta(seconds=40), "tokens": 18, "tokens_at": now}
    add = world.systems
    add["crm"] = make.connection("salesforce", "salesforce", "Salesforce", "crm", real=False, streams=("account", "order"), **ok)
    add["billing"] = make.connection("stripe", "stripe", "Stripe", "billing", "gateway", real=False, streams=("event",), **ok)
    add["revenue"] = make.connection(
        "revenue-engine", "revenue_engine", "Revenue engine", "revenue", real=False, streams=("schedule",), state="PAUSED",
        state_reason="5 calls failed in a row; probed every 60 s", probe_at=now + timedelta(seconds=45),
        failures_in_a_row=5, last_success_at=now - timedelta(minutes=22), last_failure_at=now - timedelta(minutes=2),
        last_failure="503 Service Unavailable", tokens=4, tokens_at=now,
    )
    add["erp"] = make.connection("tryton", "tryton", "Tryton", "erp", entities=["US01", "DE01"], concurrency_max=2,
                                 concurrency_now=2, **ok)


def _thread(world: World, number: int, name: str, entity: str) -> None:
    """One customer's way: registered, contracted, invoiced, paid, posted."""
    at = world.now - timedelta(hours=20, minutes=-47 * number)
    account, contract = f"0015g{number:05d}", f"C-{1001 + number}"
    tax_code, rate, currency = TAX[entity]
    crm, erp = world.systems["crm"], world.systems["erp"]
    heard = make.letter(crm, f"evt-acc-{number}", "Account", {"Id": account, "Name": name}, at)
    customer = CustomerRecord(lineage=make.lineage(crm, "Account", account, at, f"cor-{number}-0"), account_id=account,
                              name=name, entity=entity, currency=currency, country=entity[:2])
    make.posting(make.applied(customer, heard), customer, erp, DocType.CUSTOMER, None, status="POSTED",
                 erp_number=f"P{number + 1:04d}")
    seats = 10 + 2 * number
    signed = _contract(world, at, entity, contract, account, 1, seats, f"cor-{number}-1", currency)
    make.posting(signed[1], signed[0], world.systems["revenue"], DocType.REVENUE_CONTRACT, None, status="POSTED",
                 erp_number=f"RC-{contract}")
    net = Money.of(1200, currency) * seats
    _schedule(world, at, entity, contract, net, f"cor-{number}-1")
    invoice = _invoice(world, at, entity, contract, account, 1, number, net, rate, tax_code, f"cor-{number}-1", "paid")
    _payment(world, at + timedelta(minutes=9), entity, account, number, invoice)
    if number == 0:
        world.expansion = _expansion(world, at + timedelta(hours=15), entity, contract, account, rate, tax_code)


def _contract(world: World, at: datetime, entity: str, contract: str, account: str, version: int, seats: int,
              correlation: str, currency: str) -> tuple[Record, CanonicalChange]:
    crm, effective = world.systems["crm"], START if version == 1 else AMENDED
    line = ContractLine(line_id="1", product="SEAT-PRO", quantity=Decimal(seats), unit_price=Money.of(1200, currency),
                        price_period_months=12, start=effective, end=END)
    record = ContractVersionRecord(
        lineage=make.lineage(crm, "Order", f"801{contract}", at, correlation, ordinal=version, effective_date=effective),
        entity=entity, contract_number=contract, version=version,
        change_type=ChangeType.NEW if version == 1 else ChangeType.UPSELL, account_id=account, currency=currency,
        term_start=START, term_end=END, effective_date=effective, lines=(line,), added=(line,),
        proration=ProrationRule(), amendment_ref="" if version == 1 else f"A-{version}",
    )
    body = {"Id": f"801{contract}", "OrderNumber": contract, "Version__c": version, "Quantity": seats,
            "EffectiveDate": effective.isoformat(), "CurrencyIsoCode": currency}
    return record, make.applied(record, make.letter(crm, f"evt-{contract}-v{version}", "Order", body, at))


def _schedule(world: World, at: datetime, entity: str, contract: str, total: Money, correlation: str) -> None:
    months = [f"2026-{month:02d}" for month in range(1, 13)]
    ends = [date(2026, month, 1) for month in range(2, 13)] + [END]
    source = world.systems["revenue"]
    record = RevenueScheduleRecord(
        lineage=make.lineage(source, "schedule", f"RS-{contract}", at + timedelta(seconds=20), correlation, ordinal=1),
        entity=entity, schedule_id=f"RS-{contract}", schedule_version=1, contract_number=contract, contract_version=1,
        currency=total.currency, total=total,
        periods=tuple(SchedulePeriod(period=p, ends_on=e, amount=a)
                      for p, e, a in zip(months, ends, total.allocate([1] * 12), strict=True)),
    )
    heard = make.letter(source, f"evt-rs-{contract}", "schedule.created", {"id": f"RS-{contract}", "total": str(total.major)},
                        at + timedelta(seconds=20))
    make.applied(record, heard)


def _invoice(world: World, at: datetime, entity: str, contract: str, account: str, version: int, number: int, net: Money,
             rate: Decimal, tax_code: str, correlation: str, status: str) -> tuple[InvoiceRecord, Posting]:
    billing, currency = world.systems["billing"], net.currency
    at, tax = at + timedelta(seconds=4), net.times(rate)
    name = f"INV-{2026000 + number * 10 + version}"
    line = InvoiceLine(
        line_id="il_1", description="Seats, Pro", product="SEAT-PRO", quantity=Decimal(10), net=net,
        service_start=START if version == 1 else AMENDED, service_end=END, proration=version > 1,
        revenue_treatment=RevenueTreatment.DEFERRED,
        taxes=(TaxLine(tax_code=tax_code, jurisdiction=entity[:2], rate=rate, base=net, amount=tax),),
    )
    record = InvoiceRecord(
        lineage=make.lineage(billing, "invoice", f"in_{number}{version}", at, correlation), entity=entity, number=name,
        invoice_id=f"in_{number}{version}", account_id=account, contract_number=contract, contract_version=version,
        amendment_ref="" if version == 1 else f"A-{version}", status=InvoiceStatus(status), currency=currency,
        invoice_date=START if version == 1 else AMENDED, due_date=date(2026, 3, 16), net=net, tax=tax, total=net + tax,
        amount_paid=net + tax if status == "paid" else Money.zero(currency), lines=(line,),
    )
    body = {"id": f"evt_{number}{version}", "type": "invoice.finalized", "data": {"object": {
        "id": record.invoice_id, "number": name, "currency": currency.lower(), "subtotal": net.minor, "tax": tax.minor,
        "total": record.total.minor, "payment_method_details": {"card": {"number": "4242424242424242", "last4": "4242"}}}}}
    change = make.applied(record, make.letter(billing, f"evt_in_{number}{version}", "invoice.finalized", body, at))
    control = "1100" if entity == "US01" else "1200"
    row = make.posting(
        change, record, world.systems["erp"], DocType.INVOICE, record.total, status="POSTED", rules=world.rules, sets=world.sets,
        erp_number=f"{entity}-{number * 10 + version:05d}", attempts=1, sends=1, verified_count=1,
        journal=(("DR", control, record.total.minor, "R010", "ar_control", "A1"), ("CR", "2100", net.minor, "R010", "", ""),
                 ("CR", "2210", tax.minor, "R010", "tax_payable", "T3")),
    )
    sent = at + timedelta(seconds=1)
    make.moved(row, "HELD", "READY", sent - timedelta(milliseconds=40), "customer is posted")
    body = {"type": "out", "party": account, "number": name, "company": entity, "currency": currency,
            "total": str(record.total.major), "lines": [{"account": "2100", "amount": str(net.major), "taxes": [tax_code]}]}
    answer = {"id": row.erp_document_id, "number": row.erp_number, "state": "posted", "total": str(record.total.major)}
    make.attempt(row, 1, sent, "POSTED", http_status=200, elapsed_ms=412, request=body, response=answer)
    make.moved(row, "SENDING", "POSTED", sent + timedelta(milliseconds=430), f"posted as {row.erp_number}")
    return record, row


def _payment(world: World, at: datetime, entity: str, account: str, number: int, invoice: tuple[InvoiceRecord, Posting]) -> None:
    gateway, record = world.systems["billing"], invoice[0]
    payment = PaymentRecord(
        lineage=make.lineage(gateway, "payment_intent", f"pi_{number}", at, f"cor-{number}-1"), entity=entity,
        payment_id=f"pi_{number}", account_id=account, status=PaymentStatus.SUCCEEDED, amount=record.total,
        fee=record.total.times(Decimal("0.014")), method="card", captured_on=START,
    )
    heard = make.letter(gateway, f"evt_pi_{number}", "payment_intent.succeeded", {"id": f"pi_{number}"}, at)
    make.posting(make.applied(payment, heard), payment, world.systems["erp"], DocType.PAYMENT, record.total, status="POSTED",
                 erp_number=f"PAY{number + 1:04d}", journal=(("DR", "1050", record.total.minor, "P010", "", ""),
                                                             ("CR", "1060", record.total.minor, "P010", "", "")))
    applied = PaymentApplicationRecord(
        lineage=make.lineage(gateway, "payment_intent", f"pi_{number}", at, f"cor-{number}-1"), entity=entity,
        payment_id=f"pi_{number}", sequence=1, account_id=account, invoice_system="stripe", invoice_number=record.number,
        amount=record.total, applied_on=START,
    )
    make.applied(applied, heard)


def _expansion(world: World, at: datetime, entity: str, contract: str, account: str, rate: Decimal, tax_code: str) -> Posting:
    """Day 45: five more seats. Billing and the ledger follow, the revenue engine refuses."""
    record, change = _contract(world, at, entity, contract, account, 2, 5, "cor-0-2", "USD")
    net = Money.of("5276.71", "USD")
    _, posted = _invoice(world, at, entity, contract, account, 2, 0, net, rate, tax_code, "cor-0-2", "open")
    refused = make.posting(change, record, world.systems["revenue"], DocType.REVENUE_CONTRACT, net, status="EXCEPTION",
                           exception_code="REV_AMENDMENT_REFUSED", attempts=3, sends=3, lookups=1,
                           status_reason="refused: effective_date needs an SSP allocation")
    make.attempt(refused, 1, at + timedelta(seconds=2), "TRY_LATER", http_status=429, elapsed_ms=88,
                 retry_after_seconds=30.0, detail="rate limited")
    make.attempt(refused, 2, at + timedelta(seconds=34), "UNKNOWN", elapsed_ms=30000, detail="no answer within 30 s")
    make.attempt(refused, 3, at + timedelta(seconds=70), "NOT_FOUND", kind="LOOKUP", http_status=200, elapsed_ms=61)
    make.attempt(refused, 4, at + timedelta(seconds=90), "REJECTED", http_status=422, elapsed_ms=143,
                 request=to_json(record)["added"][0], response={"error": "ssp_allocation required when term changes"},
                 detail="ssp_allocation required when term changes")
    world.refused = refused
    world.cases["refused"] = make.case(
        "REV_AMENDMENT_REFUSED", {"contract": contract, "version": 2},
        Subject(type="posting", id=refused.pk, business_key=change.business_key, correlation_id="cor-0-2", amount=net,
                detail="422: ssp_allocation required when term changes"),
        at=world.now - timedelta(hours=3), entity=entity, source="salesforce", target="revenue-engine", customer=CUSTOMERS[0][0],
        title="Receivables tie. Deferred revenue does not",
        explanation="The revenue engine refused amendment A-2 of C-1001, so its schedule still amortises version 1 "
                    "while the invoice bills version 2. Deferred revenue is short by USD 5,276.71.",
        remedy="Add the allocation to the amendment in the revenue engine, then replay the amendment.",
        facts={"expected": {"minor": 1727671, "currency": "USD"}, "actual": {"minor": 1200000, "currency": "USD"},
               "difference": {"minor": 527671, "currency": "USD"}, "contract": contract, "version": 2},
    )
    return posted


def _troubles(world: World) -> None:
    now, billing, erp = world.now, world.systems["billing"], world.systems["erp"]
    known = list(Posting.objects.filter(doc_type="payment").order_by("id"))
    world.unreadable = make.letter(
        billing, "evt_broken", "", b'{"id": "evt_broken", \x00\xff truncated', now - timedelta(hours=2), state="QUARANTINED",
        reason_code="ING_UNREADABLE", reason="not JSON: character 22 cannot be read", processed_at=None)
    make.letter(billing, "evt_ping", "ping", {"type": "ping"}, now - timedelta(minutes=30), state="IGNORED",
                reason="a ping says nothing finsync keeps")
    make.letter(billing, "evt_new", "invoice.paid", {"type": "invoice.paid"}, now - timedelta(seconds=9), state="RECEIVED",
                next_action_at=now, processed_at=None)
    world.cases["unreadable"] = make.case(
        "ING_UNREADABLE", {"connection": "stripe", "message": "evt_broken"},
        Subject(type="inbox", id=world.unreadable.pk, business_key="evt_broken", detail="not JSON"), source="stripe")
    for number, (name, _) in enumerate(CUSTOMERS[1:6]):
        world.cases["tax"] = make.case(
            "MAPPING_MISSING", {"mapping_set": "tax_payable", "inputs": {"entity": "DE01", "tax_code": "DE-VAT-20"}},
            Subject(type="change", id=900 + number, business_key=f"invoice:DE01:stripe:INV-{number}",
                    amount=Money.of(18_234 + number * 977, "EUR"), detail="tax_payable has no row for DE01, DE-VAT-20"),
            at=now - timedelta(hours=5), entity="DE01", source="stripe", target="tryton", customer=name,
            title="Tax code DE-VAT-20 has no account",
            explanation="Mapping set tax_payable has no row for DE01 with DE-VAT-20, so invoices that carry it wait.")
    world.cases["unknown"] = make.case(
        "MDM_ACCOUNT_UNMAPPED", {"account": "0015g99999"},
        Subject(type="change", id=990, business_key="invoice:US01:stripe:INV-2026991", amount=Money.of("48220.75", "USD")),
        at=now - timedelta(days=2, hours=6), entity="US01", source="stripe", target="tryton", customer="Unknown account")
    world.doubtful = known[1]
    for number, code in enumerate(("ERP_POST_UNKNOWN", "ERP_CONTENT_MISMATCH", "ERP_MANUAL_EDIT")):
        row = known[min(1 + number, len(known) - 1)]
        make.case(code, {"connection": erp.name, "business_key": f"{row.business_key}-{number}"},
                  Subject(type="posting", id=row.pk, business_key=row.business_key, amount=Money(row.amount_minor, row.currency)),
                  at=now - timedelta(hours=9 * number + 1), entity=row.entity, source="stripe", target="tryton")
    for number, (minor, currency) in enumerate(((482_000, "JPY"), (3, "KWD"), (61_200, "USD"))):
        make.case("BIL_PRORATION_VARIANCE", {"document": f"INV-77{number}"},
                  Subject(type="change", id=700 + number, business_key=f"invoice:US01:stripe:INV-77{number}",
                          amount=Money(minor, currency)), at=now - timedelta(hours=20 + number), entity="US01",
                  source="stripe", target="tryton", customer=CUSTOMERS[number][0])


def _desk(world: World) -> None:
    """Two people took cases; some deadlines are near or over."""
    now, rows = world.now, list(ExceptionCase.objects.order_by("pk"))
    for number, row in enumerate(rows):
        due = {1: timedelta(hours=3, minutes=5), 3: -timedelta(hours=6), 5: timedelta(hours=2, minutes=10)}.get(number % 7)
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
    de = {"entity": "DE01", "currency": "EUR", "period": "2026-02", "total_a_minor": 9_072_000, "total_b_minor": 9_072_000}
    tied = {"total_a_minor": 15_588_000, "total_b_minor": 15_588_000, "count_a": 12, "count_b": 12, "verdict": "TIED"}
    ended = {"finished_at": world.now - timedelta(minutes=4)}
    make.run("R4", [us | tied, tied | de | {"count_a": 5, "count_b": 5}], items_a=17, items_b=17, **ended)
    make.run("R9", [us | tied, tied | de | {"verdict": "IN_TRANSIT", "count_b": 11}], items_a=24, items_b=23, **ended)
    behind = {"count_a": 9, "count_b": 9, "total_a_minor": 1_727_671, "total_b_minor": 1_200_000, "state_breaks": 1,
              "open_variances": 1, "variance_minor": 527_671, "verdict": "VARIANCE"}
    make.run("R6", [us | behind, tied | de | {"count_a": 4, "count_b": 4}], [{
        "cell": 0, "key": "C-1001", "break_class": "STATE", "explanation": "contract is version 2, the schedule still version 1",
        "amount_a_minor": 1_727_671, "amount_b_minor": 1_200_000, "difference_minor": 527_671, "state_a": "active",
        "state_b": "active", "version_a": 2, "version_b": 1, "source_id_a": "801C-1001", "source_id_b": "RS-C-1001",
    }], systems=("salesforce", "revenue-engine"), items_a=13, items_b=13, **ended)
    make.run("R7", [us | tied | {"verdict": "TOLERANCE", "total_b_minor": 15_587_999}, tied | de], items_a=24, items_b=24, **ended)
    make.run("R14", [us | tied, tied | de | {"count_a": 8, "count_b": 8}], items_a=20, items_b=20, **ended)
