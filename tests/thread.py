"""The documents of one customer, from its account in the CRM to the payment of its invoice, as finsync holds them."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from exceptions_queue.services import Subject
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
from finsync.posting.models import Posting
from tests import factories as make
from tests.company import AMENDED, CUSTOMERS, END, START, TAX, World


def thread(world: World, number: int, name: str, entity: str) -> None:
    """One customer's way: registered, contracted, invoiced, paid, posted."""
    at = world.now - timedelta(hours=20, minutes=-47 * number)
    account, contract = f"0015g{number:05d}", f"C-{1001 + number}"
    tax_code, rate, currency = TAX[entity]
    crm, erp = world.systems["crm"], world.systems["erp"]
    heard = make.letter(crm, f"evt-acc-{number}", "Account", {"Id": account, "Name": name}, at)
    customer = CustomerRecord(
        lineage=make.lineage(crm, "Account", account, at, f"cor-{number}-0"),
        account_id=account,
        name=name,
        entity=entity,
        currency=currency,
        country=entity[:2],
    )
    make.posting(
        make.applied(customer, heard),
        customer,
        erp,
        DocType.CUSTOMER,
        None,
        status="POSTED",
        erp_number=f"P{number + 1:04d}",
    )
    seats = 10 + 2 * number
    signed = _contract(world, at, entity, contract, account, 1, seats, f"cor-{number}-1", currency)
    make.posting(
        signed[1],
        signed[0],
        world.systems["revenue"],
        DocType.REVENUE_CONTRACT,
        None,
        status="POSTED",
        erp_number=f"RC-{contract}",
    )
    net = Money.of(1200, currency) * seats
    _schedule(world, at, entity, contract, net, f"cor-{number}-1")
    invoice = _invoice(world, at, entity, contract, account, 1, number, net, rate, tax_code, f"cor-{number}-1", "paid")
    _payment(world, at + timedelta(minutes=9), entity, account, number, invoice)
    if number == 0:
        world.expansion = expansion(world, at + timedelta(hours=15), entity, contract, account, rate, tax_code)


def _contract(
    world: World,
    at: datetime,
    entity: str,
    contract: str,
    account: str,
    version: int,
    seats: int,
    correlation: str,
    currency: str,
) -> tuple[Record, CanonicalChange]:
    crm, effective = world.systems["crm"], START if version == 1 else AMENDED
    line = ContractLine(
        line_id="1",
        product="SEAT-PRO",
        quantity=Decimal(seats),
        unit_price=Money.of(1200, currency),
        price_period_months=12,
        start=effective,
        end=END,
    )
    record = ContractVersionRecord(
        lineage=make.lineage(
            crm, "Order", f"801{contract}", at, correlation, ordinal=version, effective_date=effective
        ),
        entity=entity,
        contract_number=contract,
        version=version,
        change_type=ChangeType.NEW if version == 1 else ChangeType.UPSELL,
        account_id=account,
        currency=currency,
        term_start=START,
        term_end=END,
        effective_date=effective,
        lines=(line,),
        added=(line,),
        proration=ProrationRule(),
        amendment_ref="" if version == 1 else f"A-{version}",
    )
    body = {
        "Id": f"801{contract}",
        "OrderNumber": contract,
        "Version__c": version,
        "Quantity": seats,
        "EffectiveDate": effective.isoformat(),
        "CurrencyIsoCode": currency,
    }
    return record, make.applied(record, make.letter(crm, f"evt-{contract}-v{version}", "Order", body, at))


def _schedule(world: World, at: datetime, entity: str, contract: str, total: Money, correlation: str) -> None:
    months = [f"2026-{month:02d}" for month in range(1, 13)]
    ends = [date(2026, month, 1) for month in range(2, 13)] + [END]
    source = world.systems["revenue"]
    record = RevenueScheduleRecord(
        lineage=make.lineage(source, "schedule", f"RS-{contract}", at + timedelta(seconds=20), correlation, ordinal=1),
        entity=entity,
        schedule_id=f"RS-{contract}",
        schedule_version=1,
        contract_number=contract,
        contract_version=1,
        currency=total.currency,
        total=total,
        periods=tuple(
            SchedulePeriod(period=p, ends_on=e, amount=a)
            for p, e, a in zip(months, ends, total.allocate([1] * 12), strict=True)
        ),
    )
    heard = make.letter(
        source,
        f"evt-rs-{contract}",
        "schedule.created",
        {"id": f"RS-{contract}", "total": str(total.major)},
        at + timedelta(seconds=20),
    )
    make.applied(record, heard)


