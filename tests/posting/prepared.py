"""Postings ready to be sent, without the pipeline before them: as planning and release leave them."""

from datetime import UTC, date, datetime

from django.db import connection as database

from connectors.models import Connection
from finsync.audit.services import recording
from finsync.canonical.models import Aggregate, CanonicalChange, Fact
from finsync.core.keys import external_ref
from finsync.core.records import CustomerRecord, Lineage, to_json
from finsync.core.sequencing import VersionKind
from finsync.posting.models import Lane, Need, Posting

AT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
RECORD = CustomerRecord(
    lineage=Lineage(
        system="crm", object="Account", source_id="001", source_version="1", version_kind=VersionKind.TIMESTAMP,
        ordinal=1, source_ts=AT, correlation_id="cor-1",
    ),
    account_id="001", name="Lighthouse", entity="US01", currency="USD", country="US",
)  # fmt: skip


def target(name: str = "sim", url: str = "http://127.0.0.1:9", **values: object) -> Connection:
    """Return a connection to a simulated ERP; fast and wide unless ``values`` say otherwise."""
    wide = {"rate_per_second": 100_000, "tokens": 100_000, "concurrency_max": 8, "concurrency_now": 8}
    with recording("test"):
        return Connection.objects.create(
            name=name, kind="simulated_erp", title="Simulated ERP", roles=["erp"], base_url=url, **(wide | values)
        )


def change() -> CanonicalChange:
    """Return one applied change that postings may name as their cause."""
    stated = to_json(RECORD)
    with recording("test"):
        lane, _ = Aggregate.objects.get_or_create(key="customer:001", defaults={"record_type": "customer"})
        found = lane.changes.first()
        if found is not None:
            return found
        fact = Fact.objects.create(
            aggregate=lane, record_type="customer", source_system="crm", ordinal=1, version_kind="TIMESTAMP",
            content_hash="0" * 64, record=stated, origin=1, state="APPLIED",
        )  # fmt: skip
        return CanonicalChange.objects.create(
            aggregate=lane, record_type="customer", business_key="customer:001", entity="US01", ordinal=1,
            content_hash="0" * 64, record=stated, fact=fact, origin=1, source_ts=AT, plan_state="PLANNED",
            next_action_at=None,
        )  # fmt: skip


def postings(
    connection: Connection,
    count: int,
    doc_type: str = "invoice",
    *,
    prefix: str = "doc",
    lanes: int = 0,
    status: str = "READY",
    amount_minor: int = 571_204,
    **values: object,
) -> list[Posting]:
    """Return ``count`` postings; they share ``lanes`` lanes (0: one each), which are awake."""
    cause = change()
    rows = [
        Posting(
            connection=connection,
            doc_type=doc_type,
            business_key=f"{prefix}:{number}",
            external_ref=external_ref(connection.name, doc_type, f"{prefix}:{number}"),
            content_hash="0" * 64,
            entity="US01",
            currency="USD",
            amount_minor=amount_minor + number,
            document={"record_type": "customer", "record": to_json(RECORD), "narrative": f"{prefix} {number}"},
            document_date=date(2026, 1, 15),
            accounting_date=date(2026, 1, 15),
            correlation_id="cor-1",
            change=cause,
            lane=f"{prefix}:{number % lanes if lanes else number}",
            status=status,
            next_action_at=AT,
            source_ts=AT,
            **values,
        )
        for number in range(count)
    ]
    with recording("test"):
        Posting.objects.bulk_create(rows)
    wake(connection, {row.lane for row in rows})
    return rows


def wake(connection: Connection, keys: set[str]) -> None:
    """Make lanes due now."""
    Lane.objects.bulk_create([Lane(connection=connection, key=key) for key in sorted(keys)], ignore_conflicts=True)
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE posting_lane_head SET next_action_at = now() WHERE connection_id = %s AND key = ANY(%s)",
            [connection.pk, sorted(keys)],
        )


def need(posting: Posting, role: str, of: Posting) -> Need:
    """Let one posting wait for another."""
    return Need.objects.create(posting=posting, role=role, doc_type=of.doc_type, business_key=of.business_key)


def refuse(posting: Posting) -> None:
    """Let the simulated ERP refuse a posting for ever: its text asks for it."""
    with recording("test"):
        posting.document["narrative"] = "refuse"
        posting.save(update_fields=["document"])
