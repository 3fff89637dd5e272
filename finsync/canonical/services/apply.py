"""Applying facts: lanes are claimed and written together, each decided in order; a poisoned lane stops only itself."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from django.db import connection, transaction
from django.utils import timezone

from exceptions_queue.services import Subject, clear_subject, raise_case
from finsync.audit.services import recording
from finsync.canonical.models import Aggregate, CanonicalChange, Fact, FactWait, FetchWish, SourceAlias
from finsync.canonical.services.entities import write_entities
from finsync.canonical.services.facts import wake, wish
from finsync.core.lifecycle import FactState
from finsync.core.records import Record, Requirement, from_json
from finsync.core.sequencing import Verdict, VersionKind, decide
from finsync.kit.bulk import copy_in

logger = logging.getLogger(__name__)

FACTS_PER_LANE_MAX = 100  # per claim; a hot lane gives way to the others
FAILURES_MAX = 5
BACKOFF_SECONDS = 5
# A held lane is normally woken by what it waits for. What arrives while the lane is being parked cannot wake it yet, so
# it also looks again by itself: soon at first, then after as long as it has waited already.
HELD_RECHECK_SECONDS_MIN, HELD_RECHECK_SECONDS_MAX = 5, 900

CLAIM = """
SELECT key FROM aggregate
 WHERE next_action_at <= clock_timestamp() AND next_action_at IS NOT NULL AND NOT blocked
 ORDER BY next_action_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
# A hot lane of a million facts costs no more than the few a pass takes of it.
WAITING = """
SELECT f.id FROM unnest(%s::text[]) AS lane(key)
 CROSS JOIN LATERAL (SELECT id FROM fact WHERE aggregate_key = lane.key AND state IN ('PENDING', 'HELD')
                      ORDER BY aggregate_key, ordinal, id LIMIT %s) f
"""
DECIDED = """
UPDATE fact f SET state = new.state, explanation = new.explanation, held_since = new.held_since,
       decided_at = new.decided_at
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS new(id, state, explanation, held_since, decided_at) WHERE f.id = new.id
"""
LANES = """
UPDATE aggregate a SET ordinal = new.ordinal, content_hash = new.content_hash, next_action_at = new.next_action_at,
       failures = 0
  FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::timestamptz[])
    AS new(key, ordinal, content_hash, next_action_at) WHERE a.key = new.key
"""
NEWEST_CHANGES = """
SELECT w.key, c.id FROM unnest(%s::text[]) AS w(key)
 CROSS JOIN LATERAL (SELECT id FROM canonical_change WHERE aggregate_key = w.key ORDER BY id DESC LIMIT 1) c
"""
MET_WAITS = """
DELETE FROM fact_wait w USING unnest(%s::text[], %s::bigint[]) AS now(key, ordinal), fact f
 WHERE w.aggregate_key = now.key AND w.ordinal <= now.ordinal AND f.id = w.fact_id
RETURNING f.aggregate_key, w.aggregate_key
"""
# Dependencies first inside one claim, so that a customer and its invoice need one pass, not two.
ORDER_OF_KINDS = ("customer", "contract", "subscription", "invoice", "payment", "payment_application", "schedule")
# Aggregate key prefix -> record type as connectors fetch it; documents are pushed by their source, not fetched by key.
PARENT_ADDRESS = {"customer": "customer", "contract": "contract_version"}


def apply_due(lanes: int = 200) -> int:
    """Apply the waiting facts of up to ``lanes`` due lanes; returns how many facts were decided."""
    with recording("system:apply"):
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [lanes])
            keys = [row[0] for row in cursor.fetchall()]
        return _apply(sorted(keys, key=lambda key: (_kind(key), key))) if keys else 0


def _kind(key: str) -> int:
    kind = key.split(":", 1)[0]
    return ORDER_OF_KINDS.index(kind) if kind in ORDER_OF_KINDS else len(ORDER_OF_KINDS)


def _apply(keys: Sequence[str]) -> int:
    """Work through lanes inside one savepoint. If that fails, each half alone, down to the lane that is at fault."""
    work = _Pass(keys)
    try:
        with transaction.atomic():
            return work.run()
    except Exception as error:
        if len(keys) == 1:
            logger.exception("lane %s could not be applied", keys[0])
            _count_failure(keys[0], work.at_fault, error)
            return 0
    middle = len(keys) // 2
    return _apply(keys[:middle]) + _apply(keys[middle:])