def _invoice(
    world: World,
    at: datetime,
    entity: str,
    contract: str,
    account: str,
    version: int,
    number: int,
    net: Money,
    rate: Decimal,
    tax_code: str,
    correlation: str,
    status: str,
) -> tuple[InvoiceRecord, Posting]:
    billing, currency = world.systems["billing"], net.currency
    at, tax = at + timedelta(seconds=4), net.times(rate)
    name = f"INV-{2026000 + number * 10 + version}"
    line = InvoiceLine(
        line_id="il_1",
        description="Seats, Pro",
        product="SEAT-PRO",
        quantity=Decimal(10),
        net=net,
        service_start=START if version == 1 else AMENDED,
        service_end=END,
        proration=version > 1,
        revenue_treatment=RevenueTreatment.DEFERRED,
        taxes=(TaxLine(tax_code=tax_code, jurisdiction=entity[:2], rate=rate, base=net, amount=tax),),
    )
    record = InvoiceRecord(
        lineage=make.lineage(billing, "invoice", f"in_{number}{version}", at, correlation),
        entity=entity,
        number=name,
        invoice_id=f"in_{number}{version}",
        account_id=account,
        contract_number=contract,
        contract_version=version,
        amendment_ref="" if version == 1 else f"A-{version}",
        status=InvoiceStatus(status),
        currency=currency,
        invoice_date=START if version == 1 else AMENDED,
        due_date=date(2026, 3, 16),
        net=net,
        tax=tax,
        total=net + tax,
        amount_paid=net + tax if status == "paid" else Money.zero(currency),
        lines=(line,),
    )
    body = {
        "id": f"evt_{number}{version}",
        "type": "invoice.finalized",
        "data": {
            "object": {
                "id": record.invoice_id,
                "number": name,
                "currency": currency.lower(),
                "subtotal": net.minor,
                "tax": tax.minor,
                "total": record.total.minor,
                "payment_method_details": {"card": {"number": "4242424242424242", "last4": "4242"}},
            }
        },
    }
    change = make.applied(record, make.letter(billing, f"evt_in_{number}{version}", "invoice.finalized", body, at))
    control = "1100" if entity == "US01" else "1200"
    row = make.posting(
        change,
        record,
        world.systems["erp"],
        DocType.INVOICE,
        record.total,
        status="POSTED",
        rules=world.rules,
        sets=world.sets,
        erp_number=f"{entity}-{number * 10 + version:05d}",
        attempts=1,
        sends=1,
        verified_count=1,
        journal=(
            ("DR", control, record.total.minor, "R010", "ar_control", "A1"),
            ("CR", "2100", net.minor, "R010", "", ""),
            ("CR", "2210", tax.minor, "R010", "tax_payable", "T3"),
        ),
    )
    sent = at + timedelta(seconds=1)
    make.moved(row, "HELD", "READY", sent - timedelta(milliseconds=40), "customer is posted")
    body = {
        "type": "out",
        "party": account,
        "number": name,
        "company": entity,
        "currency": currency,
        "total": str(record.total.major),
        "lines": [{"account": "2100", "amount": str(net.major), "taxes": [tax_code]}],
    }
    answer = {"id": row.erp_document_id, "number": row.erp_number, "state": "posted", "total": str(record.total.major)}
    make.attempt(row, 1, sent, "POSTED", http_status=200, elapsed_ms=412, request=body, response=answer)
    make.moved(row, "SENDING", "POSTED", sent + timedelta(milliseconds=430), f"posted as {row.erp_number}")
    return record, row


