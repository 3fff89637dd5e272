"""Customers and subscriptions of the double: periods billed in advance, more seats billed by the day."""

import time
from datetime import date
from fractions import Fraction

from connectors.systems.stripe.sandbox.arithmetic import after_interval, business_day, day_of, half_up, second_of
from connectors.systems.stripe.sandbox.invoices import Invoices
from connectors.systems.stripe.sandbox.ledger import Ledger
from connectors.systems.stripe.sandbox.shapes import Json, bad_request, missing


class Subscriptions:
    """What customers subscribe to, written to the ledger and billed through ``Invoices``."""

    def __init__(self, ledger: Ledger, invoices: Invoices) -> None:
        self.ledger, self.invoices = ledger, invoices

    def create_customer(self, given: Json) -> Json:
        """POST /v1/customers."""
        customer = {
            "object": "customer",
            "address": given.get("address"),
            "currency": None,
            "description": given.get("description"),
            "email": given.get("email"),
            "name": given.get("name"),
            "metadata": given.get("metadata") or {},
        }
        made = self.ledger.create("customer", "cus", customer)
        self.ledger.announce("customer.created", made)
        return made

    def update_customer(self, customer_id: str, given: Json) -> Json:
        """POST /v1/customers/{id}."""
        customer = self.ledger.need("customer", customer_id)
        named = {name: given[name] for name in ("name", "email", "description", "address") if name in given}
        changed = self.ledger.save(customer | named | {"metadata": customer["metadata"] | given.get("metadata", {})})
        self.ledger.announce("customer.updated", changed)
        return changed

    def create_subscription(self, given: Json) -> Json:
        """POST /v1/subscriptions: starts on the given day and bills its first period in advance."""
        customer = self.ledger.need("customer", str(given.get("customer", "")), status=400)
        metadata = given.get("metadata") or {}
        start = business_day(given.get("backdate_start_date"), metadata.get("effective_date"))
        items = [self._item(item) for item in given.get("items") or []]
        if not items:
            raise bad_request("items are needed", code="parameter_missing")
        end = after_interval(start, items[0]["price"]["recurring"])
        body = {
            "object": "subscription",
            "automatic_tax": {"enabled": "automatic_tax" in given},
            "billing_cycle_anchor": second_of(start),
            "cancel_at_period_end": False,
            "canceled_at": None,
            "collection_method": given.get("collection_method", "charge_automatically"),
            "currency": items[0]["price"]["currency"],
            "current_period_start": second_of(start),
            "current_period_end": second_of(end),
            "customer": customer["id"],
            "days_until_due": int(given.get("days_until_due", 30)),
            "default_tax_rates": self.invoices.tax_rates(given.get("default_tax_rates"), customer, metadata),
            "ended_at": None,
            "items": {"object": "list", "data": items, "has_more": False, "total_count": len(items)},
            "latest_invoice": None,
            "metadata": metadata,
            "start_date": second_of(start),
            "status": "active",
        }
        subscription = self.ledger.create("subscription", "sub", body)
        self._bill(subscription, [self._line(subscription, item, item["quantity"], start) for item in items], start)
        return self._announced("customer.subscription.created", subscription["id"])

    def update_subscription(self, subscription_id: str, given: Json) -> Json:
        """POST /v1/subscriptions/{id}: metadata, and more seats from ``proration_date``, billed at once."""
        subscription = self.ledger.need("subscription", subscription_id)
        if subscription["status"] == "canceled":
            raise bad_request("a canceled subscription cannot change", code="resource_missing")
        metadata = subscription["metadata"] | (given.get("metadata") or {})
        effective = business_day(given.get("proration_date"), metadata.get("effective_date"))
        items, added = self._changed_items(subscription, given.get("items") or [])
        before = {item["id"]: item["quantity"] for item in subscription["items"]["data"]}
        all_items = subscription["items"] | {"data": items, "total_count": len(items)}
        changed = self.ledger.save(subscription | {"metadata": metadata, "items": all_items})
        if added and given.get("proration_behavior", "create_prorations") == "always_invoice":
            lines = [self._line(changed, item, quantity, effective, proration=True) for item, quantity in added]
            self._bill(changed, lines, effective)
        previous = {"metadata": subscription["metadata"]}
        if added:
            previous["items"] = {"data": [{"id": item_id, "quantity": seats} for item_id, seats in before.items()]}
        return self._announced("customer.subscription.updated", subscription_id, previous)

    def cancel_subscription(self, subscription_id: str) -> Json:
        """DELETE /v1/subscriptions/{id}: ends now; nothing is credited."""
        subscription, now = self.ledger.need("subscription", subscription_id), int(time.time())
        self.ledger.save(subscription | {"status": "canceled", "canceled_at": now, "ended_at": now})
        return self._announced("customer.subscription.deleted", subscription_id)

    def _announced(self, event: str, subscription_id: str, previous: Json | None = None) -> Json:
        subscription = self.ledger.need("subscription", subscription_id)
        self.ledger.announce(event, subscription, previous)
        return subscription

    def _item(self, given: Json) -> Json:
        price = self._price(given)
        if not price["recurring"]:
            raise bad_request("a subscription item needs a recurring price")
        return {
            "id": self.ledger.new_id("si"),
            "object": "subscription_item",
            "created": int(time.time()),
            "metadata": {},
            "price": price,
            "quantity": _quantity(given),
        }

    def _price(self, given: Json) -> Json:
        if "price" in given:
            return self.ledger.need("price", given["price"], status=400)
        data = given.get("price_data")
        if not data:
            raise bad_request("price or price_data is needed", code="parameter_missing")
        self.ledger.need("product", str(data.get("product", "")), status=400)
        recurring = {"interval": "year", "interval_count": 1, **(data.get("recurring") or {})}
        stated = {
            "currency": data["currency"].lower(),
            "product": data["product"],
            "recurring": {**recurring, "interval_count": int(recurring["interval_count"]), "usage_type": "licensed"},
            "unit_amount": int(data["unit_amount"]),
        }
        for price in self.ledger.store.all("price"):
            if all(price[name] == value for name, value in stated.items()):
                return price
        fixed = {"object": "price", "active": False, "billing_scheme": "per_unit", "metadata": {}, "type": "recurring"}
        return self.ledger.create(
            "price", "price", fixed | stated | {"unit_amount_decimal": str(stated["unit_amount"])}
        )

    def _changed_items(self, subscription: Json, given: list[Json]) -> tuple[list[Json], list[tuple[Json, int]]]:
        """The items after a change, and what was added to each."""
        items = {item["id"]: item for item in subscription["items"]["data"]}
        added: list[tuple[Json, int]] = []
        for change in given:
            old = items.get(change.get("id", ""))
            if change.get("id") and not old:
                raise missing("subscription item", change["id"], 400)
            new = old | {"quantity": _quantity(change)} if old else self._item(change)
            if old and "price_data" in change and self._price(change)["id"] != old["price"]["id"]:
                raise bad_request("this double does not change prices of a running subscription")
            more = new["quantity"] - (old["quantity"] if old else 0)
            if more < 0 or change.get("deleted") == "true":
                raise bad_request("this double issues no credits: seats can only be added")
            items[new["id"]] = new
            added += [(new, more)] if more else []
        return list(items.values()), added

    def _line(self, subscription: Json, item: Json, quantity: int, start: date, *, proration: bool = False) -> Json:
        """A full period, or the days that remain of it: one net line for what is added."""
        period_start, period_end = (day_of(subscription[f"current_period_{edge}"]) for edge in ("start", "end"))
        if not period_start <= start < period_end:
            raise bad_request("the date lies outside the current period")
        share = Fraction((period_end - start).days, (period_end - period_start).days)
        price = item["price"]
        name = self.ledger.need("product", price["product"])["name"]
        return self.invoices.taxed(
            {
                "amount": half_up(quantity * price["unit_amount"] * share),
                "currency": price["currency"],
                "description": f"{quantity} × {name}" + (f" from {start}" if proration else ""),
                "metadata": subscription["metadata"],
                "period": {"start": second_of(start), "end": second_of(period_end)},
                "price": price,
                "proration": proration,
                "quantity": quantity,
                "subscription": subscription["id"],
                "subscription_item": item["id"],
                "type": "subscription",
            },
            subscription["default_tax_rates"],
        )

    def _bill(self, subscription: Json, lines: list[Json], day: date) -> None:
        header = {name: subscription[name] for name in ("customer", "currency", "default_tax_rates")} | {
            "billing_reason": "subscription_update" if subscription["latest_invoice"] else "subscription_create",
            "subscription": subscription["id"],
            "subscription_details": {"metadata": subscription["metadata"]},
        }
        invoice = self.invoices.issue(lines, day, header)
        self.ledger.save(subscription | {"latest_invoice": invoice["id"]})


def _quantity(given: Json) -> int:
    quantity = int(given.get("quantity", 1))
    if quantity < 0:
        raise bad_request("quantity must not be negative")
    return quantity
