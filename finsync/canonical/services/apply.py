"""Applying facts lane by lane: decide, then write; one poisoned lane stops only itself."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from exceptions_queue.services import Subject, clear_subject, raise_case
from finsync.audit.services import recording
from finsync.canonical.models import Aggregate, CanonicalChange, Fact, FactWait, SourceAlias
from finsync.canonical.services.entities import write_entity
from finsync.canonical.services.facts import wake, wish_fetch
from finsync.core.lifecycle import FactState
from finsync.core.records import Record, Requirement, from_json
from finsync.core.sequencing import Decision, Verdict, VersionKind, decide

logger = logging.getLogger(__name__)

FACTS_PER_LANE_MAX = 100  # per claim; a hot lane gives way to the others
FAILURES_MAX = 5
BACKOFF_SECONDS = 5
HELD_RECHECK_SECONDS = 900  # a held lane is normally woken by what it waits for; this is the safety net

CLAIM = """
SELECT key FROM aggregate
 WHERE next_action_at <= clock_timestamp() AND next_action_at IS NOT NULL AND NOT blocked
 ORDER BY next_action_at LIMIT %s FOR UPDATE SKIP LOCKED
"""


def apply_due(lanes: int = 100) -> int:
    """Apply the waiting facts of up to ``lanes`` due lanes; returns how many facts were decided."""
    with recording("system:apply"):
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [lanes])
            keys = [row[0] for row in cursor.fetchall()]
        if not keys:
            return 0
        waiting: dict[str, list[Fact]] = defaultdict(list)
        for fact in Fact.objects.filter(aggregate_id__in=keys, state__in=(FactState.PENDING, FactState.HELD)).order_by(
            "aggregate_id", "ordinal", "id"
        ):
            waiting[fact.aggregate_id].append(fact)
        lane_rows = Aggregate.objects.in_bulk(keys)
        # Dependencies first inside one claim, so that a customer and its invoice need one pass, not two.
        return sum(_apply_lane(lane_rows[key], waiting[key]) for key in sorted(keys, key=_precedence))


def _precedence(key: str) -> tuple[int, str]:
    order = ("customer", "contract", "subscription", "invoice", "payment", "payment_application", "schedule")
    kind = key.split(":", 1)[0]
    return (order.index(kind) if kind in order else len(order), key)


def _apply_lane(lane: Aggregate, facts: Sequence[Fact]) -> int:
    """Work through one lane inside a savepoint. A failure is counted on the lane and nothing of it is written."""
    decided = 0
    lane.next_action_at = None
    batch = facts[:FACTS_PER_LANE_MAX]
    try:
        with transaction.atomic():
            for fact in batch:
                decided += _decide_one(lane, fact)
            lane.failures = 0
    except Exception as error:
        logger.exception("lane %s could not be applied", lane.key)
        lane.refresh_from_db(fields=["ordinal", "content_hash"])
        _count_failure(lane, batch, error)
        decided = 0
    if len(facts) > len(batch):
        lane.next_action_at = timezone.now()
    lane.save()
    return decided


def _decide_one(lane: Aggregate, fact: Fact) -> int:
    record = from_json(fact.record_type, fact.record)
    missing = _missing(record.requires)
    if missing and (lane.ordinal is None or fact.ordinal > lane.ordinal):
        _hold(lane, fact, missing, record)
        return 0
    decision = decide(
        VersionKind(fact.version_kind),
        current_ordinal=lane.ordinal,
        current_hash=lane.content_hash or None,
        ordinal=fact.ordinal,
        content_hash=fact.content_hash,
    )
    fact.explanation = decision.explanation
    if decision.advances_to is not None:
        lane.ordinal = decision.advances_to
    match decision.verdict:
        case Verdict.APPLY:
            _apply(lane, fact, record)
        case Verdict.DUPLICATE:
            _finish(fact, FactState.DUPLICATE)
        case Verdict.STALE:
            _finish(fact, FactState.STALE)
        case Verdict.GAP:
            _hold_for_gap(lane, fact, record, decision)
            return 0
        case Verdict.REFETCH:
            _hold_for_refetch(lane, fact, record)
            return 0
        case Verdict.CONFLICT:
            _finish(fact, FactState.CONFLICT)
            _raise(
                fact,
                "ING_VERSION_CONFLICT",
                {"connection": fact.source_system, "aggregate": lane.key, "version": fact.ordinal},
                decision.explanation,
            )
            wish_fetch(
                *_fetch_address(record), system=fact.source_system, aggregate_key=lane.key, reason=decision.explanation
            )
    return 1


def _apply(lane: Aggregate, fact: Fact, record: Record) -> None:
    lineage = record.lineage
    previous = lane.changes.order_by("-id").first()
    change = CanonicalChange.objects.create(
        aggregate=lane,
        record_type=fact.record_type,
        business_key=record.business_key,
        entity=getattr(record, "entity", ""),
        ordinal=fact.ordinal,
        content_hash=fact.content_hash,
        record=fact.record,
        fact=fact,
        supersedes=previous,
        correlation_id=lineage.correlation_id,
        origin=fact.origin,
        source_ts=lineage.source_ts,
        explanation=fact.explanation,
    )
    write_entity(record, change)
    SourceAlias.objects.bulk_create(
        [
            SourceAlias(
                system=lineage.system, object=lineage.object, source_id=lineage.source_id, aggregate_key=lane.key
            )
        ],
        ignore_conflicts=True,
    )
    lane.ordinal, lane.content_hash = fact.ordinal, fact.content_hash
    was_held = fact.held_since is not None
    _finish(fact, FactState.APPLIED)
    if was_held:
        clear_subject("fact", fact.pk, evidence="what it waited for has arrived")
    _release_waiters(lane)


def _finish(fact: Fact, state: FactState) -> None:
    fact.state, fact.decided_at = state, timezone.now()
    fact.save(update_fields=["state", "decided_at", "explanation"])


def _missing(requirements: Sequence[Requirement]) -> list[Requirement]:
    if not requirements:
        return []
    known = dict(
        Aggregate.objects.filter(key__in=[r.aggregate_key for r in requirements], ordinal__isnull=False).values_list(
            "key", "ordinal"
        )
    )
    return [r for r in requirements if r.aggregate_key not in known or known[r.aggregate_key] < r.ordinal]


def _hold(lane: Aggregate, fact: Fact, missing: Sequence[Requirement], record: Record) -> None:
    names = ", ".join(f"{r.aggregate_key} version {r.ordinal}" if r.ordinal else r.aggregate_key for r in missing)
    _park(lane, fact, f"waits for {names}", missing)
    for requirement in missing:
        kind, _, rest = requirement.aggregate_key.partition(":")
        address = _PARENT_ADDRESS.get(kind)
        if address is not None:
            wish_fetch(
                address,
                rest.rsplit(":", 1)[-1],
                aggregate_key=requirement.aggregate_key,
                reason=f"{record.business_key} waits for {requirement.aggregate_key}",
            )


# Aggregate key prefix -> record type as connectors fetch it; documents are pushed by their source and not fetched by key.
_PARENT_ADDRESS = {"customer": "customer", "contract": "contract_version"}


def _hold_for_gap(lane: Aggregate, fact: Fact, record: Record, decision: Decision) -> None:
    before = Requirement(lane.key, fact.ordinal - 1)
    _park(lane, fact, decision.explanation, [before])
    wish_fetch(*_fetch_address(record), system=fact.source_system, aggregate_key=lane.key, reason=decision.explanation)


def _hold_for_refetch(lane: Aggregate, fact: Fact, record: Record) -> None:
    _park(lane, fact, fact.explanation, [])
    wish_fetch(*_fetch_address(record), system=fact.source_system, aggregate_key=lane.key, reason=fact.explanation)


def _fetch_address(record: Record) -> tuple[str, str]:
    """Record type and source id as connectors.contract ``fetch`` wants them."""
    number = getattr(record, "contract_number", "")
    if record.record_type == "contract_version":
        return record.record_type, number
    return record.record_type, record.lineage.source_id


def _park(lane: Aggregate, fact: Fact, why: str, waits: Sequence[Requirement]) -> None:
    now = timezone.now()
    fact.explanation, fact.held_since = why, fact.held_since or now
    fact.state = FactState.HELD
    fact.save(update_fields=["state", "explanation", "held_since"])
    FactWait.objects.filter(fact=fact).exclude(aggregate_key__in=[w.aggregate_key for w in waits]).delete()
    FactWait.objects.bulk_create(
        [FactWait(fact=fact, aggregate_key=w.aggregate_key, ordinal=w.ordinal) for w in waits], ignore_conflicts=True
    )
    lane.next_action_at = now + timedelta(seconds=HELD_RECHECK_SECONDS)


def _release_waiters(lane: Aggregate) -> None:
    waiting = FactWait.objects.filter(aggregate_key=lane.key, ordinal__lte=lane.ordinal)
    keys = list(waiting.exclude(fact__aggregate_id=lane.key).values_list("fact__aggregate_id", flat=True).distinct())
    waiting.delete()
    if keys:
        wake(keys)


def _count_failure(lane: Aggregate, batch: Sequence[Fact], error: Exception) -> None:
    lane.failures += 1
    head = next((fact for fact in batch if fact.state in (FactState.PENDING, FactState.HELD)), batch[0])
    if lane.failures < FAILURES_MAX:
        lane.next_action_at = timezone.now() + timedelta(seconds=BACKOFF_SECONDS * 2**lane.failures)
        return
    lane.blocked, lane.blocked_reason, lane.next_action_at = True, repr(error)[:500], None
    fresh = Fact.objects.get(pk=head.pk)
    fresh.explanation = repr(error)[:500]
    _finish(fresh, FactState.QUARANTINED)
    _raise(fresh, "ING_DLQ", {"connection": fresh.source_system, "error": repr(error)}, repr(error))


def _raise(fact: Fact, code: str, dimensions: dict[str, str | int], detail: str) -> None:
    raise_case(
        code,
        dimensions=dimensions,
        subject=Subject(type="fact", id=fact.pk, business_key=fact.aggregate_id, detail=detail),
        entity=str(fact.record.get("entity", "")),
        source=fact.source_system,
    )


def retry_fact(fact_id: int, actor: str) -> str:
    """Try a conflicting or quarantined fact again and unblock its lane. Returns what happens now."""
    with recording(actor):
        fact = Fact.objects.select_for_update().get(pk=fact_id)
        if fact.state in (FactState.QUARANTINED, FactState.CONFLICT):
            _finish(fact, FactState.PENDING)
        Aggregate.objects.filter(pk=fact.aggregate_id).update(
            blocked=False, blocked_reason="", failures=0, next_action_at=timezone.now()
        )
    return f"{fact.aggregate_id} is applied again"
