"""Records as systems would state them, with everything but the interesting part filled in."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

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
    Lineage,
    PaymentApplicationRecord,
    PaymentRecord,
    PaymentStatus,
    RevenueScheduleRecord,
    RevenueTreatment,
    SchedulePeriod,
    TaxLine,
)
from finsync.core.revenue import recognise
from finsync.core.sequencing import VersionKind

DAY_ONE = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)
CURRENCY = {"US01": "USD", "UK01": "GBP"}


def lineage(
    system: str, object: str, source_id: str, ordinal: int, kind: VersionKind = VersionKind.TIMESTAMP, **more: Any
) -> Lineage:
    """A lineage whose source time grows with its ordinal."""
    return Lineage(
        system=system,
        object=object,
        source_id=source_id,
        source_version=str(ordinal),
        version_kind=kind,
        ordinal=ordinal,
        source_ts=DAY_ONE + timedelta(milliseconds=ordinal % 10**9),
        correlation_id=more.pop("correlation_id", f"cor-{source_id}"),
        **more,
    )


def customer(
    account: str = "001A", *, ordinal: int = 1, name: str = "Acme Inc", entity: str = "US01"
) -> CustomerRecord:
    """A customer as the CRM states it."""
    return CustomerRecord(
        lineage=lineage("salesforce", "Account", account, ordinal, VersionKind.MONOTONE),
        account_id=account,
        name=name,
        entity=entity,
        currency=CURRENCY[entity],
        country="US",
    )


def contract(
    number: str = "C-1001",
    version: int = 1,
    *,
    account: str = "001A",
    entity: str = "US01",
    seats: int = 10,
    added: int | None = None,
    effective: date = date(2026, 1, 1),
) -> ContractVersionRecord:
    """A contract version over 2026: ``seats`` in force, ``added`` by this version (all of them in version 1)."""

    def line(quantity: int, start: date) -> ContractLine:
        return ContractLine(
            line_id="1",
            product="SEAT-PRO",
            quantity=Decimal(quantity),
            unit_price=Money.of("1200.00", CURRENCY[entity]),
            price_period_months=12,
            start=start,
            end=date(2027, 1, 1),
        )

    return ContractVersionRecord(
        lineage=lineage(
            "salesforce", "Order", f"{number}-v{version}", version, VersionKind.CONTIGUOUS, effective_date=effective
        ),
        entity=entity,
        contract_number=number,
        version=version,
        change_type=ChangeType.NEW if version == 1 else ChangeType.UPSELL,
        account_id=account,
        currency=CURRENCY[entity],
        term_start=date(2026, 1, 1),
        term_end=date(2027, 1, 1),
        effective_date=effective,
        lines=(line(seats, date(2026, 1, 1)),),
        added=(line(seats if added is None else added, date(2026, 1, 1)),),
        proration=ProrationRule(),
        amendment_ref="" if version == 1 else f"A-{version:04d}",
    )


def invoice(
    number: str = "INV-1",
    *,
    net: str = "12000.00",
    tax: str = "990.00",
    account: str = "001A",
    entity: str = "US01",
    contract_number: str = "C-1001",
    version: int = 1,
    ordinal: int = 1,
    status: InvoiceStatus = InvoiceStatus.OPEN,
    tax_code: str = "US-TX-SALES",
    day: date = date(2026, 1, 1),
) -> InvoiceRecord:
    """An invoice of one line with one tax."""
    currency = CURRENCY[entity]
    net_money, tax_money = Money.of(net, currency), Money.of(tax, currency)
    total = net_money + tax_money
    line = InvoiceLine(
        line_id="il_1",
        description="Seats",
        product="SEAT-PRO",
        quantity=Decimal(10),
        net=net_money,
        service_start=day,
        service_end=date(2027, 1, 1),
        proration=version > 1,
        revenue_treatment=RevenueTreatment.DEFERRED,
        taxes=(
            TaxLine(tax_code=tax_code, jurisdiction="US-TX", rate=Decimal("0.0825"), base=net_money, amount=tax_money),
        ),
    )
    return InvoiceRecord(
        lineage=lineage("stripe", "invoice", f"in_{number}", ordinal),
        entity=entity,
        number=number,
        invoice_id=f"in_{number}",
        account_id=account,
        contract_number=contract_number,
        contract_version=version,
        amendment_ref="" if version == 1 else f"A-{version:04d}",
        status=status,
        currency=currency,
        invoice_date=day,
        due_date=None,
        net=net_money,
        tax=tax_money,
        total=total,
        amount_paid=total if status is InvoiceStatus.PAID else Money.zero(currency),
        lines=(line,),
    )


def payment(
    payment_id: str = "ch_1", *, amount: str = "12990.00", account: str = "001A", entity: str = "US01", ordinal: int = 1
) -> PaymentRecord:
    """A card payment that went through."""
    return PaymentRecord(
        lineage=lineage("stripe", "charge", payment_id, ordinal),
        entity=entity,
        payment_id=payment_id,
        account_id=account,
        status=PaymentStatus.SUCCEEDED,
        amount=Money.of(amount, CURRENCY[entity]),
        fee=None,
        method="card",
        captured_on=date(2026, 1, 5),
    )


def application(
    payment_id: str = "ch_1",
    number: str = "INV-1",
    *,
    amount: str = "12990.00",
    account: str = "001A",
    entity: str = "US01",
    ordinal: int = 1,
) -> PaymentApplicationRecord:
    """The whole of a payment applied to one invoice."""
    return PaymentApplicationRecord(
        lineage=lineage("stripe", "charge", payment_id, ordinal),
        entity=entity,
        payment_id=payment_id,
        sequence=1,
        account_id=account,
        invoice_system="stripe",
        invoice_number=number,
        amount=Money.of(amount, CURRENCY[entity]),
        applied_on=date(2026, 1, 5),
    )


def schedule(
    version: int = 1,
    *,
    totals: tuple[tuple[str, date], ...] = (("12000.00", date(2026, 1, 1)),),
    number: str = "C-1001",
    entity: str = "US01",
) -> RevenueScheduleRecord:
    """A daily schedule over 2026 made of one segment per contract version: (net, first day)."""
    currency = CURRENCY[entity]
    by_month: dict[str, SchedulePeriod] = {}
    for net, start in totals:
        for line in recognise(Money.of(net, currency), start, date(2027, 1, 1)):
            label = line.period.label
            before = by_month[label].amount if label in by_month else Money.zero(currency)
            by_month[label] = SchedulePeriod(period=label, ends_on=line.period.end, amount=before + line.amount)
    total = Money.zero(currency)
    for net, _ in totals:
        total += Money.of(net, currency)
    return RevenueScheduleRecord(
        lineage=lineage("revenue_engine", "schedule", f"rs-{number}", version, VersionKind.MONOTONE),
        entity=entity,
        schedule_id=f"rs-{number}",
        schedule_version=version,
        contract_number=number,
        contract_version=version,
        currency=currency,
        total=total,
        periods=tuple(by_month[label] for label in sorted(by_month)),
    )
