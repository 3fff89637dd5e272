"""A real Tryton for tests: one clone of the template database and one server per test run, started when first asked.

Defaults use the test PostgreSQL and share the ERP's virtual environment with the demo. ``FINSYNC_TRYTON_VENV`` names
another environment, ``FINSYNC_PG_SOCKET`` another PostgreSQL (URI or socket directory), ``FINSYNC_TRYTON_WORK`` another
folder for its configuration and logs. The first run builds the template (about a minute and a half), later ones clone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.contract import ConnectionConfig
from connectors.systems.tryton import provision
from connectors.systems.tryton.connector import TrytonConnector
from connectors.transport import Transport
from finsync.local.places import Home

__all__ = ["TrytonServer", "tryton", "tryton_server"]


@dataclass(frozen=True)
class TrytonServer:
    """A running ERP and how to reach it."""

    base_url: str
    database: str
    user: str
    password: str

    def config(self, name: str = "erp") -> ConnectionConfig:
        """Return a connection to it."""
        return ConnectionConfig(
            name=name,
            kind="tryton",
            base_url=self.base_url,
            options={"database": self.database},
            secrets={"user": self.user, "password": self.password},
        )

    def connector(self, transport: Transport | None = None) -> TrytonConnector:
        """Return a connector of its own, with its own transport unless one is given."""
        return TrytonConnector(self.config(), transport or Transport(self.base_url))


@contextmanager
def empty_erp(request: pytest.FixtureRequest, name: str) -> Iterator[TrytonServer]:
    """Serve a fresh clone of the template under a name of its own; gone afterwards."""
    if postgres := os.environ.get("FINSYNC_PG_SOCKET"):
        run = str(os.getpid())
    else:
        services = request.getfixturevalue("local_services")
        postgres, run = services.postgres.dsn(), str(services.run)
    home = Home.from_environment()
    venv = Path(os.environ.get("FINSYNC_TRYTON_VENV", home.erp / "venv"))
    work = Path(os.environ.get("FINSYNC_TRYTON_WORK", home.path / "test" / "tryton"))
    database, port = f"erp_{name}_{run}", provision.free_port()
    password = provision.build_template(venv, postgres, work).read_text().strip()
    provision.clone(postgres, database, replace=True)
    server = provision.start_server(venv, postgres, work, database, port)
    try:
        yield TrytonServer(f"http://127.0.0.1:{port}", database, provision.API_LOGIN, password)
    finally:
        server.terminate()
        server.wait()
        provision.drop(postgres, database)


@pytest.fixture(scope="session")
def tryton_server(request: pytest.FixtureRequest) -> Iterator[TrytonServer]:
    """An ERP with two empty companies, US01 and UK01, fiscal years 2025 to 2027, shared by the tests of a run."""
    with empty_erp(request, "test") as server:
        yield server


@pytest.fixture
def tryton(tryton_server: TrytonServer) -> TrytonConnector:
    """A connector to the running ERP."""
    return tryton_server.connector()
