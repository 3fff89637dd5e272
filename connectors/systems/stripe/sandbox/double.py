"""The server: Stripe's routes, its idempotency keys, and the commands of a story under /_sandbox/."""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from connectors.doubles.server import Answer, Double, Request, retry_after
from connectors.doubles.store import Store
from connectors.systems.stripe.sandbox.deliveries import StripeDeliveries
from connectors.systems.stripe.sandbox.gateway import Gateway
from connectors.systems.stripe.sandbox.invoices import Invoices
from connectors.systems.stripe.sandbox.ledger import Ledger
from connectors.systems.stripe.sandbox.shapes import Json, bad_request, expanded, form, missing, page, search, shown
from connectors.systems.stripe.sandbox.subscriptions import Subscriptions

KEY_KEPT_SECONDS = 24 * 60 * 60
KEY_CHARACTERS_MAX = 255

LISTED = {  # path: kind, and the fields a list can be filtered by
    "products": ("product", ()),
    "prices": ("price", ("product", "currency")),
    "tax_rates": ("tax_rate", ()),
    "customers": ("customer", ("email",)),
    "subscriptions": ("subscription", ("customer", "status")),
    "invoices": ("invoice", ("customer", "status", "subscription")),
    "charges": ("charge", ("customer", "payment_intent")),
    "payment_intents": ("payment_intent", ("customer",)),
    "balance_transactions": ("balance_transaction", ("source", "type")),
    "events": ("event", ("type",)),
}

Work = Callable[..., Json]


