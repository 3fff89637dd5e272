"""Planning: applied changes become postings, held until they may go. One change, one pass, nothing sent."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connectors.capabilities import Lane as LaneRule
from connectors.models import Connection
from connectors.registry import connector_class
from exceptions_queue.services import Subject, raise_case
from finsync.audit.services import recording
from finsync.canonical.models import CanonicalChange
from finsync.canonical.selectors import customer_name
from finsync.core.keys import external_ref
from finsync.core.lifecycle import PostingState
from finsync.core.mapping.evaluate import Refused
from finsync.core.money import Money
from finsync.core.records import from_json, to_json
from finsync.kit.bulk import copy_in
from finsync.mappings.services import ActiveTables, active_tables
from finsync.posting.documents import Draft, plan_documents
from finsync.posting.models import Need, Posting
from finsync.posting.services.render import render

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
BACKOFF_SECONDS = 10

CLAIM = """
SELECT id FROM canonical_change WHERE next_action_at <= clock_timestamp() AND next_action_at IS NOT NULL
 ORDER BY next_action_at, id LIMIT %s FOR UPDATE SKIP LOCKED
"""
PLANNED = """
UPDATE canonical_change c SET plan_state = new.plan_state, plan_explanation = new.plan_explanation,
       next_action_at = new.next_action_at, plan_attempts = new.plan_attempts
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::int[])
    AS new(id, plan_state, plan_explanation, next_action_at, plan_attempts) WHERE c.id = new.id
