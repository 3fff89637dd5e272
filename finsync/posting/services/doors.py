"""Connectors ready to use: opened once per process and configuration, lent to one thread at a time.

Opening an HTTP client costs more than a call, so connectors are kept. A changed configuration gets a new one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from connectors.contract import Connector
from connectors.models import Connection
from connectors.registry import connect, connector_class
from connectors.transport import Exchange, Transport
from finsync.core.keys import content_hash
from finsync.core.posting import Route
from finsync.core.records.document import DocType

IDLE_DOORS_MAX = 16  # per connection and process


@dataclass(frozen=True)
class Door:
    """A connector and the transport its evidence is read from."""

    connector: Connector
    transport: Transport

    def evidence(self) -> list[Exchange]:
        """Return what was exchanged since the door was lent."""
        return list(self.transport.exchanges)


_idle: dict[tuple[int, str], list[Door]] = {}
_lock = threading.Lock()


@contextmanager
def door(connection: Connection) -> Iterator[Door]:
    """Lend a door of a connection. Raises KeyError where no connector of its kind exists."""
    key = (connection.pk, _configuration(connection))
    with _lock:
        idle = _idle.get(key)
        found = idle.pop() if idle else None
        for stale in [known for known in _idle if known[0] == connection.pk and known != key]:
            for old in _idle.pop(stale):
                old.transport.close()
    if found is None:
        transport = Transport(connection.base_url, read_timeout_seconds=float(connection.read_timeout_seconds))
        found = Door(connect(connection, transport), transport)
    found.transport.exchanges.clear()
    try:
        yield found
    finally:
        with _lock:
            idle = _idle.setdefault(key, [])
            keep = len(idle) < IDLE_DOORS_MAX
            if keep:
                idle.append(found)
        if not keep:
            found.transport.close()


def route(connection: Connection, doc_type: str) -> Route | None:
    """Return how a document type is posted over a connection; None where it cannot be."""
    try:
        how = connector_class(connection.kind).capabilities.posts.get(DocType(doc_type))
    except (KeyError, ValueError):
        return None
    if how is None:
        return None
    return Route(
        idempotency=str(how.idempotency),
        findable=how.findable,
        key_window_seconds=how.key_window_seconds,
        confirms_later=how.confirms_later,
        lease_seconds=connection.lease_seconds,
        quiesce_seconds=connection.quiesce_seconds,
        lag_seconds=connection.lag_seconds,
    )


def _configuration(connection: Connection) -> str:
    settings: dict[str, Any] = {
        "name": connection.name,
        "kind": connection.kind,
        "url": connection.base_url,
        "options": {name: str(value) for name, value in connection.options.items()},
        "secrets": bytes(connection.sealed_secrets).hex(),
        "timeout": connection.read_timeout_seconds,
    }
    return content_hash(settings)
