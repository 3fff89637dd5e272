"""Writing one applied record into its entity tables. History is written by save(), never by update()."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from django.db import models

from finsync.audit.services import current_actor
from finsync.canonical.models import (
    CanonicalChange,
    Contract,
    ContractVersion,
    Customer,
    Invoice,
    InvoiceLine,
    Payment,
    PaymentApplication,
    RevenueSchedule,
    SchedulePeriod,
    Subscription,
    TaxLine,
)
from finsync.core.money import total
from finsync.core.pricing import added_share
from finsync.core.records import (
    ContractVersionRecord,
    CustomerRecord,
    InvoiceRecord,
    PaymentApplicationRecord,
    PaymentRecord,
    Record,
    RevenueScheduleRecord,
    SubscriptionRecord,
    invoice_key,
    to_json,
)

Row = TypeVar("Row", bound=models.Model)


def write_entity(record: Record, change: CanonicalChange) -> None:
    """Bring the entity tables to what ``record`` states. Raises KeyError for a record type without a table."""
    _WRITERS[record.record_type](record, change)


def _envelope(record: Record, change: CanonicalChange) -> dict[str, Any]:
    lineage = record.lineage
    return {
        "aggregate_key": record.aggregate_key,
        "source_system": lineage.system,
        "source_object": lineage.object,
        "source_id": lineage.source_id,
        "source_version": lineage.source_version,
        "source_ts": lineage.source_ts,
        "effective_date": lineage.effective_date,
        "correlation_id": lineage.correlation_id,
        "content_hash": change.content_hash,
        "change": change,
    }


def _save(model: type[Row], key: dict[str, Any], values: dict[str, Any]) -> Row:
    """Create or change the one row under ``key`` through save(), so that history sees it with its actor."""
    row = model._default_manager.filter(**key).first() or model(**key)
    for name, value in values.items():
        setattr(row, name, value)
    row._change_reason = current_actor()  # simple-history's own attribute
    row.save()
    return row


def _customer(record: CustomerRecord, change: CanonicalChange) -> None:
    _save(
        Customer,
        {"account_id": record.account_id},
        {
            **_envelope(record, change),
            "name": record.name,
            "entity": record.entity,
            "currency": record.currency,
            "country": record.country,
            "tax_id": record.tax_id,
            "active": record.active,
        },
    )


def _contract_version(record: ContractVersionRecord, change: CanonicalChange) -> None:
    shares = [added_share(record, line) for line in record.added]
    price = total((share.amount for share in shares), record.currency)
    before = Contract.objects.filter(entity=record.entity, number=record.contract_number).first()
    contract = _save(
        Contract,
        {"entity": record.entity, "number": record.contract_number},
        {
            "account_id": record.account_id,
            "currency": record.currency,
            "current_version": record.version,
            "term_start": record.term_start,
            "term_end": record.term_end,
            "price_minor": price.minor + (before.price_minor if before else 0),
        },
    )
    stated = to_json(record)
    ContractVersion.objects.create(
        **_envelope(record, change),
        contract=contract,
        version=record.version,
        change_type=record.change_type,
        amendment_ref=record.amendment_ref,
        added_price_minor=price.minor,
        added_price_explanation="; ".join(share.explanation for share in shares),
        lines=stated["lines"],
        added=stated["added"],
        proration=stated["proration"],
    )


def _subscription(record: SubscriptionRecord, change: CanonicalChange) -> None:
    _save(
        Subscription,
        {"aggregate_key": record.aggregate_key},
        {
            **_envelope(record, change),
            "entity": record.entity,
            "subscription_id": record.subscription_id,
            "account_id": record.account_id,
            "contract_number": record.contract_number,
            "contract_version": record.contract_version,
            "status": record.status,
            "currency": record.currency,
            "product": record.product,
            "quantity": record.quantity,
            "unit_price_minor": record.unit_price.minor,
            "period_start": record.period_start,
            "period_end": record.period_end,
        },
    )


def _invoice(record: InvoiceRecord, change: CanonicalChange) -> None:
    invoice = _save(
        Invoice,
        {"aggregate_key": record.aggregate_key},
        {
            **_envelope(record, change),
            "entity": record.entity,
            "number": record.number,
            "invoice_id": record.invoice_id,
            "account_id": record.account_id,
            "contract_number": record.contract_number,
            "contract_version": record.contract_version,
            "amendment_ref": record.amendment_ref,
            "status": record.status,
            "currency": record.currency,
            "invoice_date": record.invoice_date,
            "due_date": record.due_date,
            "net_minor": record.net.minor,
            "tax_minor": record.tax.minor,
            "total_minor": record.total.minor,
            "paid_minor": record.amount_paid.minor,
        },
    )
    if invoice.lines.exists():
        return  # an issued invoice's lines are final; a different content is a conflict found when it is planned
    for line in record.lines:
        row = InvoiceLine.objects.create(
            invoice=invoice,
            line_id=line.line_id,
            description=line.description,
            product=line.product,
            quantity=line.quantity,
            net_minor=line.net.minor,
            service_start=line.service_start,
            service_end=line.service_end,
            proration=line.proration,
            revenue_treatment=line.revenue_treatment,
        )
        TaxLine.objects.bulk_create(
            TaxLine(
                line=row,
                tax_code=tax.tax_code,
                jurisdiction=tax.jurisdiction,
                rate=Decimal(tax.rate),
                base_minor=tax.base.minor,
                amount_minor=tax.amount.minor,
            )
            for tax in line.taxes
        )


def _payment(record: PaymentRecord, change: CanonicalChange) -> None:
    _save(
        Payment,
        {"aggregate_key": record.aggregate_key},
        {
            **_envelope(record, change),
            "entity": record.entity,
            "payment_id": record.payment_id,
            "account_id": record.account_id,
            "status": record.status,
            "currency": record.amount.currency,
            "amount_minor": record.amount.minor,
            "fee_minor": record.fee.minor if record.fee is not None else None,
            "method": record.method,
            "captured_on": record.captured_on,
            "failure_code": record.failure_code,
        },
    )


def _payment_application(record: PaymentApplicationRecord, change: CanonicalChange) -> None:
    _save(
        PaymentApplication,
        {"aggregate_key": record.aggregate_key},
        {
            **_envelope(record, change),
            "entity": record.entity,
            "payment_id": record.payment_id,
            "sequence": record.sequence,
            "account_id": record.account_id,
            "invoice_key": invoice_key(record.entity, record.invoice_system, record.invoice_number),
            "currency": record.amount.currency,
            "amount_minor": record.amount.minor,
            "applied_on": record.applied_on,
        },
    )


def _revenue_schedule(record: RevenueScheduleRecord, change: CanonicalChange) -> None:
    RevenueSchedule.objects.filter(aggregate_key=record.aggregate_key, current=True).update(current=False)
    schedule = RevenueSchedule.objects.create(
        **_envelope(record, change),
        entity=record.entity,
        contract_number=record.contract_number,
        contract_version=record.contract_version,
        schedule_id=record.schedule_id,
        schedule_version=record.schedule_version,
        currency=record.currency,
        total_minor=record.total.minor,
    )
    SchedulePeriod.objects.bulk_create(
        SchedulePeriod(schedule=schedule, period=item.period, ends_on=item.ends_on, amount_minor=item.amount.minor)
        for item in record.periods
    )


_WRITERS: dict[str, Callable[[Any, CanonicalChange], None]] = {
    "customer": _customer,
    "contract_version": _contract_version,
    "subscription": _subscription,
    "invoice": _invoice,
    "payment": _payment,
    "payment_application": _payment_application,
    "revenue_schedule": _revenue_schedule,
}
