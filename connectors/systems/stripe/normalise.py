"""What a letter of Stripe says: events by webhook or poll, snapshots by fetch. Pure; never raises on any bytes."""

from collections.abc import Callable

from connectors.contract import Ignored, NeedsFetch, NormaliseResult, RawItem
from connectors.reading import Cursor, UnreadableBody, read_json
from connectors.systems.stripe.amounts import read_second
from connectors.systems.stripe.invoices import read_invoice
from connectors.systems.stripe.origin import API_VERSION, SNAPSHOT_MARGIN_SECONDS, FetchFirst, Origin, Settings
from connectors.systems.stripe.payments import read_charge, read_payment_intent
from connectors.systems.stripe.subscriptions import read_customer, read_subscription

Reader = Callable[[Cursor, Origin], NormaliseResult]

READERS: dict[str, Reader] = {
    "invoice": read_invoice,
    "charge": read_charge,
    "payment_intent": read_payment_intent,
    "subscription": read_subscription,
    "customer": read_customer,
}

# By the longest prefix of the event type. A type of these families that we have never heard of is read all the same:
# what counts is the object it carries.
FAMILIES = {
    "invoice.": "invoice",
    "charge.": "charge",
    "payment_intent.": "payment_intent",
    "customer.subscription.": "subscription",
    "customer.created": "customer",
    "customer.updated": "customer",
    "customer.deleted": "customer",
}

# Money we do not book yet. Ignoring it would hide it, so it is refused and a person sees it.
NOT_READ_YET = ("charge.refund", "charge.dispute.", "refund.", "credit_note.", "invoice.overpaid")

# Said elsewhere, or nothing finsync keeps. Everything Stripe documents; a family not listed anywhere is refused.
IRRELEVANT = {
    "invoice.upcoming": "a preview is no document",
    "invoice.deleted": "only drafts are deleted",
    "invoice.finalization_failed": "still a draft",
    "invoice_payment.": "the invoice states what paid it",
    "invoiceitem.": "a pending item is no document until it is invoiced",
    "payment_intent.created": "nothing is paid yet",
    "payment_intent.processing": "nothing is paid yet",
    "payment_intent.requires_action": "nothing is paid yet",
    "payment_intent.canceled": "nothing was paid",
    "payment_intent.amount_capturable_updated": "an authorisation moves no money",
    "payment_intent.partially_funded": "nothing is paid yet",
    "balance.": "balances follow from payments and payouts, which are read themselves",
    "payout.": "settlement to the bank is not part of what is kept yet",
} | dict.fromkeys(
    (
        "customer.source.",
        "customer.card.",
        "customer.bank_account.",
        "customer.discount.",
        "customer.tax_id.",
        "customer_cash_balance_transaction.",
        "cash_balance.",
        "account.",
        "application_fee.",
        "billing.",
        "billing_portal.",
        "capability.",
        "checkout.",
        "climate.",
        "coupon.",
        "entitlements.",
        "external_account.",
        "file.",
        "financial_connections.",
        "identity.",
        "issuing_",
        "mandate.",
        "payment_link.",
        "payment_method.",
        "person.",
        "plan.",
        "ping",
        "price.",
        "product.",
        "promotion_code.",
        "quote.",
        "radar.",
        "recipient.",
        "reporting.",
        "review.",
        "setup_intent.",
        "sigma.",
        "sku.",
        "source.",
        "subscription_schedule.",
        "tax.",
        "tax_rate.",
        "terminal.",
        "test_helpers.",
        "topup.",
        "transfer.",
        "treasury.",
    ),
    "finsync keeps nothing of this kind",
)

# What a thin event (API v2) may point at, as the record type that fetch knows.
RELATED = {"invoice": "invoice", "charge": "payment", "subscription": "subscription", "customer": "customer"}

SNAPSHOT_PAGES = "finsync.invoice_pages"  # an invoice too long for one answer: the pages exactly as they came


def normalise(item: RawItem, settings: Settings) -> NormaliseResult:
    """Return what one letter says as records, or why it says none."""
    try:
        body = read_json(item.body)
        match body["object"].text():
            case "event":
                return _event(body, settings)
            case "v2.core.event":
                return _thin_event(body, settings)
            case _:
                return _snapshot(body, item, settings)
    except UnreadableBody as error:
        return error.answer
    except FetchFirst as first:
        return first.answer


def _event(event: Cursor, settings: Settings) -> NormaliseResult:
    kind = event["type"].identifier()
    if settings.livemode is not None and event["livemode"].flag() != settings.livemode:
        raise event["livemode"].refuse(f"this connection takes livemode {str(settings.livemode).lower()}")
    if _longest(kind, NOT_READ_YET):
        raise event["type"].refuse("this states money that is not read yet; a known type is needed")
    family, ignored = _longest(kind, FAMILIES), _longest(kind, IRRELEVANT)
    if not family and not ignored:
        raise event["type"].refuse("a documented event type is needed")
    if len(ignored) > len(family):
        return Ignored(reason=f"{kind}: {IRRELEVANT[ignored]}")
    thing = event["data"]["object"]
    if thing["object"].text() != FAMILIES[family]:
        raise thing["object"].refuse(f"an object of kind {FAMILIES[family]} is needed")
    origin = Origin(
        settings=settings,
        second=read_second(event["created"]),
        snapshot=False,
        api_version=event["api_version"].text() if event["api_version"].given else "unversioned",
    )
    return READERS[FAMILIES[family]](thing, origin)


def _thin_event(event: Cursor, settings: Settings) -> NormaliseResult:
    """A v2 event names its object and says nothing about it."""
    related = event["related_object"]
    if not related.given:
        return Ignored(reason="a thin event about no object")
    kind = related["type"].identifier()
    record_type = RELATED.get(kind, "")
    if not record_type or (record_type == "customer" and not settings.standalone):
        return Ignored(reason=f"finsync keeps nothing of kind {kind}")
    source_id = related["id"].identifier()
    return NeedsFetch(object=record_type, source_id=source_id, reason="a thin event carries no payload")


def _snapshot(body: Cursor, item: RawItem, settings: Settings) -> NormaliseResult:
    if body["object"].text() == SNAPSHOT_PAGES:
        body = _joined(body)
    kind = body["object"].text()
    if kind not in READERS:
        raise body["object"].refuse(f"one of {', '.join(READERS)} is needed")
    read_at = int(item.source_ts.timestamp()) if item.source_ts else 0
    second = max(read_at - SNAPSHOT_MARGIN_SECONDS, 0)
    return READERS[kind](body, Origin(settings=settings, second=second, snapshot=True, api_version=API_VERSION))


def _joined(pages: Cursor) -> Cursor:
    """The invoice with the lines of all its pages in place of the first ten."""
    invoice = pages["invoice"]
    lines = [line.value for page in pages["pages"] for line in page["data"]]
    whole = {**invoice.value, "lines": {"data": lines}} if isinstance(invoice.value, dict) else invoice.value
    return Cursor(whole, invoice.path)


def _longest(kind: str, prefixes: dict[str, str] | tuple[str, ...]) -> str:
    return max((prefix for prefix in prefixes if kind.startswith(prefix)), key=len, default="")
