"""An invoice of Stripe, in the shapes of 2017, 2024 and basil (2025-03-31), as InvoiceRecord and payment application.

The shapes are told apart by what is there, not by the version's name. A credit and a charge of one proration stay two
lines; net, tax and total are sums over lines, so they net by themselves, and must agree with the invoice's own totals.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from connectors.contract import Ignored, Normalised, NormaliseResult
from connectors.reading import Cursor
from connectors.systems.stripe.amounts import read_amount, read_currency, read_day, read_second
from connectors.systems.stripe.origin import FetchFirst, Labels, Origin, id_of
from connectors.systems.stripe.taxes import TaxRates, lines_with_tax
from finsync.core.money import Money, total
from finsync.core.records import (
    InvoiceLine,
    InvoiceRecord,
    InvoiceStatus,
    PaymentApplicationRecord,
    Record,
    RevenueTreatment,
)

# Within one second an invoice moves forward only; void and uncollectible can follow open, paid follows all but void.
RANKS = {
    InvoiceStatus.DRAFT: 0,
    InvoiceStatus.OPEN: 1,
    InvoiceStatus.UNCOLLECTIBLE: 2,
    InvoiceStatus.PAID: 3,
    InvoiceStatus.VOID: 4,
}
TRANSITIONS = ("finalized_at", "paid_at", "voided_at", "marked_uncollectible_at")


def read_invoice(invoice: Cursor, origin: Origin) -> NormaliseResult:
    """Return the invoice and, once it is paid by a charge, what the charge was applied to."""
    status = invoice["status"].one_of(InvoiceStatus)
    if status is InvoiceStatus.DRAFT:
        return Ignored(reason="a draft is no document until it is finalised")
    ask = FetchFirst("invoice", invoice["id"].identifier(), "the letter does not say whose it is")
    if invoice["lines"]["has_more"].given and invoice["lines"]["has_more"].flag():
        raise FetchFirst("invoice", ask.answer.source_id, "the letter carries only part of its lines")
    labels = labels_of(invoice)
    record = _record(invoice, status, labels, origin, ask)
    return Normalised(records=(record, *_applications(invoice, record, origin)))


def labels_of(invoice: Cursor) -> Labels:
    """The metadata of an invoice; what it does not say itself its subscription said when it was made."""
    own = Labels.of(_subscription_details(invoice), invoice["subscription_details"], invoice)
    return own.over(Labels.of_customer(invoice))


def invoice_number(invoice: Cursor, origin: Origin) -> str:
    """The number a person sees; the id in a standalone connection whose source knows no numbers (localstripe)."""
    if origin.settings.standalone and not invoice["number"].given:
        return invoice["id"].identifier()
    return invoice["number"].identifier()


def invoice_day(invoice: Cursor, origin: Origin) -> date:
    """The date on the document: in its own metadata, else when it takes effect, was finalised or was made.

    Not what the subscription's metadata says: that is the day of the last amendment, also on later renewals.
    """
    transitions = invoice["status_transitions"]
    finalised = transitions["finalized_at"] if transitions.given else transitions
    dates = [field for field in (invoice["effective_at"], invoice["date"], finalised) if field.given]
    said = Labels.of(invoice).day("effective_date")
    return said or read_day(dates[0] if dates else invoice["created"], origin.settings.zone)


def _record(invoice: Cursor, status: InvoiceStatus, labels: Labels, origin: Origin, ask: FetchFirst) -> InvoiceRecord:
    currency = read_currency(invoice["currency"])
    day = invoice_day(invoice, origin)
    lines = _lines(invoice, currency, origin, ask)
    net = total((line.net for line in lines), currency)
    tax = total((part.amount for line in lines for part in line.taxes), currency)
    _check_totals(invoice, currency, net, tax)
    due = invoice["due_date"]
    return InvoiceRecord(
        lineage=origin.lineage(
            "invoice",
            invoice["id"].identifier(),
            rank=RANKS[status],
            own_second=_last_transition(invoice),
            correlation_id=labels.identifier("correlation_id", f"stripe-{invoice['id'].identifier()}"),
            effective=day,
        ),
        entity=origin.entity(labels, invoice, ask),
        number=invoice_number(invoice, origin),
        invoice_id=invoice["id"].identifier(),
        account_id=origin.account(labels, invoice, ask),
        contract_number=labels.identifier("contract_id"),
        contract_version=labels.whole("contract_version"),
        amendment_ref=labels.identifier("amendment_ref"),
        status=status,
        currency=currency,
        invoice_date=day,
        due_date=read_day(due, origin.settings.zone) if due.given else None,
        net=net,
        tax=tax,
        total=net + tax,
        amount_paid=read_amount(invoice["amount_paid"], currency),
        lines=lines,
    )


def _lines(invoice: Cursor, currency: str, origin: Origin, ask: FetchFirst) -> tuple[InvoiceLine, ...]:
    rates = TaxRates.of(invoice, None if origin.snapshot else ask.answer.source_id)
    return tuple(
        InvoiceLine(line_id=line["id"].identifier(), net=net, taxes=taxes, **_line_facts(line, origin))
        for line, net, taxes in lines_with_tax(invoice, currency, rates)
    )


def _line_facts(line: Cursor, origin: Origin) -> dict[str, Any]:
    start, end = (read_day(line["period"][name], origin.settings.zone) for name in ("start", "end"))
    parent = _parent_details(line)
    proration = next((field.flag() for field in (line["proration"], parent["proration"]) if field.given), False)
    subscribed = line["type"].value == "subscription" or parent.path.endswith("subscription_item_details")
    serves = start < end
    return {
        "description": line["description"].text() if line["description"].given else "",
        "product": product_of(line),
        "quantity": line["quantity"].quantity() if line["quantity"].given else Decimal(1),
        "service_start": start if serves else None,
        "service_end": end if serves else None,
        "proration": proration,
        # A change of a subscription moves what is still deferred, also where the source gives it no period.
        "revenue_treatment": _treatment(line, deferred=serves or subscribed or proration),
    }


def _treatment(line: Cursor, *, deferred: bool) -> RevenueTreatment:
    labels = Labels.of(line)
    if "revenue_treatment" in labels.fields:
        return labels.fields["revenue_treatment"].one_of(RevenueTreatment)
    return RevenueTreatment.DEFERRED if deferred else RevenueTreatment.IMMEDIATE


def product_of(item: Cursor) -> str:
    """The product of a line or of a subscription item; a line sold without a product has none."""
    if item["pricing"].given and item["pricing"]["price_details"].given:  # basil
        details = item["pricing"]["price_details"]
        if details["product"].given:
            return details["product"].identifier()
    for name in ("price", "plan"):
        if item[name].given and item[name]["product"].given:
            return id_of(item[name]["product"])
    return Labels.of(item).identifier("product")


def _subscription_details(invoice: Cursor) -> Cursor:
    """Basil: ``parent.subscription_details``; absent elsewhere."""
    parent = invoice["parent"]
    return parent["subscription_details"] if parent.given else parent


def _parent_details(line: Cursor) -> Cursor:
    """Basil: ``parent.subscription_item_details`` or ``parent.invoice_item_details``; else an empty object."""
    if line["parent"].given:
        for name in ("subscription_item_details", "invoice_item_details"):
            if line["parent"][name].given:
                return line["parent"][name]
    return Cursor({}, line.path)


def _check_totals(invoice: Cursor, currency: str, net: Money, tax: Money) -> None:
    """Lines that do not add up to the invoice are a truncated or misread document: refused, never adjusted."""
    for name, ours in (("total", net + tax), ("tax", tax), ("total_excluding_tax", net)):
        field = invoice[name]
        if (field.given or name == "total") and read_amount(field, currency) != ours:
            raise field.refuse(f"the lines add up to {ours}")


def _applications(invoice: Cursor, record: InvoiceRecord, origin: Origin) -> tuple[Record, ...]:
    """What one charge paid. Paid by hand or from the customer's balance means no gateway money to apply."""
    if record.status is not InvoiceStatus.PAID or not record.amount_paid:
        return ()
    charge = invoice["charge"]
    by_hand = invoice["paid_out_of_band"].given and invoice["paid_out_of_band"].flag()
    if not charge.given:
        if by_hand or origin.snapshot or "charge" in invoice.value:
            return ()
        raise FetchFirst("invoice", record.invoice_id, f"{origin.api_version} leaves out the charge that paid")
    paid_at = invoice["status_transitions"]["paid_at"]
    applied = Labels.of(invoice).day("paid_on") or read_day(paid_at, origin.settings.zone)
    application = PaymentApplicationRecord(
        lineage=origin.lineage(
            "invoice",
            record.invoice_id,
            rank=RANKS[record.status],
            own_second=_last_transition(invoice),
            correlation_id=record.lineage.correlation_id,
            effective=applied,
        ),
        entity=record.entity,
        payment_id=id_of(charge),
        sequence=1,
        account_id=record.account_id,
        invoice_system=origin.settings.system,
        invoice_number=record.number,
        amount=record.amount_paid,
        applied_on=applied,
    )
    return (application,)


def _last_transition(invoice: Cursor) -> int:
    transitions = invoice["status_transitions"]
    fields = [transitions[name] for name in TRANSITIONS if transitions.given and transitions[name].given]
    return max((read_second(field) for field in fields), default=0)
