"""The audit log: every write has a name, nothing can be changed, and tampering shows."""

import threading

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from finsync.audit.models import AuditEntry
from finsync.audit.selectors import verify_chains
from finsync.audit.services import recording
from finsync.canonical.models import LegalEntity

pytestmark = pytest.mark.django_db(transaction=True)


def make(code: str = "US01", name: str = "One") -> LegalEntity:
    with recording("user:ada", correlation_id="cor-1"):
        return LegalEntity.objects.create(code=code, name=name, currency="USD", country="US")


def test_a_write_without_a_name_is_refused_by_the_database():
    with pytest.raises(DatabaseError, match="no actor is set"), transaction.atomic():
        LegalEntity.objects.create(code="X", name="X", currency="USD", country="US")
    assert not LegalEntity.objects.exists()


def test_recording_without_a_name_is_refused():
    with pytest.raises(LookupError, match="name the actor"), recording():
        pass


def test_insert_update_and_delete_are_recorded_with_actor_and_only_what_changed():
    entity = make()
    with recording("user:bob"):
        entity.name = "Two"
        entity.save()
        entity.delete()
    entries = list(AuditEntry.objects.filter(table_name="legal_entity").order_by("pk"))
    assert [(e.actor, e.operation, e.row_pk) for e in entries] == [
        ("user:ada", "INSERT", "US01"),
        ("user:bob", "UPDATE", "US01"),
        ("user:bob", "DELETE", "US01"),
    ]
    assert entries[0].correlation_id == "cor-1"
    assert (entries[1].old, entries[1].new) == ({"name": "One"}, {"name": "Two"})


@pytest.mark.parametrize(
    "write",
    [
        lambda: LegalEntity.objects.filter(code="US01").update(name="queryset"),
        lambda: LegalEntity.objects.bulk_create([LegalEntity(code="B1", name="bulk", currency="USD", country="US")]),
        lambda: LegalEntity.objects.bulk_update([LegalEntity(code="US01", name="bulk")], ["name"]),
        lambda: connection.cursor().execute("UPDATE legal_entity SET name = 'raw'"),
        lambda: connection.cursor().execute("DELETE FROM legal_entity"),
        lambda: LegalEntity.objects.all().delete(),
    ],
    ids=["queryset.update", "bulk_create", "bulk_update", "raw update", "raw delete", "queryset.delete"],
)
def test_writes_that_history_packages_miss_are_recorded(write):
    make()
    before = AuditEntry.objects.count()
    with recording("user:eve"):
        write()
    assert AuditEntry.objects.filter(actor="user:eve").count() == AuditEntry.objects.count() - before > 0


@pytest.mark.parametrize(
    "sql", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log CASCADE"]
)
def test_entries_cannot_be_changed_or_removed_even_by_the_owner(sql):
    make()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_whole_chains_verify():
    for number in range(40):
        make(f"E{number}")
    report = verify_chains()
    assert report.entries == 40
    assert report.findings == ()


def tamper(sql: str) -> None:
    """What a superuser could do: switch the guards off and write."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)


@pytest.mark.parametrize(
    ("sql", "finding"),
    [
        ("UPDATE audit_log SET actor = 'user:nobody' WHERE id = (SELECT min(id) + 5 FROM audit_log)", "was changed"),
        ("DELETE FROM audit_log WHERE id = (SELECT min(id) + 5 FROM audit_log)", "is missing"),
        ("DELETE FROM audit_link WHERE entry_id = (SELECT max(entry_id) FROM audit_link)", "was cut"),
        (
            "INSERT INTO audit_log SELECT (jsonb_populate_record(a, '{\"id\": 999999}')).* FROM audit_log a LIMIT 1",
            "not chained",
        ),
    ],
    ids=["changed", "deleted", "tail cut", "slipped in"],
)
def test_tampering_is_found(sql, finding):
    for number in range(20):
        make(f"E{number}")
    tamper(sql)
    assert any(finding in text for text in verify_chains().findings)


def test_parallel_writers_keep_the_chains_whole_and_never_deadlock():
    failures: list[Exception] = []

    def write(writer: int) -> None:
        try:
            for number in range(25):
                make(f"W{writer}-{number}"[:20])
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    report = verify_chains()
    assert (report.entries, report.findings) == (150, ())


def test_a_rolled_back_change_leaves_no_entry():
    with pytest.raises(IntegrityError), recording("user:ada"):
        LegalEntity.objects.bulk_create([LegalEntity(code="D", name="a", currency="USD", country="US")] * 2)
    assert AuditEntry.objects.count() == 0
