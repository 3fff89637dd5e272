"""Applying facts: once, in order, by the system of record; one bad lane stops only itself."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exceptions_queue.models import ExceptionCase
from finsync.audit.services import recording
from finsync.canonical.models import (
    Aggregate,
    CanonicalChange,
    Contract,
    ContractVersion,
    Customer,
    Fact,
    FetchWish,
    Invoice,
    SourceAlias,
)
from finsync.canonical.services.apply import apply_due, retry_fact
from finsync.canonical.services.facts import Statement, store_facts
from finsync.core.records import InvoiceStatus
from tests.records import contract, customer, invoice, payment

pytestmark = pytest.mark.django_db

ROLES = ("crm", "billing", "gateway", "revenue")


def arrive(*records, roles=ROLES, origin=1):
    with recording("system:test"):
        store_facts([Statement(record=record, origin=origin, roles=roles) for record in records])


def apply_all() -> None:
    """Let every lane have its turn, waiting for no clock, until nothing moves any more."""
    failing = -1
    while True:
        Aggregate.objects.filter(blocked=False, next_action_at__isnull=False).update(next_action_at=timezone.now())
        before, failing = failing, sum(Aggregate.objects.values_list("failures", flat=True))
        if not apply_due() and failing == before:
            break


def states(key: str) -> list[str]:
    return list(Fact.objects.filter(aggregate_id=key).order_by("ordinal", "id").values_list("state", flat=True))


def test_a_customer_and_its_contract_become_true_in_one_pass():
    arrive(contract(), customer())
    apply_due()
    assert Customer.objects.get().name == "Acme Inc"
    held = Contract.objects.get()
    assert (held.current_version, held.price_minor) == (1, 1_200_000)
    assert CanonicalChange.objects.count() == 2


def test_the_same_fact_by_webhook_and_poll_is_applied_once():
    arrive(customer(), origin=1)
    apply_all()
    arrive(customer(), origin=2)
    apply_all()
    assert CanonicalChange.objects.count() == 1
    assert Fact.objects.count() == 1


def test_an_older_state_after_a_newer_one_is_kept_and_not_applied():
    arrive(customer(), contract(), invoice(ordinal=2000, status=InvoiceStatus.PAID))
    apply_all()
    arrive(invoice(ordinal=1000))
    apply_all()
    assert Invoice.objects.get().status == "paid"
    assert states(invoice().aggregate_key) == ["STALE", "APPLIED"]


def test_day_45_invoice_before_its_amendment_waits_and_asks_for_the_missing_version():
    arrive(customer(), contract(), invoice("INV-2", version=2, net="5276.71", tax="435.33"))
    apply_all()
    assert not Invoice.objects.exists()
    wish = FetchWish.objects.get()
    assert (wish.record_type, wish.source_id, wish.aggregate_key) == (
        "contract_version",
        "C-1001",
        "contract:US01:C-1001",
    )
    arrive(contract(version=2, seats=15, added=5, effective=invoice().invoice_date.replace(month=2, day=14)))
    apply_all()
    assert Invoice.objects.get().contract_version == 2
    assert ContractVersion.objects.get(version=2).added_price_minor == 527_671


def test_a_held_lane_looks_again_by_itself_soon_at_first():
    arrive(customer(), contract(), invoice("INV-2", version=2, net="5276.71", tax="435.33"))
    apply_due()
    lane = Aggregate.objects.get(key=invoice("INV-2").aggregate_key)
    assert 0 < (lane.next_action_at - timezone.now()).total_seconds() <= 5
    Fact.objects.filter(aggregate=lane).update(held_since=timezone.now() - timedelta(days=2))
    Aggregate.objects.filter(pk=lane.pk).update(next_action_at=timezone.now())
    apply_due()
    lane.refresh_from_db()
    assert 800 < (lane.next_action_at - timezone.now()).total_seconds() <= 900


def test_a_gap_in_contract_versions_is_held_until_the_missing_one_arrives():
    arrive(customer(), contract(), contract(version=3, seats=20, added=5))
    apply_all()
    assert Contract.objects.get().current_version == 1
    assert FetchWish.objects.filter(source_id="C-1001").exists()
    arrive(contract(version=2, seats=15, added=5))
    apply_all()
    assert Contract.objects.get().current_version == 3
    assert states("contract:US01:C-1001") == ["APPLIED"] * 3


def test_two_contents_for_one_version_are_a_case_and_change_nothing():
    arrive(customer(), contract())
    apply_all()
    arrive(contract(seats=11))
    apply_all()
    assert Contract.objects.get().price_minor == 1_200_000
    assert ExceptionCase.objects.get().code == "ING_VERSION_CONFLICT"


def test_a_tie_in_time_with_another_content_is_fetched_again():
    arrive(customer(), contract(), invoice(ordinal=1000))
    apply_all()
    arrive(invoice(ordinal=1000, status=InvoiceStatus.PAID))
    apply_all()
    assert FetchWish.objects.filter(record_type="invoice", source_id="in_INV-1").exists()
    arrive(invoice(ordinal=1500, status=InvoiceStatus.PAID))
    apply_all()
    assert Invoice.objects.get().status == "paid"
    assert "HELD" not in states(invoice().aggregate_key)


def test_only_the_system_of_record_changes_a_customer():
    arrive(customer(), roles=("crm",))
    apply_all()
    arrive(customer(name="Renamed by billing", ordinal=9), roles=("billing",))
    apply_all()
    assert Customer.objects.get().name == "Acme Inc"
    assert Fact.objects.get(ordinal=9).explanation.endswith("kept, not applied")


def test_a_poisoned_lane_stops_only_itself(monkeypatch):
    from finsync.canonical.services import apply as room

    real = room.write_entities

    def poisoned(applied):
        if any(record.business_key == "customer:bad" for record, _ in applied):
            raise RuntimeError("poison")
        real(applied)

    monkeypatch.setattr(room, "write_entities", poisoned)
    arrive(customer("bad"), *[customer(f"good{n}", name=f"Good {n}") for n in range(20)])
    apply_all()
    assert Customer.objects.count() == 20
    lane = Aggregate.objects.get(key="customer:bad")
    assert lane.blocked
    case = ExceptionCase.objects.get()
    assert (case.code, case.state) == ("ING_DLQ", "OPEN")
    monkeypatch.setattr(room, "write_entities", real)
    retry_fact(Fact.objects.get(aggregate_id="customer:bad").pk, "user:ana")
    apply_all()
    assert Customer.objects.count() == 21


def test_every_entity_keeps_history_with_its_actor():
    arrive(customer())
    apply_all()
    arrive(customer(name="Acme Corp", ordinal=2))
    apply_all()
    history = list(Customer.history.order_by("history_id").values_list("name", "history_change_reason"))
    assert history == [("Acme Inc", "system:apply"), ("Acme Corp", "system:apply")]


def test_source_ids_lead_to_their_aggregate():
    arrive(customer(), contract(), invoice(), payment())
    apply_all()
    assert SourceAlias.objects.get(source_id="in_INV-1").aggregate_key == "invoice:US01:stripe:INV-1"


STORY = (
    customer(),
    contract(),
    contract(version=2, seats=15, added=5),
    invoice(ordinal=1000),
    invoice(ordinal=2000, status=InvoiceStatus.PAID),
    invoice("INV-2", version=2, net="5276.71", tax="435.33", ordinal=3000),
    payment(),
)


def final_state() -> tuple:
    return (
        tuple(Customer.objects.values_list("name")),
        tuple(Contract.objects.values_list("current_version", "price_minor")),
        tuple(Invoice.objects.order_by("number").values_list("number", "status", "total_minor")),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(STORY))), st.lists(st.integers(0, len(STORY) - 1), max_size=5), st.randoms())
def test_any_order_with_duplicates_ends_in_the_in_order_state(db, order, repeats, chance: random.Random):
    """Superseded states may be skipped when a newer one came first; what is true at the end is the same."""
    from django.db import transaction

    savepoint = transaction.savepoint()
    arrivals = [*order, *repeats]
    for batch in (arrivals[start : start + 3] for start in range(0, len(arrivals), 3)):
        arrive(*(STORY[index] for index in batch))
        if chance.random() < 0.7:
            apply_all()
    apply_all()
    customers, contracts, invoices = final_state()
    assert customers == (("Acme Inc",),)
    assert contracts == ((2, 1_800_000),)
    assert invoices == (("INV-1", "paid", 1_299_000), ("INV-2", "open", 571_204))
    assert not Fact.objects.filter(state__in=("PENDING", "HELD")).exists()
    transaction.savepoint_rollback(savepoint)