class _Pass:
    """The work of one savepoint: lanes, their waiting facts in order, and the rows that are still to be written."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self.lanes: dict[str, Aggregate] = {}
        self.waiting: dict[str, list[tuple[Fact, Record]]] = defaultdict(list)
        self.known: dict[str, int] = {}  # ordinals of the aggregates these facts need
        self.newest: dict[str, int] = {}  # change by lane
        self.at_fault: Fact | None = None  # what was being read or decided, where a pass of one lane fails
        self._forget()

    def _forget(self) -> None:
        self.decided: list[Fact] = []
        self.applied: list[tuple[Record, CanonicalChange]] = []
        self.waits: list[FactWait] = []
        self.wishes: list[FetchWish] = []

    def run(self) -> int:
        """Take the first fact of every lane, then the second, kind by kind; returns how many were decided."""
        self._load()
        count = 0
        for _, group in groupby(self.keys, key=_kind):
            keys = list(group)
            for place in range(max(len(self.waiting[key]) for key in keys)):
                for key in keys:
                    if place < len(self.waiting[key]):
                        count += self._decide(self.lanes[key], *self.waiting[key][place])
                self._write()
            self._leave(keys)
        return count

    def _load(self) -> None:
        self.lanes = Aggregate.objects.in_bulk(self.keys)
        for lane in self.lanes.values():
            lane.next_action_at = None
        with connection.cursor() as cursor:
            cursor.execute(WAITING, [list(self.keys), FACTS_PER_LANE_MAX + 1])
            ids = [row[0] for row in cursor.fetchall()]
        needed = set()
        for fact in Fact.objects.filter(pk__in=ids).order_by("aggregate_id", "ordinal", "id"):
            if len(self.waiting[fact.aggregate_id]) == FACTS_PER_LANE_MAX:
                self.lanes[fact.aggregate_id].next_action_at = timezone.now()
                continue
            self.at_fault = fact
            record = from_json(fact.record_type, fact.record)
            self.waiting[fact.aggregate_id].append((fact, record))
            needed.update(requirement.aggregate_key for requirement in record.requires)
        known = Aggregate.objects.filter(key__in=needed, ordinal__isnull=False)
        self.known = dict(known.values_list("key", "ordinal"))
        with connection.cursor() as cursor:
            cursor.execute(NEWEST_CHANGES, [list(self.waiting)])
            self.newest = dict(cursor.fetchall())

    def _decide(self, lane: Aggregate, fact: Fact, record: Record) -> int:
        self.at_fault = fact
        missing = [need for need in record.requires if self.known.get(need.aggregate_key, -1) < need.ordinal]
        if missing and (lane.ordinal is None or fact.ordinal > lane.ordinal):
            self._hold(lane, fact, missing, record)
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
                self._apply(lane, fact, record)
            case Verdict.DUPLICATE:
                self._finish(fact, FactState.DUPLICATE)
            case Verdict.STALE:
                self._finish(fact, FactState.STALE)
            case Verdict.GAP:
                self._park(lane, fact, decision.explanation, [Requirement(lane.key, fact.ordinal - 1)])
                self._ask_again(lane, fact, record)
                return 0
            case Verdict.REFETCH:
                self._park(lane, fact, decision.explanation, [])
                self._ask_again(lane, fact, record)
                return 0
            case Verdict.CONFLICT:
                self._finish(fact, FactState.CONFLICT)
                what = {"connection": fact.source_system, "aggregate": lane.key, "version": fact.ordinal}
                _raise(fact, "ING_VERSION_CONFLICT", what, decision.explanation)
                self._ask_again(lane, fact, record)
        return 1

    def _apply(self, lane: Aggregate, fact: Fact, record: Record) -> None:
        change = CanonicalChange(
            aggregate=lane,
            record_type=fact.record_type,
            business_key=record.business_key,
            entity=getattr(record, "entity", ""),
            ordinal=fact.ordinal,
            content_hash=fact.content_hash,
            record=fact.record,
            fact=fact,
            supersedes_id=self.newest.get(lane.key),
            correlation_id=record.lineage.correlation_id,
            origin=fact.origin,
            source_ts=record.lineage.source_ts,
            explanation=fact.explanation,
        )
        self.applied.append((record, change))
        lane.ordinal, lane.content_hash = fact.ordinal, fact.content_hash
        self.known[lane.key] = fact.ordinal
        self._finish(fact, FactState.APPLIED)
        if fact.held_since is not None:
            clear_subject("fact", fact.pk, evidence="what it waited for has arrived")

    def _finish(self, fact: Fact, state: FactState) -> None:
        fact.state, fact.decided_at = state, timezone.now()
        self.decided.append(fact)

    def _hold(self, lane: Aggregate, fact: Fact, missing: Sequence[Requirement], record: Record) -> None:
        names = ", ".join(f"{r.aggregate_key} version {r.ordinal}" if r.ordinal else r.aggregate_key for r in missing)
        self._park(lane, fact, f"waits for {names}", missing)
        for need in missing:
            kind, _, rest = need.aggregate_key.partition(":")
            if kind in PARENT_ADDRESS:
                why = f"{record.business_key} waits for {need.aggregate_key}"
                source_id = rest.rsplit(":", 1)[-1]
                self.wishes.append(wish(PARENT_ADDRESS[kind], source_id, aggregate_key=need.aggregate_key, reason=why))

    def _park(self, lane: Aggregate, fact: Fact, why: str, needs: Sequence[Requirement]) -> None:
        now = timezone.now()
        fact.state, fact.explanation, fact.held_since = FactState.HELD, why, fact.held_since or now
        self.decided.append(fact)
        self.waits += [FactWait(fact=fact, aggregate_key=need.aggregate_key, ordinal=need.ordinal) for need in needs]
        waited = (now - fact.held_since).total_seconds()
        pause = min(max(waited, HELD_RECHECK_SECONDS_MIN), HELD_RECHECK_SECONDS_MAX)
        lane.next_action_at = lane.next_action_at or now + timedelta(seconds=pause)

    def _ask_again(self, lane: Aggregate, fact: Fact, record: Record) -> None:
        source_id = record.lineage.source_id
        if record.record_type == "contract_version":
            source_id = getattr(record, "contract_number", "")  # as connectors.contract ``fetch`` wants it
        why, system = fact.explanation, fact.source_system
        self.wishes.append(wish(record.record_type, source_id, system=system, aggregate_key=lane.key, reason=why))

    def _write(self) -> None:
        """Write what one step decided: at most one fact per lane, so every table takes one statement."""
        changes = [change for _, change in self.applied]
        copy_in(changes)
        self.newest.update({change.aggregate_id: change.pk for change in changes})
        write_entities(self.applied)
        with connection.cursor() as cursor:
            columns = ("id", "state", "explanation", "held_since", "decided_at")
            cursor.execute(DECIDED, [[getattr(fact, name) for fact in self.decided] for name in columns])
        FactWait.objects.filter(fact__in=[fact for fact in self.decided if fact.state == FactState.HELD]).delete()
        FactWait.objects.bulk_create(self.waits, ignore_conflicts=True)
        FetchWish.objects.bulk_create(self.wishes, ignore_conflicts=True)
        SourceAlias.objects.bulk_create(map(_alias, self.applied), ignore_conflicts=True)
        self._forget()

    def _leave(self, keys: Sequence[str]) -> None:
        """Write the lanes of one kind back, then wake whoever waited for them."""
        lanes = [self.lanes[key] for key in keys]
        with connection.cursor() as cursor:
            columns = ("key", "ordinal", "content_hash", "next_action_at")
            cursor.execute(LANES, [[getattr(lane, name) for lane in lanes] for name in columns])
            moved = [lane for lane in lanes if lane.key in self.known]
            cursor.execute(MET_WAITS, [[lane.key for lane in moved], [lane.ordinal for lane in moved]])
            waiters = {waiter for waiter, met in cursor.fetchall() if waiter != met}
        if waiters:
            wake(sorted(waiters))


def _alias(applied: tuple[Record, CanonicalChange]) -> SourceAlias:
    lineage = applied[0].lineage
    return SourceAlias(
        system=lineage.system, object=lineage.object, source_id=lineage.source_id, aggregate_key=applied[1].aggregate_id
    )


def _count_failure(key: str, fact: Fact | None, error: Exception) -> None:
    lane = Aggregate.objects.get(key=key)
    lane.failures += 1
    if lane.failures < FAILURES_MAX:
        lane.next_action_at = timezone.now() + timedelta(seconds=BACKOFF_SECONDS * 2**lane.failures)
        lane.save()
        return
    lane.blocked, lane.blocked_reason, lane.next_action_at = True, repr(error)[:500], None
    lane.save()
    if fact is not None:
        fresh = Fact.objects.get(pk=fact.pk)
        fresh.explanation = repr(error)[:500]
        _move(fresh, FactState.QUARANTINED)
        _raise(fresh, "ING_DLQ", {"connection": fresh.source_system, "error": repr(error)}, repr(error))


def _move(fact: Fact, state: FactState) -> None:
    fact.state, fact.decided_at = state, timezone.now()
    fact.save(update_fields=["state", "decided_at", "explanation"])


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
            _move(fact, FactState.PENDING)
        Aggregate.objects.filter(pk=fact.aggregate_id).update(
            blocked=False, blocked_reason="", failures=0, next_action_at=timezone.now()
        )
    return f"{fact.aggregate_id} is applied again"
