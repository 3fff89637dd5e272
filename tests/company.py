"""Names, dates and taxes of the company that tests play, and what was built of it."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.contrib.auth.models import User

from connectors.models import Connection, InboxMessage
from exceptions_queue.models import ExceptionCase
from finsync.mappings.models import MappingVersion
from finsync.posting.models import Posting

START, END, AMENDED = date(2026, 1, 1), date(2027, 1, 1), date(2026, 2, 14)
CUSTOMERS = (
    ("Meridian Foods Inc.", "US01"),
    ("Halden Marine AS", "DE01"),
    ("Brightwater Logistics", "US01"),
    ("Kestrel Health Inc.", "US01"),
    ("Ostrava Glas GmbH", "DE01"),
    ("Pinecrest Schools", "US01"),
    ("Vireo Analytics", "US01"),
    ("Mondial Fracht SE", "DE01"),
    ("Toru Robotics Corp.", "US01"),
    ("Northgate Dental", "US01"),
    ("Alpenblick Hotels GmbH", "DE01"),
    ("Caldera Mining Co.", "US01"),
)
TAX = {"US01": ("US-TX-825", Decimal("0.0825"), "USD"), "DE01": ("DE-VAT-20", Decimal("0.20"), "EUR")}


@dataclass
class World:
    """What was built, for tests that need to point at a row."""

    now: datetime
    people: dict[str, User] = field(default_factory=dict)
    systems: dict[str, Connection] = field(default_factory=dict)
    rules: MappingVersion | None = None
    sets: dict[str, MappingVersion] = field(default_factory=dict)
    expansion: Posting | None = None  # invoice of the amendment, posted in Tryton
    refused: Posting | None = None  # the amendment, refused by the revenue engine
    doubtful: Posting | None = None
    unreadable: InboxMessage | None = None
    cases: dict[str, ExceptionCase] = field(default_factory=dict)
