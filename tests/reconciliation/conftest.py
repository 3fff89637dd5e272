import pytest

from reconciliation.services import collect
from tests.reconciliation.sides import Systems, company


@pytest.fixture
def systems(db, monkeypatch):
    """Connected systems that show what the test gives them."""
    found = Systems()
    monkeypatch.setattr(collect, "connector_class", found.connector_class)
    monkeypatch.setattr(collect, "connect", found.connect)
    company()
    return found