"""


def plan_due(batch: int = 200) -> int:
    """Plan the documents of up to ``batch`` applied changes; returns how many changes were planned."""
    with recording("system:plan"):
        with database.cursor() as cursor:
            cursor.execute(CLAIM, [batch])
            ids = [row[0] for row in cursor.fetchall()]
        changes = list(CanonicalChange.objects.filter(pk__in=ids).order_by("pk"))
        if changes:
            _plan(changes, Targets(), active_tables())
            columns = ("id", "plan_state", "plan_explanation", "next_action_at", "plan_attempts")
            with database.cursor() as cursor:
                cursor.execute(PLANNED, [[getattr(change, name) for change in changes] for name in columns])
    return len(changes)


class Targets:
    """The connections documents can go to, read once per batch."""

    def __init__(self) -> None:
        self.connections = list(Connection.objects.order_by("pk"))

    def of(self, draft: Draft, source: str) -> list[Connection]:
        """Return who takes a draft: right role, right entity, able to post it, and not the system it came from."""
        return [
            connection
            for connection in self.connections
            if draft.role in connection.roles
            and (not connection.entities or draft.entity in connection.entities)
            and draft.doc_type in connector_class(connection.kind).capabilities.posts
            and connection.name != source
        ]


def _plan(changes: Sequence[CanonicalChange], targets: Targets, tables: ActiveTables) -> None:
    """Plan changes inside one savepoint. If that fails, each half alone, down to the change that is at fault."""
    try:
        with transaction.atomic():
            wanted: list[Wanted] = []
            for change in changes:
                wanted += _documents_of(change, targets)
            create_postings(wanted, tables)
    except Exception as error:
        if len(changes) > 1:
            middle = len(changes) // 2
            _plan(changes[:middle], targets, tables)
            _plan(changes[middle:], targets, tables)
        else:
            logger.exception("change %s could not be planned", changes[0].pk)
            _try_again(changes[0], error)


def _documents_of(change: CanonicalChange, targets: Targets) -> "list[Wanted]":
    record = from_json(change.record_type, change.record)
    plan = plan_documents(record)
    if plan.alarm:
        _alarm(change, plan.alarm, plan.explanation)
    wanted = [
        Wanted(draft, connection, change)
        for draft in plan.drafts
        for connection in targets.of(draft, record.lineage.system)
    ]
    change.next_action_at = None
    change.plan_state = "PLANNED" if wanted else "NOTHING"
    change.plan_explanation = plan.explanation
    return wanted


def _try_again(change: CanonicalChange, error: Exception) -> None:
    change.next_action_at, change.plan_state = None, "PENDING"
    change.plan_attempts += 1
    change.plan_explanation = repr(error)[:500]
    if change.plan_attempts >= ATTEMPTS_MAX:
        change.plan_state = "FAILED"
        _alarm(change, "ING_DLQ", repr(error))
    else:
        change.next_action_at = timezone.now() + timedelta(seconds=BACKOFF_SECONDS * 2**change.plan_attempts)


@dataclass(frozen=True)
class Wanted:
    """One document a change must make, and the connection that takes it."""

    draft: Draft
    connection: Connection
    change: CanonicalChange

    @property
    def key(self) -> tuple[int, str, str]:
        """What is unique per connection."""
        return self.connection.pk, str(self.draft.doc_type), self.draft.business_key


def create_posting(draft: Draft, connection: Connection, change: CanonicalChange, tables: ActiveTables) -> Posting:
    """Write one posting; see ``create_postings``."""
    return create_postings([Wanted(draft, connection, change)], tables)[0]


def create_postings(wanted: Sequence[Wanted], tables: ActiveTables) -> list[Posting]:
    """Write postings, HELD, with their needs and their journals where the mapping gives one; returns one per document.

    The business key is unique per connection: planned before with the same content is done; with another content
    it is a conflict for a person, because what was posted is final (house rule 4).
    """
    keys = {one.draft.business_key for one in wanted}
    known = {
        (posting.connection_id, posting.doc_type, posting.business_key): posting
        for posting in Posting.objects.filter(business_key__in=keys).defer("document").prefetch_related("connection")
    }
    new: dict[tuple[int, str, str], tuple[Posting, Draft, Refused | None]] = {}
    restated: list[tuple[Posting, Draft]] = []
    for one in wanted:
        if one.key not in known:
            posting = _new_posting(one)
            known[one.key] = posting
            new[one.key] = (posting, one.draft, render(posting, one.draft, tables))
        elif known[one.key].content_hash != one.draft.content_hash:
            restated.append((known[one.key], one.draft))
    _write(new.values())
    for posting, _, refusal in new.values():
        if refusal is not None:
            raise_mapping_case(posting, refusal)
    for posting, draft in restated:
        _content_changed(posting, draft)
    return [known[one.key] for one in wanted]


def _write(new: Collection[tuple[Posting, Draft, Refused | None]]) -> None:
    copy_in([posting for posting, _, _ in new])
    lines = []
    for posting, _, _ in new:
        for line in posting.prepared_lines or ():
            line.posting = posting
            lines.append(line)
        posting.prepared_lines = None
    copy_in(lines)
    copy_in([
        Need(posting=posting, role=need.role, doc_type=need.doc_type, business_key=need.business_key)
        for posting, draft, _ in new
        for need in draft.needs
    ])  # fmt: skip


def _new_posting(wanted: Wanted) -> Posting:
    draft, connection, change = wanted.draft, wanted.connection, wanted.change
    lane_rule = connector_class(connection.kind).capabilities.posts[draft.doc_type].lane
    return Posting(
        connection=connection,
        doc_type=draft.doc_type,
        business_key=draft.business_key,
        external_ref=external_ref(connection.name, draft.doc_type, draft.business_key),
        content_hash=draft.content_hash,
        entity=draft.entity,
        currency=draft.currency,
        amount_minor=draft.amount.minor if draft.amount is not None else None,
        document={
            "record_type": draft.record.record_type,
            "record": to_json(draft.record),
            "narrative": draft.narrative,
        },
        document_date=draft.document_date,
        accounting_date=draft.accounting_date,
        correlation_id=change.correlation_id,
        contract_number=draft.contract_number,
        contract_version=draft.contract_version,
        customer_key=draft.customer_key,
        change=change,
        lane=f"entity:{draft.entity}" if lane_rule is LaneRule.ENTITY else change.aggregate_id,
        status=PostingState.HELD,
        status_reason="planned",
        next_action_at=timezone.now(),
        not_before=draft.not_before,
        source_ts=change.source_ts,
    )


def raise_mapping_case(posting: Posting, refusal: Refused) -> None:
    """Put a document that no approved row covers on the desk, under the row that is missing."""
    if refusal.code == "ERP_UNBALANCED_JE":
        dimensions: dict[str, object] = {"event": refusal.mapping_set, "rule": str(refusal.inputs.get("rule", ""))}
    else:
        dimensions = {"mapping_set": refusal.mapping_set, "inputs": dict(refusal.inputs)}
    raise_case(
        refusal.code,
        dimensions=dimensions,  # type: ignore[arg-type]
        subject=subject_of(posting, refusal.detail),
        entity=posting.entity,
        source=posting.document["record"]["lineage"]["system"],
        target=posting.connection.name,
        customer=customer_name(posting.customer_key),
        title=_mapping_title(refusal),
        explanation=f"{refusal.detail}. The document waits; nothing was posted.",
        remedy=f"Propose the missing row of {refusal.mapping_set} and have it approved; the documents then follow.",
        facts={"mapping_set": refusal.mapping_set, "inputs": dict(refusal.inputs)},
    )


def _mapping_title(refusal: Refused) -> str:
    """Name the row in a line a person can act on; "" leaves the reason's own title."""
    values = ", ".join(str(value) for value in refusal.inputs.values() if value is not None)
    return f"{refusal.mapping_set} has no row for {values}" if refusal.code == "MAPPING_MISSING" and values else ""


