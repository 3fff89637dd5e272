"""What the double writes down: objects with ids, and the event that announces each change."""

import secrets
import time

from connectors.doubles.deliveries import Deliveries
from connectors.doubles.store import Store
from connectors.systems.stripe.sandbox.seeds import PRICES, PRODUCTS, TAX_RATES
from connectors.systems.stripe.sandbox.shapes import Json, missing, shown

API_VERSION = "2024-06-20"


class Ledger:
    """Objects by kind and id over the store. Ids carry a mark drawn anew after a reset, so none ever comes again."""

    def __init__(self, store: Store, deliveries: Deliveries) -> None:
        self.store, self.deliveries = store, deliveries
        self.seed()

    def seed(self) -> None:
        """Put in what is sold and taxed, unless it is there."""
        with self.store.transaction():
            if self.store.get("meta", "mark"):
                return
            self.store.put("meta", "mark", {"id": "mark", "mark": secrets.token_hex(4)})
            for row in (*PRODUCTS, *PRICES, *TAX_RATES):
                self.store.put(row["object"], row["id"], row | {"created": int(time.time()), "livemode": False})

    def new_id(self, prefix: str) -> str:
        """The next id: ``in_3f9c1a2b0000007``."""
        mark = self.store.get("meta", "mark") or {"mark": ""}
        return f"{prefix}_{mark['mark']}{self.store.next('id'):07d}"

    def create(self, kind: str, prefix: str, body: Json) -> Json:
        """Write a new object."""
        object_id = self.new_id(prefix)
        return self.store.put(
            kind, object_id, {"id": object_id, "created": int(time.time()), "livemode": False, **body}
        )

    def save(self, body: Json) -> Json:
        """Write a changed object."""
        return self.store.put(body["object"], body["id"], body)

    def need(self, kind: str, object_id: str, status: int = 404) -> Json:
        """Return an object. Raises Refused where there is none."""
        found = self.store.get(kind, object_id)
        if found is None:
            raise missing(kind, object_id, status)
        return found

    def labels(self, thing: Json) -> Json:
        """The metadata of an object and of the customer and subscription it belongs to."""
        customer = self.store.get("customer", str(thing.get("customer"))) or {"metadata": {}}
        said = (thing.get("subscription_details") or {}).get("metadata") or {}
        known = {name: value for name, value in customer["metadata"].items() if name in ("account_id", "entity")}
        return known | said | (thing.get("metadata") or {})

    def announce(self, event_type: str, thing: Json, previous: Json | None = None) -> None:
        """Write the event of a change and hand it to the webhooks."""
        data: Json = {"object": shown(thing)}
        if previous is not None:
            data["previous_attributes"] = previous
        body = {
            "object": "event",
            "api_version": API_VERSION,
            "data": data,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type,
        }
        event = self.create("event", "evt", body)
        labels = {name: str(value) for name, value in self.labels(thing).items()}
        facts = {name: labels[name] for name in ("account_id", "contract_id", "entity") if name in labels}
        self.deliveries.enqueue(event["id"], event_type, event, object=thing["object"], **facts)
