"""Reading letters: raw bytes to facts, by the connector's pure function."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connectors.contract import Connector, Ignored, NeedsFetch, Normalised, RawItem, Unreadable
from connectors.models import Connection, InboxMessage
from connectors.registry import connect
from exceptions_queue.services import Subject, clear_subject, raise_case
from finsync.audit.services import recording
from finsync.canonical.services.facts import Statement, storable, store_facts, wish_fetch
from finsync.core.lifecycle import InboxState

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
BACKOFF_SECONDS = 10
REASON_CHARACTERS_MAX = 1_000

SETTLE = """
UPDATE inbox_message m SET state = new.state, next_action_at = new.next_action_at, attempts = new.attempts,
       reason_code = new.reason_code, reason = new.reason, processed_at = new.processed_at
  FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[], %s::text[], %s::text[], %s::timestamptz[])
    AS new(id, state, next_action_at, attempts, reason_code, reason, processed_at)
 WHERE m.id = new.id
"""

CLAIM = """
SELECT id FROM inbox_message
 WHERE next_action_at <= clock_timestamp() AND state IN ('RECEIVED', 'NORMALISED', 'IGNORED')
   AND next_action_at IS NOT NULL
 ORDER BY next_action_at, id LIMIT %s FOR UPDATE SKIP LOCKED
"""


def normalise_due(batch: int = 200) -> int:
    """Read up to ``batch`` due letters; returns how many. Safe in parallel: letters are claimed with SKIP LOCKED."""
    with recording("system:normalise"):
        with database.cursor() as cursor:
            cursor.execute(CLAIM, [batch])
            ids = [row[0] for row in cursor.fetchall()]
        messages = list(InboxMessage.objects.filter(pk__in=ids).prefetch_related("connection").order_by("id"))
        _read(messages)
    return len(messages)


def _read(messages: Sequence[InboxMessage]) -> None:
    statements: list[Statement] = []
    readers = {owner.pk: connect(owner) for owner in {message.connection for message in messages}}
    for message in messages:
        message.was = message.state
        try:
            statements.extend(_read_one(message, readers[message.connection_id]))
        except Exception as error:  # a bug in one reader must not stop the letters behind it
            logger.exception("letter %s of %s could not be read", message.pk, message.connection.name)
            _try_again(message, error)
    store_facts(statements)
    _write(messages)


def _read_one(message: InboxMessage, reader: Connector) -> list[Statement]:
    """Return what one letter states. Reading is pure; what else it makes (a case, a wish) is written in a savepoint."""
    result = reader.normalise(
        RawItem(event_id=message.event_id, object=message.object, body=bytes(message.body), source_ts=message.source_ts)
    )
    if isinstance(result, Normalised):
        unstorable = next((record for record in result.records if not storable(record)), None)
        if unstorable is not None:
            what = f"{unstorable.record_type} carries characters no database text may hold"
            result = Unreadable(code="ING_UNREADABLE", path="", detail=what)
        elif not message.replays:
            return _settle(message, result)
    with transaction.atomic():
        return _settle(message, result)


def _write(messages: Sequence[InboxMessage]) -> None:
    columns = ("id", "state", "next_action_at", "attempts", "reason_code", "reason", "processed_at")
    with database.cursor() as cursor:
        cursor.execute(SETTLE, [[getattr(message, name) for message in messages] for name in columns])


def _settle(message: InboxMessage, result: Normalised | Ignored | NeedsFetch | Unreadable) -> list[Statement]:
    """Record what became of one letter and return the facts it states."""
    message.next_action_at, message.processed_at = None, timezone.now()
    message.reason_code, message.reason = "", ""
    if isinstance(result, Unreadable):
        _quarantine(message, result.code, f"{result.path}: {result.detail}" if result.path else result.detail)
        return []
    if message.replays:
        clear_subject("inbox", message.pk, evidence="read after a replay")
    if isinstance(result, Ignored):
        message.state, message.reason = InboxState.IGNORED, result.reason[:REASON_CHARACTERS_MAX]
        return []
    message.state = InboxState.NORMALISED
    if isinstance(result, NeedsFetch):
        message.reason = f"a hint: {result.reason}"[:REASON_CHARACTERS_MAX]
        wish_fetch(
            result.object, result.source_id, system=message.connection.name, aggregate_key="", reason=result.reason
        )
        return []
    roles = tuple(message.connection.roles)
    return [Statement(record=record, origin=message.pk, roles=roles) for record in result.records]


def _try_again(message: InboxMessage, error: Exception) -> None:
    message.attempts += 1
    message.reason = repr(error)[:REASON_CHARACTERS_MAX]
    if message.attempts >= ATTEMPTS_MAX:
        message.next_action_at, message.processed_at = None, timezone.now()
        _quarantine(message, "ING_DLQ", repr(error))
    else:
        message.next_action_at = timezone.now() + timedelta(seconds=BACKOFF_SECONDS * 2**message.attempts)


def _quarantine(message: InboxMessage, code: str, detail: str) -> None:
    if message.was == InboxState.RECEIVED:  # a letter understood before stays so, whatever a replay makes of it
        message.state = InboxState.QUARANTINED
    message.reason_code = code
    message.reason = detail[:REASON_CHARACTERS_MAX]
    connection: Connection = message.connection
    by_code = {
        "ING_UNREADABLE": {"connection": connection.name, "message": message.event_id},
        "ING_TRUNCATED_PAYLOAD": {"connection": connection.name, "aggregate": message.event_id},
    }
    raise_case(
        code,
        dimensions=by_code.get(code, {"connection": connection.name, "error": f"{message.object}: {detail}"}),
        subject=Subject(type="inbox", id=message.pk, business_key=message.event_id, detail=detail),
        source=connection.name,
        facts={"object": message.object},
    )
