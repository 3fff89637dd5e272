"""Asking: what webhooks missed comes in by poll, and what is missing is fetched. Both end in the inbox."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from connectors.contract import RawItem
from connectors.errors import AuthFailed, ConnectorError, NotFound, TryLater, Unsupported
from connectors.models import Connection, Cursor
from connectors.models.connection import ConnectionState
from connectors.models.inbox import Channel
from connectors.registry import connect, connector_class
from connectors.services.inbox import Letter, keep_all
from exceptions_queue.services import Subject, raise_case
from finsync.audit.services import recording
from finsync.canonical.models import Aggregate, Fact, FactWait, FetchWish
from finsync.core.lifecycle import FactState
from finsync.core.money import Money
from finsync.core.ownership import OWNERS

logger = logging.getLogger(__name__)

PAGES_PER_POLL_MAX = 20
POLL_LEASE_SECONDS = 120
FAILURE_BACKOFF_SECONDS = 15
FAILURE_BACKOFF_SECONDS_MAX = 900
FETCH_ATTEMPTS_MAX = 4
FETCH_RETRY_SECONDS = 20


def ensure_cursors() -> None:
    """Give every stream of every connection its cursor row."""
    for connection in Connection.objects.all():
        for stream in connector_class(connection.kind).capabilities.poll:
            Cursor.objects.get_or_create(connection=connection, stream=stream.name)


def poll_due(batch: int = 5) -> int:
    """Read due streams from their cursors, page by page; returns how many letters came in.

    A cursor is leased by moving its next_action_at, so that two workers never read one stream at once and a killed
    worker's stream comes back by itself.
    """
    with transaction.atomic():
        due = list(
            Cursor.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(next_action_at__lte=timezone.now(), connection__state=ConnectionState.ACTIVE)
            .select_related("connection")
            .order_by("next_action_at")[:batch]
        )
        Cursor.objects.filter(pk__in=[cursor.pk for cursor in due]).update(
            next_action_at=timezone.now() + timedelta(seconds=POLL_LEASE_SECONDS)
        )
    return sum(_poll(cursor) for cursor in due)


def _poll(cursor: Cursor) -> int:
    stream = next(s for s in connector_class(cursor.connection.kind).capabilities.poll if s.name == cursor.stream)
    connector, kept = connect(cursor.connection), 0
    try:
        for _ in range(PAGES_PER_POLL_MAX):
            page = connector.poll(cursor.stream, cursor.position, timezone.now())
            fresh = _keep(cursor.connection, Channel.POLL, page.items)
            kept += len(page.items)
            cursor.items_seen += len(page.items)
            cursor.items_missed_by_webhook += fresh
            cursor.position = page.cursor
            cursor.save(update_fields=["position", "items_seen", "items_missed_by_webhook"])
            if not page.more:
                break
    except ConnectorError as error:
        _failed(cursor, error)
        return kept
    cursor.failures_in_a_row, cursor.polled_at = 0, timezone.now()
    cursor.next_action_at = cursor.polled_at + timedelta(seconds=_interval(cursor, stream.interval_seconds))
    cursor.save(update_fields=["failures_in_a_row", "polled_at", "next_action_at"])
    Connection.objects.filter(pk=cursor.connection_id).update(last_success_at=timezone.now())
    return kept


def _interval(cursor: Cursor, declared_seconds: int) -> int:
    return int(cursor.connection.options.get("poll_interval_seconds", declared_seconds))


def _failed(cursor: Cursor, error: ConnectorError) -> None:
    cursor.failures_in_a_row += 1
    wait = min(FAILURE_BACKOFF_SECONDS * 2**cursor.failures_in_a_row, FAILURE_BACKOFF_SECONDS_MAX)
    if isinstance(error, TryLater) and error.retry_after_seconds:
        wait = max(wait, int(error.retry_after_seconds))
    cursor.next_action_at = timezone.now() + timedelta(seconds=wait)
    cursor.save(update_fields=["failures_in_a_row", "next_action_at"])
    Connection.objects.filter(pk=cursor.connection_id).update(
        last_failure_at=timezone.now(), last_failure=error.detail[:500]
    )
    if isinstance(error, AuthFailed):
        with recording("system:poll"):
            raise_case(
                "ING_AUTH_FAILED",
                dimensions={"connection": cursor.connection.name},
                subject=Subject(type="connection", id=cursor.connection_id, detail=error.detail),
                source=cursor.connection.name,
            )


def _keep(connection: Connection, channel: Channel, items: Sequence[RawItem]) -> int:
    """Store items as letters; returns how many were new."""
    kept = keep_all(
        Letter(
            connection_id=connection.pk,
            channel=channel,
            event_id=item.event_id,
            object=item.object,
            headers={},
            body=item.body,
            source_ts=item.source_ts,
        )
        for item in items
    )
    return sum(letter.fresh for letter in kept)


def fetch_due(batch: int = 20) -> int:
    """Fetch what the book wishes for; returns how many wishes were worked on.

    Where the source does not have it either, the documents that wait for it become a case.
    """
    with transaction.atomic():
        wishes = list(
            FetchWish.objects.select_for_update(skip_locked=True)
            .filter(next_action_at__lte=timezone.now())
            .order_by("next_action_at")[:batch]
        )
        for wish in wishes:
            wish.attempts += 1
            wish.next_action_at = timezone.now() + timedelta(seconds=FETCH_RETRY_SECONDS * wish.attempts)
            wish.save(update_fields=["attempts", "next_action_at"])
    for wish in wishes:
        _fetch(wish)
    return len(wishes)


def _fetch(wish: FetchWish) -> None:
    if wish.aggregate_key and not _still_waiting(wish.aggregate_key):
        _answer(wish, "arrived by itself")
        return
    connection = _source_of(wish)
    if connection is None:
        _give_up(wish, f"no active connection can fetch a {wish.record_type}")
        return
    try:
        items = connect(connection).fetch(wish.record_type, [wish.source_id])
    except (NotFound, Unsupported) as error:
        _give_up(wish, f"{connection.title} does not have it: {error.detail}")
        return
    except ConnectorError as error:
        if wish.attempts >= FETCH_ATTEMPTS_MAX:
            _give_up(wish, f"{connection.title} could not be asked: {error.detail}")
        return
    if not items:
        _give_up(wish, f"{connection.title} does not have it")
        return
    _keep(connection, Channel.FETCH, items)
    _answer(wish, f"{len(items)} fetched from {connection.title}")


def _still_waiting(key: str) -> bool:
    return (
        FactWait.objects.filter(aggregate_key=key).exists()
        or Fact.objects.filter(aggregate_id=key, state__in=(FactState.HELD, FactState.CONFLICT)).exists()
        or not Aggregate.objects.filter(key=key, ordinal__isnull=False).exists()
    )


def _source_of(wish: FetchWish) -> Connection | None:
    candidates = Connection.objects.filter(state=ConnectionState.ACTIVE).order_by("pk")
    if wish.system:
        candidates = candidates.filter(name=wish.system)
    else:
        candidates = candidates.filter(roles__contains=[OWNERS[wish.record_type]])
    return next((c for c in candidates if wish.record_type in connector_class(c.kind).capabilities.fetches), None)


def _answer(wish: FetchWish, answer: str) -> None:
    FetchWish.objects.filter(pk=wish.pk).update(
        answered_at=timezone.now(), answer=answer[:500], next_action_at=None, attempts=F("attempts")
    )


def _give_up(wish: FetchWish, why: str) -> None:
    """Close the wish and put what waits for it on the desk."""
    with recording("system:fetch"), database.cursor():
        _answer(wish, why)
        waiting = Fact.objects.filter(waits__aggregate_key=wish.aggregate_key).distinct()
        for fact in waiting[:500]:
            _raise_missing(wish, fact, why)


def _raise_missing(wish: FetchWish, fact: Fact, why: str) -> None:
    if wish.record_type == "customer":
        code, dimensions = "MDM_ACCOUNT_UNMAPPED", {"account": wish.source_id}
        sentence = f"{fact.aggregate_id} names customer {wish.source_id}, and {why}. Nothing was posted."
    else:
        code, dimensions = "ING_GAP_DETECTED", {"connection": fact.source_system, "aggregate": wish.aggregate_key}
        sentence = f"{fact.aggregate_id} waits for {wish.aggregate_key}, and {why}. Nothing was posted."
    raise_case(
        code,
        dimensions=dimensions,
        subject=Subject(
            type="fact",
            id=fact.pk,
            business_key=fact.aggregate_id,
            correlation_id=str(fact.record.get("lineage", {}).get("correlation_id", "")),
            amount=_amount(fact),
            detail=why,
        ),
        entity=str(fact.record.get("entity", "")),
        source=fact.source_system,
        customer=wish.source_id if wish.record_type == "customer" else "",
        explanation=sentence,
    )


def _amount(fact: Fact) -> Money | None:
    for name in ("total", "amount"):
        value = fact.record.get(name)
        if isinstance(value, dict) and "minor" in value:
            return Money(value["minor"], value["currency"])
    return None
