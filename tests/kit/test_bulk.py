"""Writing many rows in one COPY: as complete as saving each, and all or nothing."""

import pytest
from django.db import IntegrityError, transaction

from finsync.audit.models import AuditEntry
from finsync.audit.services import recording
from finsync.canonical.models import Aggregate, FetchWish, LegalEntity
from finsync.kit.bulk import copy_in

pytestmark = pytest.mark.django_db


def wish(number: int) -> FetchWish:
    return FetchWish(record_type="customer", source_id=f"00{number}", aggregate_key="", reason="because")


def test_rows_get_their_ids_and_their_database_defaults():
    rows = [wish(number) for number in range(3)]
    copy_in(rows)
    stored = FetchWish.objects.in_bulk([row.pk for row in rows])
    assert [stored[row.pk].source_id for row in rows] == ["000", "001", "002"]
    assert all(stored[row.pk].created_at == row.created_at for row in rows)
    assert all(row.attempts == 0 and row.answered_at is None for row in stored.values())


def test_rows_written_before_are_found_by_those_that_name_them():
    from finsync.canonical.models import Fact, FactWait

    lane = Aggregate(key="customer:1", record_type="customer")
    fact = Fact(
        aggregate=lane, record_type="customer", source_system="crm", ordinal=1, version_kind="MONOTONE",
        content_hash="0" * 64, record={"name": "Łódź \\ \t \n end"}, origin=1,
    )  # fmt: skip
    wait = FactWait(fact=fact, aggregate_key="customer:2")  # named before the fact has its id
    for rows in ([lane], [fact], [wait]):
        copy_in(rows)
    assert FactWait.objects.get().fact.record == {"name": "Łódź \\ \t \n end"}


def test_a_refused_row_leaves_nothing_behind():
    first = wish(1)
    first.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        copy_in([wish(2), wish(1)])  # only one open wish per object
    assert list(FetchWish.objects.all()) == [first]


def test_copied_rows_are_audited_like_saved_ones():
    with recording("system:test"):
        copy_in([LegalEntity(code="XX01", name="X", currency="EUR", country="DE")])
    assert AuditEntry.objects.get(table_name="legal_entity", row_pk="XX01").actor == "system:test"
