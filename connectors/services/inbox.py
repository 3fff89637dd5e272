"""Keeping letters: one way into the inbox for every channel."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection as database

from connectors.models import InboxMessage
from finsync.audit.services import recording
from finsync.core.keys import bytes_hash
from finsync.core.lifecycle import InboxState

EVENT_ID_CHARACTERS_MAX = 200
HEADER_CHARACTERS_MAX = 2_000
REDACTED_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})

INSERT = """
INSERT INTO inbox_message (connection_id, channel, event_id, object, headers, body, sha256, source_ts, deliveries)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::bytea[], %s::text[],
                     %s::timestamptz[], %s::int[])
ON CONFLICT (connection_id, event_id) DO UPDATE SET deliveries = inbox_message.deliveries
  + CASE excluded.channel WHEN 'webhook' THEN excluded.deliveries ELSE 0 END
RETURNING id, connection_id, event_id, (xmax = 0) AS fresh
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One letter to keep: bytes as received, headers redacted, the sender's id or the body's hash."""

    connection_id: int
    channel: str
    event_id: str
    object: str
    headers: Mapping[str, str]
    body: bytes
    source_ts: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a letter is kept, and whether it is new (False: delivered before)."""

    id: int
    fresh: bool


def clean(text: str, characters_max: int) -> str:
    """Return text PostgreSQL can hold: no NUL, no lone surrogates, bounded."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode()[:characters_max]


def readable_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers to keep: names in lower case, credentials redacted, values cleaned and bounded."""
    return {
        clean(name.lower(), 100): "(redacted)"
        if name.lower() in REDACTED_HEADERS
        else clean(value, HEADER_CHARACTERS_MAX)
        for name, value in headers.items()
    }


def keep(cursor: Any, letters: Sequence[Letter]) -> list[Kept]:
    """Store letters in one statement and return where each is, in the order given. The caller commits.

    ``cursor`` is any psycopg or Django cursor. A letter already kept counts another delivery where a webhook
    brought it; a poll re-reads by design and changes nothing.
    Letters are inserted in the order of their ids, so that two writers never wait for each other in a circle.
    """
    counts = Counter((letter.connection_id, letter.event_id) for letter in letters)
    firsts = {(letter.connection_id, letter.event_id): letter for letter in reversed(letters)}
    rows = [firsts[key] for key in sorted(firsts)]
    cursor.execute(
        INSERT,
        [
            [row.connection_id for row in rows],
            [row.channel for row in rows],
            [row.event_id for row in rows],
            [row.object for row in rows],
            [json.dumps(row.headers) for row in rows],
            [row.body for row in rows],
            [bytes_hash(row.body) for row in rows],
            [row.source_ts for row in rows],
            [counts[row.connection_id, row.event_id] for row in rows],
        ],
    )
    found = {(owner, event_id): (number, fresh) for number, owner, event_id, fresh in cursor.fetchall()}
    kept = []
    for letter in letters:
        key = (letter.connection_id, letter.event_id)
        number, fresh = found[key]
        kept.append(Kept(number, fresh and letter is firsts[key]))
    return kept


def keep_all(letters: Iterable[Letter]) -> list[Kept]:
    """Store letters through Django's connection; see ``keep``."""
    listed = list(letters)
    if not listed:
        return []
    with database.cursor() as cursor:
        return keep(cursor, listed)


def replay(message_id: int) -> InboxMessage:
    """Read a kept letter again: quarantined ones after a fix, others to see that nothing changes.

    A letter already understood gives the same facts, which are recognised; nothing is posted twice.
    """
    with recording():
        message = InboxMessage.objects.select_for_update().get(pk=message_id)
        with database.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            (now,) = cursor.fetchone()
        if message.state == InboxState.QUARANTINED:
            message.state = InboxState.RECEIVED
        message.attempts, message.replays, message.next_action_at = 0, message.replays + 1, now
        message.save(update_fields=["state", "attempts", "replays", "next_action_at"])
    return message
