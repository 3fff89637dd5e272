"""Facts come in: each statement once, its lane woken; and wishes for what is missing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from finsync.canonical.models import Aggregate, Fact, FetchWish
from finsync.core.lifecycle import FactState
from finsync.core.ownership import owns
from finsync.core.records import Record, fact_hash, to_json

FETCH_GRACE_SECONDS = 3  # what is missing is often just behind; ask for it only after this

WAKE = """
INSERT INTO aggregate (key, record_type, content_hash, failures, blocked, blocked_reason, next_action_at)
SELECT key, record_type, '', 0, false, '', clock_timestamp()
  FROM unnest(%s::text[], %s::text[]) AS new(key, record_type)
 ORDER BY key
ON CONFLICT (key) DO UPDATE SET next_action_at = least(aggregate.next_action_at, excluded.next_action_at)
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One record as one connection stated it. ``origin`` is the letter's id, ``roles`` what the connection is to us."""

    record: Record
    origin: int
    roles: tuple[str, ...]


def storable(record: Record) -> bool:
    """Whether PostgreSQL can hold the record: no NUL and no lone surrogate in any text."""
    text = json.dumps(to_json(record), ensure_ascii=False)
    if "\\u0000" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def store_facts(statements: Sequence[Statement]) -> None:
    """Keep facts and wake their lanes. A fact already known is recognised by its key, ordinal and content."""
    if not statements:
        return
    lanes = sorted({(s.record.aggregate_key, s.record.record_type) for s in statements})
    with connection.cursor() as cursor:
        cursor.execute(WAKE, [[key for key, _ in lanes], [kind for _, kind in lanes]])
    Fact.objects.bulk_create([_fact(statement) for statement in statements], ignore_conflicts=True)


def _fact(statement: Statement) -> Fact:
    record, lineage = statement.record, statement.record.lineage
    mine = owns(record.record_type, statement.roles)
    return Fact(
        aggregate_id=record.aggregate_key,
        record_type=record.record_type,
        source_system=lineage.system,
        ordinal=lineage.ordinal,
        version_kind=lineage.version_kind,
        content_hash=fact_hash(record),
        record=to_json(record),
        origin=statement.origin,
        state=FactState.PENDING if mine else FactState.STALE,
        explanation=""
        if mine
        else f"{lineage.system} is not the system of record for {record.record_type}; kept, not applied",
    )


def wish_fetch(record_type: str, source_id: str, *, aggregate_key: str, reason: str, system: str = "") -> None:
    """Ask the doors to fetch something from its source; a wish that is already open is not repeated."""
    made = wish(record_type, source_id, aggregate_key=aggregate_key, reason=reason, system=system)
    FetchWish.objects.bulk_create([made], ignore_conflicts=True)


def wish(record_type: str, source_id: str, *, aggregate_key: str, reason: str, system: str = "") -> FetchWish:
    """Return a wish that is not written yet; see ``wish_fetch``."""
    return FetchWish(
        record_type=record_type,
        source_id=source_id,
        system=system,
        aggregate_key=aggregate_key,
        reason=reason,
        next_action_at=timezone.now() + timedelta(seconds=FETCH_GRACE_SECONDS),
    )


def wake(keys: Sequence[str]) -> None:
    """Make lanes due now."""
    Aggregate.objects.filter(key__in=keys, blocked=False).update(next_action_at=timezone.now())
