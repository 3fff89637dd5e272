"""What Stripe holds, one row per invoice, charge or subscription, for reconciliation.

Lists are read whole and filtered by the date on the document: Stripe filters only by ``created``, which is another
date where documents are dated into the past or the future.
"""

from collections.abc import Iterator

from connectors.contract import Window
from connectors.errors import OutcomeUnknown, Unsupported
from connectors.reading import Cursor, UnreadableBody
from connectors.systems.stripe.amounts import read_amount, read_currency, read_day
from connectors.systems.stripe.client import Client
from connectors.systems.stripe.invoices import invoice_day, invoice_number, labels_of
from connectors.systems.stripe.origin import API_VERSION, Labels, Origin, Settings, id_of
from connectors.systems.stripe.payments import charged, read_fee
from connectors.systems.stripe.subscriptions import read_subscription
from finsync.core.money import Money
from finsync.core.records import InvoiceStatus, PaymentStatus, SubscriptionRecord
from finsync.core.records.observed import Observed


def observe(client: Client, settings: Settings, what: str, window: Window) -> Iterator[Observed]:
    """Yield invoices, payments or subscriptions. Raises OutcomeUnknown for an answer that cannot be read."""
    readers = {"invoice": _invoices, "payment": _payments, "subscription": _subscriptions}
    if what not in readers:
        raise Unsupported(f"Stripe cannot be asked for {what}")
    origin = Origin(settings=settings, second=0, snapshot=True, api_version=API_VERSION)
    try:
        for row in readers[what](client, origin):
            dated = row.document_date is None or window.start <= row.document_date < window.end
            if dated and (not window.entities or row.entity in window.entities):
                yield row
    except UnreadableBody as error:
        raise OutcomeUnknown(f"the answer cannot be read: {error}") from error


def _invoices(client: Client, origin: Origin) -> Iterator[Observed]:
    """Invoices by their header, so that long ones need no second call."""
    for invoice in client.list("/v1/invoices", {"expand": ["data.customer"]}):
        status = invoice["status"].one_of(InvoiceStatus)
        if status is InvoiceStatus.DRAFT:
            continue
        currency, labels = read_currency(invoice["currency"]), labels_of(invoice)
        day = invoice_day(invoice, origin)
        amount, tax = read_amount(invoice["total"], currency), _tax(invoice, currency)
        yield Observed(
            object="invoice",
            key=invoice_number(invoice, origin),
            entity=labels.identifier("entity", origin.settings.entity),
            currency=currency,
            period=f"{day:%Y-%m}",
            amount=amount,
            state=status.value,
            source_id=invoice["id"].identifier(),
            net=amount - tax,
            tax=tax,
            version=labels.whole("contract_version"),
            document_date=day,
            facts={
                "account_id": _account(invoice, labels, origin),
                "contract": labels.identifier("contract_id"),
                "amount_paid": str(read_amount(invoice["amount_paid"], currency).major),
            },
        )


def _payments(client: Client, origin: Origin) -> Iterator[Observed]:
    for charge in client.list("/v1/charges", {"expand": ["data.balance_transaction", "data.customer"]}):
        labels = Labels.of(charge).over(Labels.of_customer(charge))
        currency = read_currency(charge["currency"])
        day = labels.day("effective_date") or read_day(charge["created"], origin.settings.zone)
        fee, invoice = read_fee(charge), charge["invoice"]
        yield Observed(
            object="payment",
            key=charge["id"].identifier(),
            entity=labels.identifier("entity", origin.settings.entity),
            currency=currency,
            period=f"{day:%Y-%m}",
            amount=charged(charge, currency),
            state=charge["status"].one_of(PaymentStatus).value,
            source_id=charge["id"].identifier(),
            document_date=day,
            facts={
                "account_id": _account(charge, labels, origin),
                "invoice": id_of(invoice) if invoice.given else "",
                "fee": str(fee.major) if fee else "",
            },
        )


def _subscriptions(client: Client, origin: Origin) -> Iterator[Observed]:
    """All subscriptions, whatever their dates: which contract version billing executes is a state, no document."""
    for row in client.list("/v1/subscriptions", {"status": "all", "expand": ["data.customer"]}):
        for record in getattr(read_subscription(row, origin), "records", ()):
            if isinstance(record, SubscriptionRecord):
                yield Observed(
                    object="subscription",
                    key=f"{record.contract_number or record.subscription_id}|{record.contract_version}",
                    entity=record.entity,
                    currency=record.currency,
                    period="",
                    amount=record.unit_price.times(record.quantity),
                    state=record.status,
                    source_id=record.subscription_id,
                    version=record.contract_version,
                    facts={"account_id": record.account_id, "contract": record.contract_number},
                )


def _account(thing: Cursor, labels: Labels, origin: Origin) -> str:
    if origin.settings.standalone:
        return id_of(thing["customer"]) if thing["customer"].given else ""
    return labels.identifier("account_id")


def _tax(invoice: Cursor, currency: str) -> Money:
    """Tax of the header: ``tax`` until 2025, the sum of ``total_taxes`` since basil."""
    if invoice["tax"].given:
        return read_amount(invoice["tax"], currency)
    stated = list(invoice["total_taxes"]) if invoice["total_taxes"].given else []
    return sum((read_amount(item["amount"], currency) for item in stated), Money.zero(currency))
