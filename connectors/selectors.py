"""Reading the doors: health of every connection, pages of letters, and what became of one letter."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection as database
from django.db.models import QuerySet
from django.utils import timezone

from connectors.models import Connection, Cursor, InboxMessage
from finsync.canonical.models import CanonicalChange, Fact
from finsync.kit.masking import masked, readable

FACTS_SHOWN_MAX = 100

BACKLOG = """
SELECT c.id, (SELECT count(*) FROM inbox_message m WHERE m.connection_id = c.id AND m.state = 'RECEIVED') AS unread,
       (SELECT min(m.received_at) FROM inbox_message m WHERE m.connection_id = c.id AND m.state = 'RECEIVED') AS oldest,
       (SELECT count(*) FROM inbox_message m WHERE m.connection_id = c.id AND m.state = 'QUARANTINED') AS quarantined,
       (SELECT max(m.received_at) FROM inbox_message m WHERE m.connection_id = c.id) AS heard_at
  FROM connection c
"""


@dataclass(frozen=True)
class Health:
    """One connection with how it stands."""

    connection: Connection
    cursors: list[Cursor]
    unread: int
    quarantined: int
    lag: timedelta | None
    heard_at: Any
    rate_left: Decimal
    missed_percent: Decimal | None


def health() -> list[Health]:
    """Return every connection with backlog, lag, rate left and what polling had to heal; three queries."""
    rows = list(Connection.objects.prefetch_related("cursors").order_by("kind", "name"))
    with database.cursor() as cursor:
        cursor.execute(BACKLOG)
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    return [_health(row, found.get(row.pk, (0, None, 0, None))) for row in rows]


def _health(row: Connection, figures: tuple[Any, ...]) -> Health:
    unread, oldest, quarantined, heard_at = figures
    cursors = sorted(row.cursors.all(), key=lambda cursor: cursor.stream)
    seen, missed = sum(c.items_seen for c in cursors), sum(c.items_missed_by_webhook for c in cursors)
    return Health(
        connection=row,
        cursors=cursors,
        unread=unread,
        quarantined=quarantined,
        lag=timezone.now() - oldest if oldest else None,
        heard_at=heard_at,
        rate_left=rate_left(row),
        missed_percent=(Decimal(100 * missed) / seen).quantize(Decimal("0.1")) if seen else None,
    )


def rate_left(row: Connection) -> Decimal:
    """Return the calls that could be made now: the bucket as it stood, refilled since, at most one second's worth."""
    since = Decimal(max((timezone.now() - row.tokens_at).total_seconds(), 0))
    return min(row.rate_per_second, row.tokens + since * row.rate_per_second).quantize(Decimal("0.1"))


def letters(rows: QuerySet[InboxMessage]) -> QuerySet[InboxMessage]:
    """Letters as a list shows them: without body and headers."""
    return rows.select_related("connection").defer("body", "headers")


@dataclass(frozen=True)
class LetterFile:
    """One letter, readable, with what became of it."""

    letter: InboxMessage
    text: str
    headers: dict[str, Any]
    size: int
    facts: list[Fact]
    changes: list[CanonicalChange]


def letter_file(letter_id: int) -> LetterFile | None:
    """Read one letter, in three queries; None where there is none."""
    letter = InboxMessage.objects.select_related("connection").filter(pk=letter_id).first()
    if letter is None:
        return None
    body = bytes(letter.body)
    facts = list(Fact.objects.filter(origin=letter.pk).defer("record").order_by("id")[:FACTS_SHOWN_MAX])
    changes = CanonicalChange.objects.filter(fact__in=[fact.pk for fact in facts]).defer("record")
    return LetterFile(letter, readable(body)[0], masked(letter.headers), len(body), facts, list(changes.order_by("id")))
