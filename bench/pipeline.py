"""From a kept letter to a posting that may go, by one process, beside a loop that only claims, parses and updates."""

import itertools
import json
from collections.abc import Callable

from django.db import connection, transaction

from bench.figures import Figure, Scale, paired, per_second
from bench.letters import invoice_letters, parties
from connectors.models import Connection
from connectors.models.inbox import Channel
from connectors.services.inbox import Letter, keep_all
from connectors.services.normalise import normalise_due
from finsync.audit.services import recording
from finsync.canonical.services.apply import apply_due
from finsync.canonical.services.facts import Statement, store_facts
from finsync.posting.models import Posting
from finsync.posting.services.plan import plan_due
from finsync.posting.services.release import release_due

BARE_BATCH = 500
ONE_BY_ONE_SHARE = 20  # one event at a time is so slow that a twentieth of the letters will do
STAGES: tuple[Callable[..., int], ...] = (normalise_due, apply_due, plan_due, release_due)

BARE_CLAIM = """
SELECT id, body FROM inbox_message WHERE state = 'RECEIVED' AND next_action_at <= clock_timestamp()
 ORDER BY next_action_at, id LIMIT %s FOR UPDATE SKIP LOCKED
"""
BARE_DONE = """
UPDATE inbox_message m SET state = 'NORMALISED', next_action_at = NULL, processed_at = clock_timestamp(),
       reason = new.kind
  FROM unnest(%s::bigint[], %s::text[]) AS new(id, kind) WHERE m.id = new.id
"""

_numbers = itertools.count(1)


def measure(scale: Scale, say: Callable[[str], None]) -> list[Figure]:
    """Return both figures of the pipeline."""
    company_is_known()
    say(f"pipeline: {scale.events} invoices a round")
    ours = lambda: _ready(scale.events)  # noqa: E731
    ours()  # the first letters pay for imports and plans
    against_loop = paired(
        scale.rounds, ours, lambda: _bare(scale.events), unit="events/s", reach=0.25,
        job="pipeline, event received to posting ready, one process",
        against="a bare loop that claims, parses and bulk-updates the same rows",
    )  # fmt: skip
    say("pipeline: one transaction per event and stage")
    few = max(scale.events // ONE_BY_ONE_SHARE, 20)
    against_one = paired(
        scale.rounds, ours, lambda: _one_by_one(few), unit="events/s", reach=10,
        job="pipeline in batches",
        against="one task per event (the same stages with batches of one; the broker's own cost is left out)",
    )  # fmt: skip
    return [against_loop, against_one]


def company_is_known() -> None:
    """Apply and plan the customers and contracts, and let the ERP have taken the customers."""
    roles = ("crm",)
    with recording("system:bench"):
        store_facts([Statement(record=record, origin=1, roles=roles) for record in parties()])
    for stage in STAGES[1:]:
        while stage():
            pass
    with recording("system:bench"), connection.cursor() as cursor:
        for change in (
            "status = 'READY'",
            "status = 'SENDING', sends = 1, lease_owner = 'bench', lease_until = now()",
            "status = 'POSTED', lease_owner = NULL, lease_until = NULL, erp_document_id = id::text, posted_at = now()",
        ):
            cursor.execute(f"UPDATE posting SET {change} WHERE doc_type = 'customer' AND status <> 'POSTED'")  # noqa: S608


def deliver(count: int) -> None:
    """Keep ``count`` new letters, as a webhook does."""
    owner = Connection.objects.get(name="stripe").pk
    with recording("system:bench"):
        keep_all(
            Letter(
                connection_id=owner,
                channel=Channel.WEBHOOK,
                event_id=event_id,
                object="invoice.finalized",
                headers={},
                body=body,
            )
            for event_id, body in invoice_letters(count, next(_numbers) * 100_000)
        )


def _ready(count: int) -> float:
    before = Posting.objects.filter(status="READY", doc_type="invoice").count()
    deliver(count)
    rate = per_second(count, _drain)
    reached = Posting.objects.filter(status="READY", doc_type="invoice").count() - before
    assert reached == count, f"{reached} of {count} postings became ready"
    return rate


def _drain() -> None:
    for stage in STAGES:
        while stage():
            pass


def _one_by_one(count: int) -> float:
    deliver(count)

    def work() -> None:
        for _ in range(count):
            for stage in STAGES:
                assert stage(1) == 1

    return per_second(count, work)


def _bare(count: int) -> float:
    deliver(count)
    return per_second(count, _bare_loop)


def _bare_loop() -> None:
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(BARE_CLAIM, [BARE_BATCH])
            rows = cursor.fetchall()
            if not rows:
                return
            kinds = [json.loads(bytes(body))["type"] for _, body in rows]
            cursor.execute(BARE_DONE, [[number for number, _ in rows], kinds])
