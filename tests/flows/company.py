"""The sample company for the stories: the doubles over real HTTP, a webhook door, and the pipeline in this process.

The ERP is the real one where a test asks for it. Nothing is written into finsync's tables but configuration.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx

from connectors.doubles.server import Double, running
from connectors.doubles.store import Store
from connectors.models import Connection
from connectors.systems.revenue_engine.sandbox.app import RevenueEngineDouble
from connectors.systems.salesforce.sandbox.app import SalesforceDouble
from connectors.systems.stripe.sandbox.double import StripeDouble
from demo.company import ACCOUNTS
from demo.seed import seed
from finsync.audit.services import recording
from finsync.posting.services.periods import refresh_periods
from finsync.schedule import STAGES, run_stage
from reconciliation.models import Run

SECRET = "whsec_c3RvcnktdGVsbGVyLXNlY3JldA=="
DOUBLES: dict[str, type[Double]] = {
    "salesforce": SalesforceDouble,
    "stripe": StripeDouble,
    "revenue_engine": RevenueEngineDouble,
}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def webhook_door() -> Iterator[str]:
    """Serve the production WSGI application on a free port; yields its base URL."""
    from connectors.door import WebhookDoor
    from finsync.wsgi import django_application

    door = WebhookDoor(django_application)
    server = make_server("127.0.0.1", 0, door, server_class=_Server, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        door.committer.close()


@dataclass
class Company:
    """The doubles' addresses and what a story does with them."""

    urls: dict[str, str]

    def tell(self, system: str, command: str, **what: Any) -> dict[str, Any]:
        """Give a double a command of its /_sandbox API and return its answer."""
        answer = httpx.post(f"{self.urls[system]}/_sandbox/{command}", json=what, timeout=20)
        assert answer.status_code < 300, f"{system} {command}: {answer.status_code} {answer.text}"
        return answer.json()

    def customer(self, key: str, entity: str, name: str) -> str:
        """Create a customer in the CRM; returns its account id."""
        currency, country = {"US01": ("USD", "US"), "UK01": ("GBP", "GB")}[entity]
        made = self.tell(
            "salesforce", "accounts", key=key, name=name, entity=entity, currency=currency, country=country
        )
        return str(made["Id"])

    def sign(
        self, number: str, account: str, *, start: str = "2026-01-01", seats: int = 10, price: str = "1200.00"
    ) -> None:
        """Sign a contract of one seat product for a year."""
        self.tell(
            "salesforce",
            "contracts",
            contract_number=number,
            account_id=account,
            start=start,
            seats=seats,
            unit_price=price,
        )

    def expand(self, number: str, *, effective: str = "2026-02-14", seats: int = 5, ref: str = "A-0002") -> None:
        """Amend a contract by more seats."""
        self.tell(
            "salesforce",
            f"contracts/{number}/amendments",
            amendment_ref=ref,
            effective_date=effective,
            delta_seats=seats,
        )

    def pay(self, invoice: str, entity: str, day: str) -> None:
        """Pay an invoice through the gateway."""
        self.tell("stripe", "pay", invoice=invoice, entity=entity, date=day)


@contextmanager
def company(erp: dict[str, str] | None = None) -> Iterator[Company]:
    """Run the sample company; ``erp`` gives base_url, database, user and password of a real ERP."""
    with ExitStack() as stack:
        door = stack.enter_context(webhook_door())
        urls = {
            name: stack.enter_context(
                running(
                    double(Store(":memory:"), seed=1, webhook_url=f"{door}/webhooks/{name}/", webhook_secret=SECRET)
                )
            )
            for name, double in DOUBLES.items()
        }
        places = {name: {"base_url": url, "webhook_secret": SECRET} for name, url in urls.items()}
        if erp:
            places["tryton"] = {"base_url": erp["base_url"]}
        seed(places, {account.username: f"{account.username}-long-enough" for account in ACCOUNTS}, erp)
        with recording("system:test"):
            Connection.objects.filter(name="tryton").update(state="ACTIVE", state_reason="")
        refresh_periods()
        yield Company(urls)


def reconcile(*controls: str) -> dict[str, Run]:
    """Run controls now and return their newest runs by code."""
    from reconciliation.services.run import request, run_requested

    with recording("user:carl"):
        for control in controls:
            request(control, "user:carl")
    while run_requested():
        pass
    return {control: Run.objects.filter(control=control).latest("pk") for control in controls}


def settle(until: Any = None, *, seconds: float = 60.0, only: tuple[str, ...] = tuple(STAGES)) -> None:
    """Work through every stage until nothing is due and ``until()`` holds. Fails when the time is up."""
    from finsync.posting.services.recognise import recognise_due

    end = time.monotonic() + seconds
    quiet = 0
    while time.monotonic() < end:
        done = recognise_due() + sum(run_stage(name) for name in only if STAGES[name].is_due())
        quiet = 0 if done else quiet + 1
        if quiet >= 2 and (until is None or until()):
            return
        if not done:
            time.sleep(0.2)
    raise AssertionError(f"not settled within {seconds} s")
