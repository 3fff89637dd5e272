"""A subscription of Stripe as SubscriptionRecord; a customer of a standalone Stripe as CustomerRecord."""

from decimal import Decimal
from enum import StrEnum

from connectors.contract import Ignored, Normalised, NormaliseResult
from connectors.reading import Cursor
from connectors.systems.stripe.amounts import read_amount, read_currency, read_day, read_second
from connectors.systems.stripe.invoices import product_of
from connectors.systems.stripe.origin import FetchFirst, Labels, Origin
from finsync.core.money import Money
from finsync.core.records import CustomerRecord, SubscriptionRecord

VERSIONS_RANKED_MAX = 99
STATUSES_MAX = 10


class SubscriptionStatus(StrEnum):
    """Stripe's states, in the order in which they can follow one another within one second."""

    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    CANCELED = "canceled"


def read_subscription(subscription: Cursor, origin: Origin) -> NormaliseResult:
    """Return the subscription with the contract version it executes. One with several products is refused."""
    source_id = subscription["id"].identifier()
    status = subscription["status"].one_of(SubscriptionStatus)
    items = subscription["items"]
    if items["has_more"].given and items["has_more"].flag():
        raise FetchFirst("subscription", source_id, "the letter carries only part of its items")
    entries = list(items["data"])
    if len(entries) != 1:
        raise items["data"].refuse(f"one item is needed, there are {len(entries)}")
    item, labels = entries[0], Labels.of(subscription).over(Labels.of_customer(subscription))
    price = item["price"] if item["price"].given else item["plan"]
    unit_price = _unit_price(price)
    version = labels.whole("contract_version")
    start, end = _period(subscription, item)
    ask = FetchFirst("subscription", source_id, "the letter does not say whose it is")
    record = SubscriptionRecord(
        lineage=origin.lineage(
            "subscription",
            source_id,
            # Two contract versions may be posted within one second; the later one is the later state.
            rank=min(version, VERSIONS_RANKED_MAX) * STATUSES_MAX + list(SubscriptionStatus).index(status),
            own_second=_last_change(subscription),
            correlation_id=labels.identifier("correlation_id", f"stripe-{source_id}"),
        ),
        entity=origin.entity(labels, subscription, ask),
        subscription_id=source_id,
        account_id=origin.account(labels, subscription, ask),
        contract_number=labels.identifier("contract_id"),
        contract_version=version,
        status=status.value,
        currency=unit_price.currency,
        product=product_of(item),
        quantity=item["quantity"].quantity() if item["quantity"].given else Decimal(1),
        unit_price=unit_price,
        period_start=read_day(start, origin.settings.zone),
        period_end=read_day(end, origin.settings.zone),
    )
    return Normalised(records=(record,))


def read_customer(customer: Cursor, origin: Origin) -> NormaliseResult:
    """Return the customer where no CRM owns customers; else nothing."""
    settings = origin.settings
    if not settings.standalone:
        return Ignored(reason="the CRM owns customers")
    account_id = customer["id"].identifier()
    deleted = customer["deleted"].given and customer["deleted"].flag()
    labels = Labels.of(customer)
    names = [customer[name].text() for name in ("name", "description", "email") if customer[name].given]
    ask = FetchFirst("customer", account_id, "the letter does not say whose it is")
    address = customer["address"]
    country = address["country"] if address.given else address
    record = CustomerRecord(
        lineage=origin.lineage(
            "customer",
            account_id,
            rank=int(deleted),
            own_second=read_second(customer["created"]) if customer["created"].given else 0,
            correlation_id=labels.identifier("correlation_id", f"stripe-{account_id}"),
        ),
        account_id=account_id,
        name=names[0] if names else account_id,
        entity=origin.entity(labels, customer, ask),
        currency=settings.currency or read_currency(customer["currency"]),
        country=country.text() if country.given and country.value else "",
        active=not deleted,
    )
    return Normalised(records=(record,))


def _unit_price(price: Cursor) -> Money:
    amount = price["unit_amount"] if price["unit_amount"].given else price["amount"]
    return read_amount(amount, read_currency(price["currency"]))


def _period(subscription: Cursor, item: Cursor) -> tuple[Cursor, Cursor]:
    """The period in force: on the subscription until 2025, on its item since basil."""
    holder = subscription if subscription["current_period_start"].given else item
    return holder["current_period_start"], holder["current_period_end"]


def _last_change(subscription: Cursor) -> int:
    fields = [subscription[name] for name in ("created", "canceled_at", "ended_at") if subscription[name].given]
    return max((read_second(field) for field in fields), default=0)
