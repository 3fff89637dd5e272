"""Nobody acts when a test of the record begins, whoever a test before it named."""

from collections.abc import Iterator

import pytest

from finsync.audit.services import set_actor


@pytest.fixture(autouse=True)
def nobody_acts() -> Iterator[None]:
    """Name nobody before and after a test."""
    set_actor("")
    yield
    set_actor("")
