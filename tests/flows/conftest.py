"""The sample company with a real ERP: an empty one per story, so that its whole ledger can be compared."""

import itertools
from collections.abc import Iterator
from datetime import date

import pytest

from connectors.systems.tryton.connector import TrytonConnector
from tests.connectors.tryton_fixture import TrytonServer, empty_erp
from tests.flows.company import Company, company

_story = itertools.count(1)


@pytest.fixture
def erp(request: pytest.FixtureRequest) -> Iterator[TrytonServer]:
    """An ERP of its own with two empty companies."""
    with empty_erp(request, f"story{next(_story)}") as server:
        yield server


@pytest.fixture
def sample(erp: TrytonServer, transactional_db: None, settings) -> Iterator[Company]:
    """The running company; business is done on 2027-01-01, when the whole year can be recognised."""
    settings.FINSYNC = {**settings.FINSYNC, "BUSINESS_DATE": date(2027, 1, 1)}
    place = {"base_url": erp.base_url, "database": erp.database, "user": erp.user, "password": erp.password}
    with company(place) as running:
        yield running


@pytest.fixture
def ledger(erp: TrytonServer) -> TrytonConnector:
    """The ERP as an auditor reads it: through a connector of its own."""
    return erp.connector()
