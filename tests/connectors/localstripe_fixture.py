"""localstripe in its own process on the loopback, driven with the official SDK: a webhook sender we did not write.

What it is like: invoices have no number, customers always trade in euro, there are no charge events, a declined first
invoice is not announced, idempotency keys are ignored, events are listed oldest first, and a webhook is sent once, one
second after the fact, and never again.
Use it in any test by importing ``localstripe``:

    from tests.connectors.localstripe_fixture import Localstripe, localstripe
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx
import pytest
import stripe

API_KEY = "sk_test_12345"
API_VERSION = "2017-08-15"  # what its events say
START_SECONDS_MAX = 20.0
CARD, CARD_DECLINED = "4242424242424242", "4000000000000341"

# Its own command listens to the whole network and writes its state to disk; this does neither.
_SERVER = """
import logging, sys
from aiohttp import web
from localstripe.server import app
from localstripe import resources
resources.Store.dump_to_disk = lambda self: None
logging.disable(logging.CRITICAL)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@dataclass
class Localstripe:
    """A running localstripe and what a story does with it. Amounts are in cents."""

    url: str

    def __post_init__(self) -> None:
        self.sdk = stripe.StripeClient(API_KEY, base_addresses={"api": self.url}, max_network_retries=0)

    def send_webhooks_to(self, url: str, secret: str, name: str = "finsync") -> None:
        """Register a webhook endpoint for all events."""
        body = {"url": url, "secret": secret}
        httpx.post(f"{self.url}/_config/webhooks/{name}", json=body, auth=(API_KEY, "")).raise_for_status()

    def create_plan(self, plan_id: str = "seat-monthly", amount: int = 4900, product: str = "SEAT-PRO") -> str:
        """Create a product and a monthly plan in USD; returns the plan's id."""
        self._post("products", {"id": product, "name": "Pro seat", "type": "service"})
        body = {"id": plan_id, "product": product, "amount": amount, "currency": "usd", "interval": "month"}
        return str(self._post("plans", body)["id"])

    def create_tax_rate(
        self, percentage: str = "8.25", tax_code: str = "US-TX-SALES", jurisdiction: str = "US-TX"
    ) -> str:
        """Create an exclusive tax rate that carries the code finsync maps."""
        made = self.sdk.v1.tax_rates.create(
            {
                "display_name": "Sales tax",
                "percentage": float(percentage),
                "inclusive": False,
                "jurisdiction": jurisdiction,
                "metadata": {"tax_code": tax_code},
            }
        )
        return made.id

    def create_customer(self, name: str, card: str = CARD, country: str = "US") -> str:
        """Create a customer who pays by card; returns its id."""
        customer = self.sdk.v1.customers.create(
            {"name": name, "email": "ap@example.com", "address": {"country": country}}
        )
        details = {"number": card, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        method = self.sdk.v1.payment_methods.create({"type": "card", "card": details})  # type: ignore[typeddict-item]
        self.sdk.v1.payment_methods.attach(method.id, {"customer": customer.id})
        self.sdk.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
        return customer.id

    def subscribe(self, customer: str, plan: str, quantity: int, tax_rate: str) -> str:
        """Subscribe; localstripe invoices the first period and takes the money at once. Returns the subscription's id."""
        item = {"plan": plan, "quantity": quantity}
        made = self.sdk.v1.subscriptions.create(
            {"customer": customer, "items": [item], "default_tax_rates": [tax_rate]}  # type: ignore[list-item]
        )
        return made.id

    def pay(self, customer: str, amount: int) -> str:
        """Take money by the customer's card, without an invoice; returns the payment intent. Raises CardError."""
        method = self.sdk.v1.customers.retrieve(customer).invoice_settings.default_payment_method
        made = self.sdk.v1.payment_intents.create(
            {"amount": amount, "currency": "usd", "customer": customer, "payment_method": str(method), "confirm": True}
        )
        return made.id

    def invoices(self, customer: str) -> list[stripe.Invoice]:
        """The invoices of a customer, newest first."""
        return list(self.sdk.v1.invoices.list({"customer": customer, "limit": 100}).data)

    def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        answer = httpx.post(f"{self.url}/v1/{path}", data=body, auth=(API_KEY, ""))
        answer.raise_for_status()
        return dict(answer.json())


@contextmanager
def running_localstripe() -> Iterator[Localstripe]:
    """Serve localstripe on a free port while the block runs."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", _SERVER, str(port)], stdout=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield Localstripe(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def localstripe() -> Iterator[Localstripe]:
    """A fresh localstripe."""
    with running_localstripe() as made:
        yield made


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"localstripe did not start (exit code {process.poll()})")
