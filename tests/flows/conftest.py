"""The sample company with a real ERP, one fresh database of it per story."""

from collections.abc import Iterator
from datetime import date

import pytest

from connectors.systems.tryton.connector import TrytonConnector
from tests.connectors.tryton_fixture import TrytonServer
from tests.flows.company import Company, company


@pytest.fixture
def sample(tryton_server: TrytonServer, transactional_db: None, settings) -> Iterator[Company]:
    """The running company; business is done on 2027-01-01, when the whole year can be recognised."""
    settings.FINSYNC = {**settings.FINSYNC, "BUSINESS_DATE": date(2027, 1, 1)}
    erp = {
        "base_url": tryton_server.base_url,
        "database": tryton_server.database,
        "user": tryton_server.user,
        "password": tryton_server.password,
    }
    with company(erp) as running:
        yield running


@pytest.fixture
def ledger(tryton_server: TrytonServer) -> TrytonConnector:
    """The ERP as an auditor reads it: through a connector of its own."""
    return tryton_server.connector()
