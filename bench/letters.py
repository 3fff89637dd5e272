"""Letters as Stripe sends them: finalised invoices of about 2 KB, each of its own number, and what they wait for."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from finsync.core.money import Money
from finsync.core.proration import ProrationRule
from finsync.core.records import ChangeType, ContractLine, ContractVersionRecord, CustomerRecord, Lineage
from finsync.core.sequencing import VersionKind

MODEL = Path("connectors/systems/stripe/fixtures/normalise/invoice_finalized_net_proration.json")
SIGNED = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)
CUSTOMERS = 50


def model() -> dict[str, Any]:
    """Return the golden letter all others are made from."""
    from finsync.local.places import PROJECT

    found: dict[str, Any] = json.loads((PROJECT / MODEL).read_text())
    return found


def invoice_letters(count: int, first: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield event id and body of ``count`` invoices, numbered from ``first``, spread over the customers."""
    event = model()
    invoice = event["data"]["object"]
    for number in range(first, first + count):
        which = number % CUSTOMERS
        event["id"], invoice["id"], invoice["number"] = f"evt_{number:08d}", f"in_{number:08d}", f"INV-{number:08d}"
        about = invoice["subscription_details"]["metadata"]
        about["account_id"], about["contract_id"], about["contract_version"] = account(which), contract(which), "1"
        about["correlation_id"] = f"cor-{number:08d}"
        yield event["id"], json.dumps(event, separators=(",", ":")).encode()


def account(which: int) -> str:
    """Return the CRM's id of a customer."""
    return f"001{which:012d}AAA"


def contract(which: int) -> str:
    """Return the number of a customer's contract."""
    return f"C-{which:05d}"


def parties(count: int = CUSTOMERS) -> Iterator[CustomerRecord | ContractVersionRecord]:
    """Yield customers and their contracts, as the CRM states them."""
    for which in range(count):
        yield customer(account(which))
        yield _contract(which)


def customer(account_id: str, ordinal: int = 1, name: str = "Lighthouse Inc") -> CustomerRecord:
    """Return a customer as the CRM states it."""
    return CustomerRecord(
        lineage=_lineage("Account", account_id, ordinal, VersionKind.MONOTONE),
        account_id=account_id, name=name, entity="US01", currency="USD", country="US",
    )  # fmt: skip


def _contract(which: int) -> ContractVersionRecord:
    line = ContractLine(
        line_id="1", product="SEAT-PRO", quantity=Decimal(10), unit_price=Money.of("1200.00", "USD"),
        price_period_months=12, start=date(2026, 1, 1), end=date(2027, 1, 1),
    )  # fmt: skip
    return ContractVersionRecord(
        lineage=_lineage("Order", f"801{which:012d}AAA", 1, VersionKind.CONTIGUOUS), entity="US01",
        contract_number=contract(which), version=1, change_type=ChangeType.NEW, account_id=account(which),
        currency="USD", term_start=date(2026, 1, 1), term_end=date(2027, 1, 1), effective_date=date(2026, 1, 1),
        lines=(line,), added=(line,), proration=ProrationRule(), amendment_ref="",
    )  # fmt: skip


def _lineage(object: str, source_id: str, ordinal: int, kind: VersionKind) -> Lineage:
    return Lineage(
        system="salesforce", object=object, source_id=source_id, source_version=str(ordinal), version_kind=kind,
        ordinal=ordinal, source_ts=SIGNED, correlation_id=f"cor-{source_id}",
    )  # fmt: skip


def signature(secret: str, body: bytes) -> str:
    """Return the value of Stripe-Signature for a letter sent now."""
    import hashlib
    import hmac

    now = int(time.time())
    return f"t={now},v1={hmac.digest(secret.encode(), b'%d.' % now + body, hashlib.sha256).hex()}"
