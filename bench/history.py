"""What history and audit cost: applying many customers with both, and with both switched off."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import override_settings

from bench.figures import Figure, Scale, paired, seconds
from bench.letters import customer
from finsync.audit.models import AuditEntry
from finsync.audit.services import recording
from finsync.canonical.models import Customer
from finsync.canonical.services.apply import apply_due
from finsync.canonical.services.facts import Statement, store_facts

_rounds = itertools.count(1)


def measure(scale: Scale, say: Callable[[str], None]) -> list[Figure]:
    """Return the figure of a bulk apply."""
    say(f"history: {scale.entities} customers a round, with and without history and audit")
    _apply(100)

    def without() -> float:
        with _no_history():
            return _apply(scale.entities)

    figure = paired(
        scale.rounds, lambda: _apply(scale.entities), without, unit="s", reach=3,
        job=f"bulk apply of {scale.entities:,} entities with history and audit",
        against="the same without any history",
    )  # fmt: skip
    assert Customer.history.count() < Customer.objects.count(), "history was kept where it was switched off"
    assert AuditEntry.objects.filter(table_name="customer").exists(), "nothing was audited"
    return [figure]


def _apply(count: int) -> float:
    place = next(_rounds)
    records = [customer(f"001{place:06d}{number:06d}AAA") for number in range(count)]
    with recording("system:bench"):
        store_facts([Statement(record=record, origin=1, roles=("crm",)) for record in records])

    def work() -> None:
        while apply_due():
            pass

    return seconds(work)


@contextmanager
def _no_history() -> Iterator[None]:
    with override_settings(SIMPLE_HISTORY_ENABLED=False):
        _audit("DISABLE")
        try:
            yield
        finally:
            _audit("ENABLE")


def _audit(switch: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE customer {switch} TRIGGER customer_audit")
