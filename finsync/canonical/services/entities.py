"""Writing applied records into their entity tables, many at once, each row with its history and its actor."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import models
from django.utils import timezone

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
    contract_key,
    invoice_key,
    to_json,
)
from finsync.kit.bulk import copy_in

Row = TypeVar("Row", bound=models.Model)
Stated = tuple[Any, CanonicalChange]  # a record and the change that applies it
Writer = Callable[[Sequence[Stated]], None]


def write_entity(record: Record, change: CanonicalChange) -> None:
    """Bring the entity tables to what ``record`` states. Raises KeyError for a record type without a table."""
    write_entities([(record, change)])


def write_entities(stated: Iterable[tuple[Record, CanonicalChange]]) -> None:
    """Bring the entity tables to what the records state: at most one per aggregate, in statements of many rows each."""
    by_type: dict[str, list[Stated]] = defaultdict(list)
    for record, change in stated:
        by_type[record.record_type].append((record, change))
    for record_type, together in by_type.items():
        _WRITERS[record_type](together)


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


def _held(model: type[Row], stated: Sequence[Stated]) -> dict[str, Row]:
    """Return the rows there are for these records, by aggregate key."""
    keys = [record.aggregate_key for record, _ in stated]
    rows = model._default_manager.filter(aggregate_key__in=keys)
    return {cast(Any, row).aggregate_key: row for row in rows}


def _save(model: type[Row], held: dict[str, Row], values: dict[str, dict[str, Any]]) -> dict[str, Row]:
    """Create or change one row per key, with history where the model keeps one; returns the rows by key."""
    rows = {key: held.get(key) or model() for key in values}
    for key, row in rows.items():
        for name, value in values[key].items():
            setattr(row, name, value)
    new, changed = ([row for key, row in rows.items() if (key in held) is there] for there in (False, True))
    copy_in(new)
    model._default_manager.bulk_create(
        changed, update_conflicts=True, unique_fields=["id"], update_fields=list(next(iter(values.values())))
    )
    _remember(new, "+")
    _remember(changed, "~")
    return rows


def _remember(rows: Sequence[models.Model], how: str) -> None:
    """Keep what rows say now, as simple-history does when it is saved, with the actor as the reason."""
    history = getattr(rows[0], "history", None) if rows and getattr(settings, "SIMPLE_HISTORY_ENABLED", True) else None
    if history is None:
        return
    kept, now, actor = history.model, timezone.now(), current_actor()
    names = [field.attname for field in kept.tracked_fields]
    told = {"history_date": now, "history_type": how, "history_change_reason": actor}
    copy_in([kept(**told, **{name: getattr(row, name) for name in names}) for row in rows])


def _one_row_each(model: type[models.Model], own: Callable[[Any], dict[str, Any]]) -> Writer:
    """Return the writer of records that are one row of one table; ``own`` gives the columns beside the envelope."""

    def write(stated: Sequence[Stated]) -> None:
        values = {record.aggregate_key: {**_envelope(record, change), **own(record)} for record, change in stated}
        _save(model, _held(model, stated), values)

    return write


def _customer(record: CustomerRecord) -> dict[str, Any]:
    return {
        "account_id": record.account_id,
        "name": record.name,
        "entity": record.entity,
        "currency": record.currency,
        "country": record.country,
        "tax_id": record.tax_id,
        "active": record.active,
    }


def _contract_versions(stated: Sequence[Stated]) -> None:
    records: list[ContractVersionRecord] = [record for record, _ in stated]
    found = Contract.objects.filter(number__in=[record.contract_number for record in records])
    held = {contract_key(row.entity, row.number): row for row in found}
    shares = {record.aggregate_key: [added_share(record, line) for line in record.added] for record in records}
    prices = {
        record.aggregate_key: total((share.amount for share in shares[record.aggregate_key]), record.currency)
        for record in records
    }
    contracts = _save(
        Contract,
        {record.aggregate_key: held[record.aggregate_key] for record in records if record.aggregate_key in held},
        {
            key: {
                "entity": record.entity,
                "number": record.contract_number,
                "account_id": record.account_id,
                "currency": record.currency,
                "current_version": record.version,
                "term_start": record.term_start,
                "term_end": record.term_end,
                "price_minor": prices[key].minor + (held[key].price_minor if key in held else 0),
            }
            for record in records
            for key in [record.aggregate_key]
        },
    )
    copy_in([
        ContractVersion(
            **_envelope(record, change),
            contract=contracts[record.aggregate_key],
            version=record.version,
            change_type=record.change_type,
            amendment_ref=record.amendment_ref,
            added_price_minor=prices[record.aggregate_key].minor,
            added_price_explanation="; ".join(share.explanation for share in shares[record.aggregate_key]),
            **{name: to_json(record)[name] for name in ("lines", "added", "proration")},
        )
        for record, change in stated
    ])  # fmt: skip


def _subscription(record: SubscriptionRecord) -> dict[str, Any]:
    return {
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
    }


def _invoice(record: InvoiceRecord) -> dict[str, Any]:
    return {
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
    }


def _invoices(stated: Sequence[Stated]) -> None:
    held = _held(Invoice, stated)
    values = {record.aggregate_key: {**_envelope(record, change), **_invoice(record)} for record, change in stated}
    invoices = _save(Invoice, held, values)
    # An issued invoice's lines are final; a different content is a conflict found when it is planned.
    ids = [invoice.pk for invoice in held.values()]
    final = set(InvoiceLine.objects.filter(invoice_id__in=ids).values_list("invoice_id", flat=True)) if ids else set()
    lines, taxes = [], []
    for record, _ in stated:
        invoice = invoices[record.aggregate_key]
        for line in record.lines if invoice.pk not in final else ():
            row = InvoiceLine(
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
            lines.append(row)
            taxes += [
                TaxLine(
                    line=row,
                    tax_code=tax.tax_code,
                    jurisdiction=tax.jurisdiction,
                    rate=Decimal(tax.rate),
                    base_minor=tax.base.minor,
                    amount_minor=tax.amount.minor,
                )
                for tax in line.taxes
            ]
    copy_in(lines)
    copy_in(taxes)


def _payment(record: PaymentRecord) -> dict[str, Any]:
    return {
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
    }


def _payment_application(record: PaymentApplicationRecord) -> dict[str, Any]:
    return {
        "entity": record.entity,
        "payment_id": record.payment_id,
        "sequence": record.sequence,
        "account_id": record.account_id,
        "invoice_key": invoice_key(record.entity, record.invoice_system, record.invoice_number),
        "currency": record.amount.currency,
        "amount_minor": record.amount.minor,
        "applied_on": record.applied_on,
    }


def _revenue_schedules(stated: Sequence[Stated]) -> None:
    keys = [record.aggregate_key for record, _ in stated]
    RevenueSchedule.objects.filter(aggregate_key__in=keys, current=True).update(current=False)
    schedules = [_revenue_schedule(record, change) for record, change in stated]
    copy_in(schedules)
    copy_in([
        SchedulePeriod(schedule=schedule, period=item.period, ends_on=item.ends_on, amount_minor=item.amount.minor)
        for schedule, (record, _) in zip(schedules, stated, strict=True)
        for item in record.periods
    ])  # fmt: skip


def _revenue_schedule(record: RevenueScheduleRecord, change: CanonicalChange) -> RevenueSchedule:
    return RevenueSchedule(
        **_envelope(record, change),
        entity=record.entity,
        contract_number=record.contract_number,
        contract_version=record.contract_version,
        schedule_id=record.schedule_id,
        schedule_version=record.schedule_version,
        currency=record.currency,
        total_minor=record.total.minor,
    )


_WRITERS: dict[str, Writer] = {
    "customer": _one_row_each(Customer, _customer),
    "contract_version": _contract_versions,
    "subscription": _one_row_each(Subscription, _subscription),
    "invoice": _invoices,
    "payment": _one_row_each(Payment, _payment),
    "payment_application": _one_row_each(PaymentApplication, _payment_application),
    "revenue_schedule": _revenue_schedules,
}
