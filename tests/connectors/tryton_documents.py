"""Posting documents of the day-45 story for the ERP tests, each call a fresh customer, contract or payment."""

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal

from finsync.core.keys import external_ref
from finsync.core.money import Money
from finsync.core.records import (
    CustomerRecord,
    InvoiceLine,
    InvoiceRecord,
    InvoiceStatus,
    Lineage,
    PaymentApplicationRecord,
    PaymentRecord,
    PaymentStatus,
    Record,
    RevenueScheduleRecord,
    RevenueTreatment,
    TaxLine,
)
from finsync.core.records.document import DocType, JournalEntryLine, PostingDocument
from finsync.core.sequencing import VersionKind

CURRENCY = {"US01": "USD", "UK01": "GBP"}
TAX = {"US01": ("US-TX-SALES", Decimal("0.0825")), "UK01": ("GB-VAT-20", Decimal("0.20"))}
EXPANSION_DAY = date(2026, 2, 14)

_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    return f"{prefix}-{next(_numbers)}"


def lineage(effective: date | None = None) -> Lineage:
    return Lineage(
        system="test",
        object="test",
        source_id="1",
        source_version="1",
        version_kind=VersionKind.MONOTONE,
        ordinal=1,
        source_ts=datetime(2026, 2, 14, tzinfo=UTC),
        correlation_id="cor-1",
        effective_date=effective,
    )


def document(
    doc_type: DocType,
    record: Record,
    key: str,
    entity: str,
    amount: Money | None,
    day: date = EXPANSION_DAY,
    accounting: date | None = None,
    journal: tuple[JournalEntryLine, ...] = (),
    **references: str,
) -> PostingDocument:
    return PostingDocument(
        doc_type=doc_type,
        external_ref=external_ref("erp", doc_type, key),
        business_key=f"{doc_type}:{key}",
        correlation_id="cor-1",
        entity=entity,
        currency=CURRENCY[entity],
        amount=amount,
        document_date=day,
        accounting_date=accounting or day,
        record=record,
        narrative=f"{doc_type} {key}",
        journal=journal,
        references=references,
    )


def debit(account: str, amount: Money) -> JournalEntryLine:
    return JournalEntryLine(account=account, side="DR", amount=amount, rule_id="R1")


def credit(account: str, amount: Money, source_line: str = "") -> JournalEntryLine:
    return JournalEntryLine(account=account, side="CR", amount=amount, rule_id="R1", source_line=source_line)


def customer(entity: str = "US01", name: str = "Lighthouse Inc.") -> PostingDocument:
    account = fresh("001")
    record = CustomerRecord(
        lineage=lineage(), account_id=account, name=name, entity=entity, currency=CURRENCY[entity], country="US"
    )
    return document(DocType.CUSTOMER, record, account, entity, None)


def invoice(
    party: str,
    entity: str = "US01",
    net: str = "5276.71",
    quantity: str = "5",
    day: date = EXPANSION_DAY,
    accounting: date | None = None,
    contract: str = "C-1001",
    version: int = 2,
    deferred: str = "2100",
    due: date | None = None,
) -> PostingDocument:
    currency, (code, rate) = CURRENCY[entity], TAX[entity]
    amount = Money.of(net, currency)
    tax = amount.times(rate)
    line = InvoiceLine(
        line_id="il_1",
        description="Pro seats",
        product="SEAT-PRO",
        quantity=Decimal(quantity),
        net=amount,
        service_start=day,
        service_end=date(2027, 1, 1),
        proration=True,
        revenue_treatment=RevenueTreatment.DEFERRED,
        taxes=(TaxLine(tax_code=code, jurisdiction=code[:2], rate=rate, base=amount, amount=tax),),
    )
    number = fresh("INV")
    record = InvoiceRecord(
        lineage=lineage(day),
        entity=entity,
        number=number,
        invoice_id=f"in_{number}",
        account_id="001",
        contract_number=contract,
        contract_version=version,
        amendment_ref="AM-7",
        status=InvoiceStatus.OPEN,
        currency=currency,
        invoice_date=day,
        due_date=due,
        net=amount,
        tax=tax,
        total=amount + tax,
        amount_paid=Money.zero(currency),
        lines=(line,),
    )
    journal = (
        debit("1100", amount + tax),
        credit(deferred, amount, "il_1"),
        credit("2200", tax, f"il_1:{code}"),
    )
    return document(DocType.INVOICE, record, number, entity, amount + tax, day, accounting, journal, customer=party)


def payment(party: str, amount: Money, entity: str = "US01", day: date = EXPANSION_DAY) -> PostingDocument:
    number = fresh("pay")
    record = PaymentRecord(
        lineage=lineage(),
        entity=entity,
        payment_id=number,
        account_id="001",
        status=PaymentStatus.SUCCEEDED,
        amount=amount,
        fee=None,
        method="card",
        captured_on=day,
    )
    journal = (debit("1050", amount), credit("1100", amount))
    return document(DocType.PAYMENT, record, number, entity, amount, day, None, journal, customer=party)


def application(payment_id: str, invoice_id: str, amount: Money, entity: str = "US01") -> PostingDocument:
    number = fresh("pay")
    record = PaymentApplicationRecord(
        lineage=lineage(),
        entity=entity,
        payment_id=number,
        sequence=1,
        account_id="001",
        invoice_system="billing",
        invoice_number="INV",
        amount=amount,
        applied_on=EXPANSION_DAY,
    )
    return document(DocType.PAYMENT_APPLICATION, record, number, entity, amount, payment=payment_id, invoice=invoice_id)


def recognition(
    amount: Money,
    day: date = date(2026, 2, 28),
    entity: str = "US01",
    contract: str = "C-1001",
    revenue: Money | None = None,
    deferred: str = "2100",
) -> PostingDocument:
    """A month's revenue, Dr 2100 / Cr 4000; ``revenue`` other than ``amount`` makes an entry that does not balance."""
    schedule = fresh("RS")
    record = RevenueScheduleRecord(
        lineage=lineage(day),
        entity=entity,
        schedule_id=schedule,
        schedule_version=1,
        contract_number=contract,
        contract_version=2,
        currency=CURRENCY[entity],
        total=amount,
        periods=(),
    )
    journal = (debit(deferred, amount), credit("4000", revenue or amount))
    return document(DocType.JOURNAL, record, schedule, entity, amount, day, None, journal)
