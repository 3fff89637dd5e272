"""A simulated ERP over HTTP, and a connection to it."""

import threading
from collections.abc import Iterator

import pytest

from connectors.models import Connection
from connectors.simulator.erp import SimERP
from connectors.simulator.server import CLASS_OF, Server
from tests.posting import prepared


@pytest.fixture
def erp() -> Iterator[Server]:
    """A simulated ERP on a free port."""
    server = Server(SimERP(class_of=CLASS_OF))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def target(erp: Server) -> Connection:
    return prepared.target(url=erp.url)