class StripeDouble(Double):
    """A Stripe-shaped billing system and gateway."""

    def __init__(
        self, store: Store | None = None, *, seed: int = 1, webhook_url: str = "", webhook_secret: str = ""
    ) -> None:
        super().__init__(store, seed=seed, webhook_url=webhook_url, webhook_secret=webhook_secret)
        self.deliveries = StripeDeliveries(self.store, self.faults, webhook_url, webhook_secret)
        self.ledger = Ledger(self.store, self.deliveries)
        self.invoices, self.gateway = Invoices(self.ledger), Gateway(self.ledger)
        self.subscriptions = Subscriptions(self.ledger, self.invoices)
        self._api_routes()
        self._story_routes()

    # ---- Stripe's API -------------------------------------------------------------------------------------------

    def _api_routes(self) -> None:
        self.route("GET", "/v1/customers/search", self._search_customers)
        self.route("GET", "/v1/invoices/{invoice}/lines", self._invoice_lines)
        for path, (kind, filters) in LISTED.items():
            self.route("GET", f"/v1/{path}", self._lister(kind, filters))
            self.route("GET", f"/v1/{path}/{{{kind}}}", self._getter(kind))
        self._post("/v1/customers", self.subscriptions.create_customer)
        self._post(
            "/v1/customers/{customer}", lambda given, customer: self.subscriptions.update_customer(customer, given)
        )
        self._post("/v1/subscriptions", self.subscriptions.create_subscription)
        self._post("/v1/subscriptions/{subscription}", self._update_subscription)
        self._post("/v1/invoices/{invoice}/pay", lambda given, invoice: self.gateway.pay(self._invoice(invoice)))
        self._post("/v1/invoices/{invoice}/void", lambda given, invoice: self.invoices.void(self._invoice(invoice)))
        self.route(
            "DELETE",
            "/v1/subscriptions/{subscription}",
            lambda request, subscription: Answer(200, self.subscriptions.cancel_subscription(subscription)),
        )

    def _update_customer(self, given: Json, customer: str) -> Json:
        return self.subscriptions.update_customer(customer, given)

    def _update_subscription(self, given: Json, subscription: str) -> Json:
        return self.subscriptions.update_subscription(subscription, given)

    def _invoice(self, invoice_id: str) -> Json:
        return self.ledger.need("invoice", invoice_id)

    def _post(self, path: str, work: Work) -> None:
        """Route a POST through its Idempotency-Key: the same request again gets the first answer again."""

        def handler(request: Request, **names: str) -> Answer:
            given = form(request.body.decode())
            paths = given.pop("expand", None)
            key = request.headers.get("idempotency-key", "")
            kept = self._remembered(key, request)
            if kept is None:
                made = _understood(work, given, **names)
                kept = {"body": expanded(self.store, shown(made), paths)}
                self._remember(key, request, kept["body"])
                return Answer(200, kept["body"])
            return Answer(200, kept["body"], {"idempotent-replayed": "true"})

        self.route("POST", path, handler)

    def _remembered(self, key: str, request: Request) -> Json | None:
        if len(key) > KEY_CHARACTERS_MAX:
            raise bad_request(f"an Idempotency-Key has at most {KEY_CHARACTERS_MAX} characters")
        kept = self.store.get("idempotency", key) if key else None
        if kept is None or kept["at"] < time.time() - KEY_KEPT_SECONDS:
            return None
        if kept["request"] != _fingerprint(request):
            raise bad_request("this key was used with other parameters", kind="idempotency_error", code="")
        return kept

    def _remember(self, key: str, request: Request, body: Json) -> None:
        if key:
            kept = {"id": key, "at": time.time(), "request": _fingerprint(request), "body": body}
            self.store.put("idempotency", key, kept)

    def _lister(self, kind: str, filters: tuple[str, ...]) -> Callable[[Request], Answer]:
        def handler(request: Request) -> Answer:
            query = form(request.query)
            wanted = {name: query[name] for name in filters if query.get(name, "all") != "all"}
            rows = [row for row in reversed(self.store.all(kind)) if all(row[name] == wanted[name] for name in wanted)]
            body = page([shown(row) for row in rows], query, request.path)
            return Answer(200, expanded(self.store, body, query.get("expand")))

        return handler

    def _getter(self, kind: str) -> Callable[..., Answer]:
        def handler(request: Request, **names: str) -> Answer:
            body = shown(self.ledger.need(kind, names[kind]))
            return Answer(200, expanded(self.store, body, form(request.query).get("expand")))

        return handler

    def _search_customers(self, request: Request) -> Answer:
        return Answer(200, search(self.store.all("customer"), request.query.get("query", ""), request.path))

    def _invoice_lines(self, request: Request, invoice: str) -> Answer:
        query = form(request.query)
        body = page(self._invoice(invoice)["lines"]["data"], query, request.path)
        return Answer(200, expanded(self.store, body, query.get("expand")))

    def authorise(self, request: Request) -> None:
        """Any secret key opens the door; its absence closes it."""
        if not request.headers.get("authorization", "").startswith(("Bearer sk_", "Basic ")):
            raise bad_request("no valid API key", code="api_key_invalid", status=401)

    def too_many(self, rule: Mapping[str, Any]) -> tuple[int, Any, Mapping[str, str]]:
        """429 in Stripe's words."""
        error = {"type": "invalid_request_error", "code": "rate_limit", "message": "too many requests"}
        return int(rule["action"]), {"error": error}, retry_after(rule)

    def refusal(self, rule: Mapping[str, Any]) -> tuple[int, Any]:
        """400 in Stripe's words."""
        code, message = rule.get("code", "parameter_invalid"), rule.get("message", "refused by a rule of the story")
        return 400, {"error": {"type": "invalid_request_error", "code": code, "message": message}}

    # ---- commands of a story ------------------------------------------------------------------------------------

    def _story_routes(self) -> None:
        self._command(
            "pay",
            lambda given: self.gateway.pay(
                self._named_invoice(given), _day(given), labelled=bool(given.get("labelled", True))
            ),
        )
        self._command(
            "fail",
            lambda given: self.gateway.fail(
                self._named_invoice(given), str(given.get("code", "card_declined")), _day(given)
            ),
        )
        self._command("void", lambda given: self.invoices.void(self._named_invoice(given)))
        self._command("invoice", self.invoices.one_off_invoice)
        self._command("tax", self._override_tax)
        self._command("webhook", self._set_webhook)
        self._command("deliver", self._deliver_again)

    def _command(self, name: str, work: Callable[[Json], Json]) -> None:
        self.route("POST", f"/_sandbox/{name}", lambda request: Answer(200, shown(_understood(work, request.json()))))

    def _named_invoice(self, given: Json) -> Json:
        """By id, or by number and entity: numbers count per entity."""
        wanted, entity = str(given.get("invoice", "")), given.get("entity")
        for invoice in self.store.all("invoice"):
            by_number = invoice["number"] == wanted and self.ledger.labels(invoice).get("entity") == entity
            if invoice["id"] == wanted or by_number:
                return invoice
        raise missing("invoice", wanted)

    def _override_tax(self, given: Json) -> Json:
        """{"account": CRM account or customer id, "tax_rates": [id]}: what this customer pays from now on."""
        account = str(given["account"])
        return self.store.put("tax_override", account, {"id": account, "tax_rates": list(given["tax_rates"])})

    def _set_webhook(self, given: Json) -> Json:
        """{"url", "secret"}: where events go from now on."""
        self.deliveries.url, self.deliveries.secret = str(given["url"]), str(given["secret"])
        return {"url": self.deliveries.url}

    def _deliver_again(self, given: Json) -> Json:
        """{"event": id}: send an event once more, also one that was dropped."""
        event = self.ledger.need("event", str(given["event"]))
        self.deliveries.enqueue(event["id"], event["type"], event)
        return {"event": event["id"]}

    def _reset(self, request: Request) -> Answer:
        answer = super()._reset(request)
        self.ledger.seed()
        return answer


def _understood(work: Work, given: Json, **names: str) -> Json:
    """Do the work; what makes no sense in the request is refused, not a broken server."""
    try:
        return work(given, **names)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise bad_request(f"the request cannot be understood: {error!r}") from error


def _fingerprint(request: Request) -> str:
    return hashlib.sha256(b"%s %s\n%s" % (request.method.encode(), request.path.encode(), request.body)).hexdigest()


def _day(given: Json) -> date | None:
    return date.fromisoformat(given["date"]) if "date" in given else None
