"""Receiving a webhook: authentic, then kept, then answered. Nothing is parsed before it is stored.

``judge`` decides without touching the database beyond a cached configuration; ``Committer`` stores letters of many
requests in one transaction (group commit), and the answer goes out only after that commit.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connection as django_connection

from connectors.contract import Connector
from connectors.models import Connection
from connectors.models.inbox import Channel
from connectors.registry import connector_class
from connectors.services.inbox import EVENT_ID_CHARACTERS_MAX, Kept, Letter, clean, keep, readable_headers
from finsync.core.keys import bytes_hash

BODY_BYTES_MAX = 1024 * 1024
DOOR_SECONDS = 5.0  # how long a door's configuration is remembered; a rotated secret is live within this
BATCH_LETTERS_MAX = 200
OBJECT_CHARACTERS_MAX = 80


@dataclass(frozen=True)
class Door:
    """What is needed to check a webhook of one connection."""

    connection_id: int
    connector: type[Connector]
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """A letter that is not taken: the status and what the sender is told."""

    status: int
    detail: str


UNAUTHORISED = Refusal(401, "unknown endpoint or invalid signature")

_doors: dict[str, tuple[float, Door | None]] = {}


def door(name: str) -> Door | None:
    """Return the door of a connection by name, None where there is none; remembered for DOOR_SECONDS."""
    known = _doors.get(name)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    found = _read_door(name)
    _doors[name] = (time.monotonic() + DOOR_SECONDS, found)
    return found


def _read_door(name: str) -> Door | None:
    connection = Connection.objects.filter(name=name).prefetch_related("webhook_secrets").first()
    if connection is None or not connector_class(connection.kind).capabilities.webhook:
        return None
    now = datetime.now(UTC)
    live = tuple(
        secret.open()
        for secret in connection.webhook_secrets.all()
        if secret.not_before <= now and (secret.not_after is None or now < secret.not_after)
    )
    return Door(connection.pk, connector_class(connection.kind), live) if live else None


def judge(name: str, headers: Mapping[str, str], body: bytes) -> Letter | Refusal:
    """Return the letter to keep, or why it is refused. Header names are lower case; ``body`` is the raw bytes."""
    found = door(name)
    if found is None:
        return UNAUTHORISED
    if not found.connector.verify(headers, body, found.secrets, datetime.now(UTC)).ok:
        return UNAUTHORISED
    return Letter(
        connection_id=found.connection_id,
        channel=Channel.WEBHOOK,
        event_id=_event_id(found.connector, headers, body),
        object=clean(found.connector.webhook_object(headers, body) or "", OBJECT_CHARACTERS_MAX),
        headers=readable_headers(headers),
        body=body,
    )


def _event_id(connector: type[Connector], headers: Mapping[str, str], body: bytes) -> str:
    """The sender's id; where it has none or an unusable one, the body speaks for itself."""
    stated = connector.webhook_event_id(headers, body)
    if not stated or clean(stated, EVENT_ID_CHARACTERS_MAX) != stated:
        return f"sha256:{bytes_hash(body)}"
    return stated


class Committer:
    """Stores letters of concurrent requests together: one thread, one connection, one commit per batch.

    ``store`` returns after the commit. A batch that fails is stored letter by letter, so that one bad letter cannot
    fail its neighbours; a lost connection is opened again once per batch.
    """

    def __init__(self, connect: Callable[[], "psycopg.Connection[Any]"] | None = None) -> None:
        self._connect = connect or _own_connection
        self._ready = threading.Condition()
        self._waiting: list[tuple[Letter, Future[Kept]]] = []
        self._thread: threading.Thread | None = None
        self._database: psycopg.Connection[Any] | None = None
        self._closing = False

    def store(self, letter: Letter, timeout_seconds: float = 20.0) -> Kept:
        """Keep a letter durably. Raises the database's error, or TimeoutError; then nothing may be acknowledged."""
        answer: Future[Kept] = Future()
        with self._ready:
            self._waiting.append((letter, answer))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="inbox-committer", daemon=True)
                self._thread.start()
            self._ready.notify()
        return answer.result(timeout_seconds)

    def close(self) -> None:
        """Store what is waiting, then end the thread and its connection; ``store`` starts both again."""
        with self._ready:
            thread, self._closing = self._thread, True
            self._ready.notify()
        if thread is not None:
            thread.join()
        self._thread, self._closing = None, False

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._waiting and not self._closing:
                    self._ready.wait()
                if not self._waiting:
                    break
                batch, self._waiting = self._waiting[:BATCH_LETTERS_MAX], self._waiting[BATCH_LETTERS_MAX:]
            self._commit(batch)
        if self._database is not None:
            self._database.close()

    def _commit(self, batch: list[tuple[Letter, "Future[Kept]"]]) -> None:
        try:
            kept = self._write([letter for letter, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for one in batch:
                self._commit([one])
            return
        for (_, answer), where in zip(batch, kept, strict=True):
            answer.set_result(where)

    def _write(self, letters: list[Letter]) -> list[Kept]:
        for last_try in (False, True):
            try:
                if self._database is None or self._database.closed:
                    self._database = self._connect()
                with self._database.transaction(), self._database.cursor() as cursor:
                    return keep(cursor, letters)
            except psycopg.OperationalError:
                self._database = None
                if last_try:
                    raise
        raise AssertionError("unreachable")


def _own_connection() -> "psycopg.Connection[Any]":
    params = django_connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(name, None)
    return psycopg.connect(**params, autocommit=True)
