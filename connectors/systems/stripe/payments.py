"""A charge of Stripe, alone or inside its payment intent, as PaymentRecord."""

from connectors.contract import Ignored, Normalised, NormaliseResult
from connectors.reading import Cursor
from connectors.systems.stripe.amounts import read_amount, read_currency, read_day, read_second
from connectors.systems.stripe.invoices import labels_of
from connectors.systems.stripe.origin import FetchFirst, Labels, Origin, id_of
from finsync.core.money import Money
from finsync.core.records import PaymentRecord, PaymentStatus

RANKS = {PaymentStatus.PENDING: 1, PaymentStatus.FAILED: 2, PaymentStatus.SUCCEEDED: 3}


def read_charge(charge: Cursor, origin: Origin) -> NormaliseResult:
    """Return the payment a charge states. Since basil a charge no longer names its invoice: fetched as pinned."""
    if not origin.snapshot and isinstance(charge.value, dict) and "invoice" not in charge.value:
        reason = f"{origin.api_version} leaves out the invoice of a charge"
        raise FetchFirst("payment", charge["id"].identifier(), reason)
    return _payment(charge, charge, Labels.of(charge), origin)


def read_payment_intent(intent: Cursor, origin: Origin) -> NormaliseResult:
    """Return the payment of the charge an older payment intent carries; newer ones only name it."""
    charges = list(intent["charges"]["data"]) if intent["charges"].given else []
    charge = charges[-1] if charges else intent["latest_charge"]
    if not isinstance(charge.value, dict):
        return Ignored(reason="the events of its charge state the payment")
    return _payment(charge, intent, Labels.of(intent, charge), origin)


def _payment(charge: Cursor, holder: Cursor, own: Labels, origin: Origin) -> NormaliseResult:
    """``holder`` names customer and invoice: the charge itself, or the payment intent around it."""
    status = charge["status"].one_of(PaymentStatus)
    if status is PaymentStatus.SUCCEEDED and charge["captured"].given and not charge["captured"].flag():
        return Ignored(reason="an authorisation moves no money until it is captured")
    charge_id = charge["id"].identifier()
    if not holder["customer"].given:
        refusal = holder["customer"].refuse("a charge without a customer cannot be booked to one")
        refusal.code = "MDM_ACCOUNT_UNMAPPED"
        raise refusal
    ask = FetchFirst("payment", charge_id, "the letter does not say whose it is")
    labels = own.over(_invoice_labels(holder["invoice"])).over(Labels.of_customer(holder))
    account = origin.account(labels, holder, ask)
    settled = isinstance(charge["balance_transaction"].value, dict)
    if status is PaymentStatus.SUCCEEDED and origin.settings.fetch_fees and not settled and not origin.snapshot:
        raise FetchFirst("payment", charge_id, "the fee stands in the balance transaction")
    currency = read_currency(charge["currency"])
    captured_on = own.day("effective_date") or read_day(charge["created"], origin.settings.zone)
    record = PaymentRecord(
        lineage=origin.lineage(
            "charge",
            charge_id,
            rank=RANKS[status],
            own_second=read_second(charge["created"]),
            correlation_id=labels.identifier("correlation_id", f"stripe-{_invoice_id(holder) or charge_id}"),
            effective=captured_on,
        ),
        entity=origin.entity(labels, holder, ask),
        payment_id=charge_id,
        account_id=account,
        status=status,
        amount=charged(charge, currency),
        fee=read_fee(charge),
        method=method_of(charge),
        captured_on=captured_on,
        failure_code=charge["failure_code"].identifier() if charge["failure_code"].given else "",
    )
    return Normalised(records=(record,))


def charged(charge: Cursor, currency: str) -> Money:
    """What was taken: a capture may be for less than was authorised."""
    captured = charge["amount_captured"]
    partly = captured.given and charge["status"].value == PaymentStatus.SUCCEEDED
    return read_amount(captured if partly else charge["amount"], currency)


def read_fee(charge: Cursor) -> Money | None:
    """Stripe's fee in the settlement currency, where the balance transaction came with the charge."""
    settled = charge["balance_transaction"]
    if not isinstance(settled.value, dict):
        return None
    return read_amount(settled["fee"], read_currency(settled["currency"]))


def method_of(charge: Cursor) -> str:
    """card, sepa_debit, ach_debit …; "" where the source does not say."""
    details = charge["payment_method_details"]
    return details["type"].identifier() if details.given else ""


def _invoice_labels(invoice: Cursor) -> Labels:
    """Whose and why, from the invoice a fetched charge came with; its dates are not the charge's."""
    if not isinstance(invoice.value, dict):
        return Labels({})
    return labels_of(invoice).only("account_id", "entity", "correlation_id")


def _invoice_id(holder: Cursor) -> str:
    return id_of(holder["invoice"]) if holder["invoice"].given else ""
