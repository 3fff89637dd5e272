"""The sample company's year: who buys what, when they pay, and what goes wrong on purpose. No clock, no network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from random import Random

YEAR = 2026
UNIT_PRICE = "1200.00"  # a Pro seat for a year, in the customer's currency
FIRST_CONTRACT = 1001
DAYS_TO_PAY = range(5, 25)

CURRENCIES = {"US01": ("USD", "US"), "UK01": ("GBP", "GB")}

REFUSED, UNMAPPED_TAX, DROPPED, LATE, DECLINED, RENAMED = "C-1003", "C-1004", "C-1005", "C-1006", "C-1007", "C-1013"
OPEN = ("C-1008", "C-1011")
LATE_SECONDS = 45  # longer than a poll interval: the poll is first, the webhook then brings nothing new
REDUCED_TAX_RATE = "txr_gb_vat_5"  # billing knows it; no approved mapping does

# A customer that somebody made by hand in billing: no CRM account stands behind it.
STRANGER_ACCOUNT, STRANGER_NAME = "001000000000999AAA", "Walk-in Trading Co"


class Deed(StrEnum):
    """What can happen."""

    REGISTER = "registers"
    SIGN = "signs"
    PAY = "pays"
    DECLINE = "is declined"
    EXPAND = "expands"
    RENAME = "is renamed"
    STRANGE_INVOICE = "gets an invoice nobody signed"


@dataclass(frozen=True, slots=True)
class Customer:
    """One company; its contract number is its key everywhere in the story."""

    contract: str
    name: str
    entity: str


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens on a day. ``version`` is the contract version it makes or pays."""

    day: date
    deed: Deed
    customer: Customer
    version: int = 0
    seats: int = 0
    text: str = ""

    def __str__(self) -> str:
        return f"{self.day} {self.customer.name} {self.deed}" + (f" v{self.version}" if self.version else "")


NAMES: Sequence[tuple[str, str]] = (
    ("Brightwater Logistics Inc", "US01"),
    ("Harrowgate Press Ltd", "UK01"),
    ("Kestrel Robotics Inc", "US01"),
    ("Thistledown Foods Ltd", "UK01"),
    ("Cascade Health Partners LLC", "US01"),
    ("Pennine Engineering plc", "UK01"),
    ("Lone Star Freight Inc", "US01"),
    ("Marlow & Finch LLP", "UK01"),
    ("Sable Analytics Inc", "US01"),
    ("Wexford Marine Ltd", "UK01"),
    ("Juniper Ridge Schools", "US01"),
    ("Castlegate Hotels Ltd", "UK01"),
    ("Orchard Street Bakeries Inc", "US01"),
    ("Northlight Studios Ltd", "UK01"),
    ("Bluebonnet Dental Group", "US01"),
    ("Severn Valley Instruments Ltd", "UK01"),
)
_PLACES = (
    "Ashford",
    "Boulder",
    "Calder",
    "Denton",
    "Elmswell",
    "Fairmont",
    "Galway",
    "Hartland",
    "Inglewood",
    "Jarrow",
)
_TRADES = ("Textiles", "Software", "Timber", "Optics", "Foundry", "Catering", "Surveying", "Plastics", "Insurance")


def customers(count: int, seed: int) -> list[Customer]:
    """Return this many companies, the named ones first; any further ones are invented from the seed."""
    chance = Random(seed)  # noqa: S311 - a story to be repeated, not secrecy
    found = []
    for number in range(count):
        entity = "US01" if number % 2 == 0 else "UK01"
        invented = f"{chance.choice(_PLACES)} {chance.choice(_TRADES)} {number + 1}"
        name, entity = NAMES[number] if number < len(NAMES) else (invented, entity)
        found.append(Customer(f"C-{FIRST_CONTRACT + number}", name, entity))
    return found


def acts(count: int, seed: int) -> list[Act]:
    """Return everything that happens to the first ``count`` companies, in order of day."""
    told = [act for number, one in enumerate(customers(count, seed)) for act in _plot(one, number, seed)]
    stranger = Customer("", STRANGER_NAME, "US01")
    told.append(Act(date(YEAR, 3, 2), Deed.STRANGE_INVOICE, stranger))
    return sorted(told, key=lambda act: act.day)


def _plot(customer: Customer, number: int, seed: int) -> Iterator[Act]:
    chance = Random(f"{seed}/{customer.contract}")  # noqa: S311 - see above; its own, so one plot never moves another
    if number < 2:  # the article's customer, once per entity: day 45 is 14 February
        signed, seats, expansions = date(YEAR, 1, 1), 10, [(date(YEAR, 2, 14), 5)]
    elif customer.contract == REFUSED:
        signed, seats, expansions = date(YEAR, 1, 12), 12, [(date(YEAR, 3, 9), 8)]
    else:
        signed = date(YEAR, 1, 5) + timedelta(days=17 * (number - 3) % 290)
        seats = chance.randrange(4, 60)
        grows = number % 4 == 0
        expansions = [(signed + timedelta(days=chance.randrange(30, 60)), chance.randrange(2, 12))] if grows else []
    yield Act(signed, Deed.REGISTER, customer)
    yield Act(signed, Deed.SIGN, customer, 1, seats)
    paid = signed + timedelta(days=chance.choice(DAYS_TO_PAY))
    if customer.contract in OPEN:
        return
    if customer.contract == DECLINED:
        yield Act(paid, Deed.DECLINE, customer, 1)
        return
    yield Act(paid, Deed.PAY, customer, 1)
    for version, (day, more) in enumerate(expansions, 2):
        yield Act(day, Deed.EXPAND, customer, version, more)
        yield Act(day + timedelta(days=chance.choice(DAYS_TO_PAY)), Deed.PAY, customer, version)
    if customer.contract == RENAMED:
        yield Act(paid + timedelta(days=20), Deed.RENAME, customer, text=customer.name.replace(" Inc", " Holdings Inc"))


# ---- what goes wrong ---------------------------------------------------------------------------------------------

CRM_FAULTS = (
    {"match": {"contract": DROPPED}, "action": "drop", "times": 1},
    {"match": {"contract": LATE}, "action": "delay", "delay": LATE_SECONDS, "times": 1},
    {"match": {"event": "*ChangeEvent"}, "action": "duplicate", "probability": 0.2, "times": 10},
)
BILLING_FAULTS = (
    {"match": {"event": "invoice.finalized"}, "action": "duplicate", "probability": 0.25, "times": 6},
    {"match": {"event": "charge.succeeded"}, "action": "reorder", "probability": 0.25, "times": 6},
    {"match": {"method": "POST", "path": "/v1/subscriptions"}, "action": "429", "retry_after": 2, "times": 1},
)
REVENUE_FAULTS = (
    {"match": {"contract": REFUSED, "version": "2"}, "action": "refuse"},  # until somebody lifts it
    {"match": {"event": "schedule.*"}, "action": "duplicate", "probability": 0.25, "times": 6},
)
