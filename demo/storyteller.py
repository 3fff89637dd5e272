"""Plays the sample company against the doubles, as its customers and salespeople would: ``python -m demo.storyteller``.

It knows the doubles' addresses and nothing of finsync. It waits for what finsync brings about (a contract signed in the
CRM must appear in billing before its invoice can be paid). What has happened already is left alone, so a second run
goes on where the first one ended.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from demo import story
from demo.story import Act
from finsync.local.places import Home, counterparties

BILLING_KEY = "sk_test_story"
CUSTOMERS_DEFAULT, SEED_DEFAULT, PACE_SECONDS_DEFAULT = 14, 45, 0.4
START_SECONDS_MAX = 120.0  # doubles start beside us
PATIENCE_SECONDS = 15.0  # how long one act may keep the later ones waiting
STORY_SECONDS_MAX = 3_600.0
LOOK_SECONDS = 0.5
PAGE_ROWS = 100


class NotYet(Exception):
    """What an act needs is not there; try again later."""


@dataclass(frozen=True, slots=True)
class Double:
    """One double's HTTP side."""

    http: httpx.Client

    @classmethod
    def at(cls, url: str) -> "Double":
        """Return the double that listens at ``url``."""
        headers = {"authorization": f"Bearer {BILLING_KEY}"}
        return cls(httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False))

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON behind a path. Raises NotYet where there is no good answer."""
        return self._call("GET", path, params=params)

    def post(self, path: str, **body: Any) -> Any:
        """Send a JSON command."""
        return self._call("POST", path, json=body)

    def form(self, path: str, **fields: str) -> Any:
        """Send a form, as the billing API wants it."""
        return self._call("POST", path, data=fields)

    def patch(self, path: str, **body: Any) -> Any:
        """Change something."""
        return self._call("PATCH", path, json=body)

    def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self.http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise NotYet(f"{path}: {error!r}") from None
        if not answer.is_success:
            raise NotYet(f"{path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()


class Storyteller:
    """Tells the acts of one story, in order where it can."""

    def __init__(self, crm: Double, billing: Double, revenue: Double, *, pace: float = PACE_SECONDS_DEFAULT) -> None:
        self.crm, self.billing, self.revenue, self.pace = crm, billing, revenue, pace
        self.accounts: dict[str, str] = {}

    def tell(
        self, acts: list[Act], *, patience: float = PATIENCE_SECONDS, limit: float = STORY_SECONDS_MAX
    ) -> list[Act]:
        """Play the acts; return those that could not happen within ``limit`` seconds."""
        self._begin()
        waiting, ends = list(acts), time.monotonic() + limit
        asked_since: dict[Act, float] = {}
        while waiting and time.monotonic() < ends:
            for act in list(waiting):
                if self._happened(act):
                    waiting.remove(act)
                    break
                since = asked_since.setdefault(act, time.monotonic())
                if time.monotonic() - since < patience:
                    time.sleep(LOOK_SECONDS)
                    break  # the day is not over: later acts wait
            else:
                time.sleep(LOOK_SECONDS)
        return waiting

    def _begin(self) -> None:
        """At the very first start, decide what goes wrong; later starts leave the doubles as people left them."""
        ends = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                if not self.crm.get("/_sandbox/state").get("Account"):
                    self.crm.post("/_sandbox/faults", rules=story.CRM_FAULTS)
                    self.billing.post("/_sandbox/faults", rules=story.BILLING_FAULTS)
                    self.revenue.post("/_sandbox/faults", rules=story.REVENUE_FAULTS)
                return
            except NotYet:
                if time.monotonic() > ends:
                    raise
                time.sleep(LOOK_SECONDS)

    def _happened(self, act: Act) -> bool:
        """Let an act happen unless it has; False where it has to wait."""
        try:
            new = getattr(self, f"_{act.deed.name.lower()}")(act)
        except NotYet:
            return False
        if new:
            print(act, flush=True)
            time.sleep(self.pace)
        return True

    # ---- the CRM -------------------------------------------------------------------------------------------------

    def _register(self, act: Act) -> bool:
        customer = act.customer
        currency, country = story.CURRENCIES[customer.entity]
        known = len(self.crm.get("/_sandbox/state").get("Account", []))
        account = self.crm.post(
            "/_sandbox/accounts",
            key=customer.contract, name=customer.name, entity=customer.entity, currency=currency, country=country,
        )  # fmt: skip
        self.accounts[customer.contract] = account["Id"]
        if customer.contract == story.UNMAPPED_TAX:
            self.billing.post("/_sandbox/tax", account=account["Id"], tax_rates=[story.REDUCED_TAX_RATE])
        return len(self.crm.get("/_sandbox/state").get("Account", [])) > known

    def _sign(self, act: Act) -> bool:
        if act.customer.contract not in self.accounts:
            raise NotYet("the customer is not registered")
        new = not self._orders(act)
        self.crm.post(
            "/_sandbox/contracts",
            contract_number=act.customer.contract, account_id=self.accounts[act.customer.contract],
            start=act.day.isoformat(), months=12, seats=act.seats, unit_price=story.UNIT_PRICE,
        )  # fmt: skip
        return new

    def _expand(self, act: Act) -> bool:
        if not self._invoice(act, act.version - 1):
            raise NotYet("the version before is not invoiced")
        new = len(self._orders(act)) < act.version
        self.crm.post(
            f"/_sandbox/contracts/{act.customer.contract}/amendments",
            amendment_ref=f"A-{act.customer.contract.removeprefix('C-')}-{act.version}",
            effective_date=act.day.isoformat(), delta_seats=act.seats,
        )  # fmt: skip
        return new

    def _rename(self, act: Act) -> bool:
        account = self.accounts.get(act.customer.contract, "")
        known = {row["Id"]: row["Name"] for row in self.crm.get("/_sandbox/state").get("Account", [])}
        if account not in known:
            raise NotYet("the customer is not registered")
        if known[account] == act.text:
            return False
        self.crm.patch(f"/_sandbox/accounts/{account}", name=act.text)
        return True

    def _orders(self, act: Act) -> list[dict[str, Any]]:
        state = self.crm.get("/_sandbox/state")
        ids = {row["Id"] for row in state.get("Contract", []) if row["ContractNumber"] == act.customer.contract}
        return [row for row in state.get("Order", []) if row["ContractId"] in ids]

    # ---- billing and gateway -------------------------------------------------------------------------------------

    def _pay(self, act: Act) -> bool:
        invoice = self._invoice(act, act.version)
        if not invoice:
            raise NotYet("there is no invoice yet")
        if invoice["status"] != "open":
            return False
        self.billing.post("/_sandbox/pay", invoice=invoice["id"], date=act.day.isoformat())
        return True

    def _decline(self, act: Act) -> bool:
        invoice = self._invoice(act, act.version)
        if not invoice:
            raise NotYet("there is no invoice yet")
        if invoice["status"] != "open" or invoice["attempt_count"]:
            return False
        self.billing.post("/_sandbox/fail", invoice=invoice["id"], code="card_declined", date=act.day.isoformat())
        return True

    def _strange_invoice(self, act: Act) -> bool:
        labels = {"account_id": story.STRANGER_ACCOUNT, "entity": act.customer.entity}
        known = [row for row in self._rows("customers") if row["metadata"].get("account_id") == labels["account_id"]]
        if known and any(row["customer"] == known[0]["id"] for row in self._rows("invoices")):
            return False
        named = {f"metadata[{name}]": value for name, value in labels.items()}
        customer = (known or [self.billing.form("/v1/customers", name=act.customer.name, **named)])[0]
        start, end = act.day.isoformat(), act.day.replace(year=act.day.year + 1).isoformat()
        line = {
            "product": "SEAT-PRO",
            "quantity": 3,
            "unit_amount": 120_000,
            "service_start": start,
            "service_end": end,
        }
        self.billing.post(
            "/_sandbox/invoice", customer=customer["id"], date=start, currency="usd", metadata=labels, lines=[line]
        )
        return True

    def _invoice(self, act: Act, version: int) -> dict[str, Any] | None:
        """The invoice billing made for a contract version, or None."""
        wanted = {"contract_id": act.customer.contract, "contract_version": str(version)}
        for row in self._rows("invoices"):
            labels = (row.get("subscription_details") or {}).get("metadata") or {}
            if wanted.items() <= labels.items() and row["status"] != "draft":
                return row
        return None

    def _rows(self, kind: str) -> Iterator[dict[str, Any]]:
        params: dict[str, Any] = {"limit": PAGE_ROWS}
        while True:
            page = self.billing.get(f"/v1/{kind}", **params)
            yield from page["data"]
            if not page["has_more"]:
                return
            params["starting_after"] = page["data"][-1]["id"]


def main(arguments: list[str] | None = None) -> int:
    """Play the story; 0 when everything has happened."""
    places = counterparties(Home.from_environment())
    parser = argparse.ArgumentParser(description="Plays the sample company against the doubles.")
    for option, name in (("crm", "salesforce"), ("billing", "stripe"), ("revenue", "revenue_engine")):
        place = places.get(name, {}).get("base_url")
        parser.add_argument(f"--{option}", default=place, required=place is None, help="base URL")
    parser.add_argument("--seed", type=int, default=SEED_DEFAULT)
    parser.add_argument("--customers", type=int, default=CUSTOMERS_DEFAULT)
    parser.add_argument("--pace", type=float, default=PACE_SECONDS_DEFAULT, help="seconds between two acts")
    given = parser.parse_args(arguments)
    doubles = [Double.at(url) for url in (given.crm, given.billing, given.revenue)]
    left = Storyteller(*doubles, pace=given.pace).tell(story.acts(given.customers, given.seed))
    for act in left:
        print(f"has not happened: {act}", file=sys.stderr)
    print("the story is told" if not left else f"{len(left)} acts are left", flush=True)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