def _payment(
    world: World, at: datetime, entity: str, account: str, number: int, invoice: tuple[InvoiceRecord, Posting]
) -> None:
    gateway, record = world.systems["billing"], invoice[0]
    payment = PaymentRecord(
        lineage=make.lineage(gateway, "payment_intent", f"pi_{number}", at, f"cor-{number}-1"),
        entity=entity,
        payment_id=f"pi_{number}",
        account_id=account,
        status=PaymentStatus.SUCCEEDED,
        amount=record.total,
        fee=record.total.times(Decimal("0.014")),
        method="card",
        captured_on=START,
    )
    heard = make.letter(gateway, f"evt_pi_{number}", "payment_intent.succeeded", {"id": f"pi_{number}"}, at)
    make.posting(
        make.applied(payment, heard),
        payment,
        world.systems["erp"],
        DocType.PAYMENT,
        record.total,
        status="POSTED",
        erp_number=f"PAY{number + 1:04d}",
        journal=(
            ("DR", "1050", record.total.minor, "P010", "", ""),
            ("CR", "1060", record.total.minor, "P010", "", ""),
        ),
    )
    applied = PaymentApplicationRecord(
        lineage=make.lineage(gateway, "payment_intent", f"pi_{number}", at, f"cor-{number}-1"),
        entity=entity,
        payment_id=f"pi_{number}",
        sequence=1,
        account_id=account,
        invoice_system="stripe",
        invoice_number=record.number,
        amount=record.total,
        applied_on=START,
    )
    make.applied(applied, heard)


def expansion(
    world: World, at: datetime, entity: str, contract: str, account: str, rate: Decimal, tax_code: str
) -> Posting:
    """Day 45: five more seats. Billing and the ledger follow, the revenue engine refuses."""
    record, change = _contract(world, at, entity, contract, account, 2, 5, "cor-0-2", "USD")
    net = Money.of("5276.71", "USD")
    _, posted = _invoice(world, at, entity, contract, account, 2, 0, net, rate, tax_code, "cor-0-2", "open")
    refused = make.posting(
        change,
        record,
        world.systems["revenue"],
        DocType.REVENUE_CONTRACT,
        net,
        status="EXCEPTION",
        exception_code="REV_AMENDMENT_REFUSED",
        attempts=3,
        sends=3,
        lookups=1,
        status_reason="refused: effective_date needs an SSP allocation",
    )
    make.attempt(
        refused,
        1,
        at + timedelta(seconds=2),
        "TRY_LATER",
        http_status=429,
        elapsed_ms=88,
        retry_after_seconds=30.0,
        detail="rate limited",
    )
    make.attempt(refused, 2, at + timedelta(seconds=34), "UNKNOWN", elapsed_ms=30000, detail="no answer within 30 s")
    make.attempt(refused, 3, at + timedelta(seconds=70), "NOT_FOUND", kind="LOOKUP", http_status=200, elapsed_ms=61)
    make.attempt(
        refused,
        4,
        at + timedelta(seconds=90),
        "REJECTED",
        http_status=422,
        elapsed_ms=143,
        request=to_json(record)["added"][0],
        response={"error": "ssp_allocation required when term changes"},
        detail="ssp_allocation required when term changes",
    )
    world.refused = refused
    world.cases["refused"] = make.case(
        "REV_AMENDMENT_REFUSED",
        {"contract": contract, "version": 2},
        Subject(
            type="posting",
            id=refused.pk,
            business_key=change.business_key,
            correlation_id="cor-0-2",
            amount=net,
            detail="422: ssp_allocation required when term changes",
        ),
        at=world.now - timedelta(hours=3),
        entity=entity,
        source="salesforce",
        target="revenue-engine",
        customer=CUSTOMERS[0][0],
        title="Receivables tie. Deferred revenue does not",
        explanation="The revenue engine refused amendment A-2 of C-1001, so its schedule still amortises version 1 "
        "while the invoice bills version 2. Deferred revenue is short by USD 5,276.71.",
        remedy="Add the allocation to the amendment in the revenue engine, then replay the amendment.",
        facts={
            "expected": {"minor": 1727671, "currency": "USD"},
            "actual": {"minor": 1200000, "currency": "USD"},
            "difference": {"minor": 527671, "currency": "USD"},
            "contract": contract,
            "version": 2,
        },
    )
    return posted
