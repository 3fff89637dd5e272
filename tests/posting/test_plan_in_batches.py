"""Changes are planned together; one that cannot be planned stops only itself."""

import pytest

from exceptions_queue.models import ExceptionCase
from finsync.audit.services import recording
from finsync.canonical.models import CanonicalChange
from finsync.canonical.services.apply import apply_due
from finsync.canonical.services.facts import Statement, store_facts
from finsync.posting.models import Posting
from finsync.posting.services import plan as room
from tests.records import customer, invoice
from tests.sample import plan, sample_company, state

pytestmark = pytest.mark.django_db


def standalone(number: int):
    return invoice(f"INV-{number}", contract_number="", version=0)


def test_a_change_that_cannot_be_planned_stops_only_itself(monkeypatch):
    sample_company()
    real = room.plan_documents

    def poisoned(record):
        if record.business_key.endswith(":INV-5"):
            raise RuntimeError("poison")
        return real(record)

    monkeypatch.setattr(room, "plan_documents", poisoned)
    state(customer(), *(standalone(number) for number in range(12)))
    assert Posting.objects.filter(doc_type="invoice").count() == 11
    for _ in range(room.ATTEMPTS_MAX):
        plan()
    failed = CanonicalChange.objects.get(plan_state="FAILED")
    assert (failed.business_key, failed.plan_attempts) == (standalone(5).business_key, room.ATTEMPTS_MAX)
    assert ExceptionCase.objects.get().code == "ING_DLQ"

    monkeypatch.setattr(room, "plan_documents", real)
    before = set(Posting.objects.values_list("pk", flat=True))
    with recording("user:ana"):
        room.wake_changes([failed.pk])
    plan()
    new = Posting.objects.exclude(pk__in=before).get()
    assert new.business_key == f"{standalone(5).aggregate_key}:v1"


def test_two_changes_of_one_document_in_one_batch_make_one_posting():
    """The second restates the first with another amount before either was planned: one document, one case."""
    sample_company()
    first = invoice("INV-1", contract_number="", version=0)
    second = invoice("INV-1", contract_number="", version=0, ordinal=2, net="11000.00", tax="907.50")
    with recording("system:test"):
        store_facts(
            [Statement(record=record, origin=1, roles=("crm", "billing")) for record in (customer(), first, second)]
        )
    while apply_due():
        pass
    plan()
    assert Posting.objects.get(doc_type="invoice").amount_minor == 1_299_000
    assert ExceptionCase.objects.get().code == "ERP_CONTENT_MISMATCH"
