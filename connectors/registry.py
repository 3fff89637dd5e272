"""Which connectors exist, and one ready to use per connection."""

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

import connectors.systems
from connectors.contract import ConnectionConfig, Connector
from connectors.transport import Transport

if TYPE_CHECKING:
    from connectors.models import Connection


@cache
def connector_classes() -> dict[str, type[Connector]]:
    """Return every connector by kind: each folder of connectors/systems with a ``connector.CONNECTOR``."""
    found: dict[str, type[Connector]] = {}
    for module in pkgutil.iter_modules(connectors.systems.__path__):
        if module.ispkg:
            connector = importlib.import_module(f"connectors.systems.{module.name}.connector").CONNECTOR
            found[connector.capabilities.kind] = connector
    return found


def connector_class(kind: str) -> type[Connector]:
    """Return the connector of a kind. Raises KeyError naming the kinds that exist."""
    classes = connector_classes()
    if kind not in classes:
        raise KeyError(f"no connector of kind {kind!r}; there are {', '.join(sorted(classes))}")
    return classes[kind]


def connect(connection: "Connection", transport: Transport | None = None) -> Connector:
    """Return a connector for a connection, with its own transport unless one is given."""
    config = ConnectionConfig(
        name=connection.name,
        kind=connection.kind,
        base_url=connection.base_url,
        options=connection.options,
        secrets=connection.open_secrets(),
    )
    made = transport or Transport(connection.base_url, read_timeout_seconds=float(connection.read_timeout_seconds))
    return connector_class(connection.kind)(config, made)