def subject_of(posting: Posting, detail: str) -> Subject:
    """Return a posting as the desk sees it."""
    amount = Money(posting.amount_minor, posting.currency) if posting.amount_minor is not None else None
    return Subject(
        type="posting",
        id=posting.pk,
        business_key=posting.business_key,
        correlation_id=posting.correlation_id,
        amount=amount,
        detail=detail,
        facts={"doc_type": posting.doc_type, "contract": posting.contract_number},
    )


def _content_changed(existing: Posting, draft: Draft) -> None:
    if existing.amount_minor is None:
        return  # master data: a changed name is applied to the book; the target keeps its own copy for now
    amount = f"{Money(existing.amount_minor, existing.currency)} then, {draft.amount} now"
    raise_case(
        "ERP_CONTENT_MISMATCH",
        dimensions={"connection": existing.connection.name, "business_key": existing.business_key},
        subject=subject_of(existing, amount),
        entity=existing.entity,
        target=existing.connection.name,
        customer=customer_name(existing.customer_key),
        explanation=f"{draft.narrative} was stated again with another content ({amount}). What was posted stays; "
        "a correction is a reversal and a new document.",
    )


def _alarm(change: CanonicalChange, code: str, detail: str) -> None:
    by_code: dict[str, dict[str, str | int]] = {
        "ING_DLQ": {"connection": str(change.record["lineage"]["system"]), "error": detail},
        "BIL_VOID_AFTER_POST": {"document": change.business_key},
        "REV_ORPHAN_AFTER_CANCEL": {"contract": change.aggregate_id, "version": change.ordinal},
    }
    raise_case(
        code,
        dimensions=by_code[code],
        subject=Subject(
            type="change",
            id=change.pk,
            business_key=change.business_key,
            correlation_id=change.correlation_id,
            detail=detail,
        ),
        entity=change.entity,
        source=str(change.record["lineage"]["system"]),
        explanation=f"{change.business_key}: {detail}.",
    )


def wake_changes(ids: Sequence[int]) -> None:
    """Plan changes again: what exists is recognised, what is missing is made."""
    with recording():
        CanonicalChange.objects.filter(pk__in=ids).update(
            next_action_at=timezone.now(), plan_state="PENDING", plan_attempts=0
        )
