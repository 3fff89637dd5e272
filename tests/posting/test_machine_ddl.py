"""The invariants I1 to I10 live in the database: each is attacked with plain SQL and holds (reliability.md 3.4)."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from finsync.audit.services import recording
from finsync.mappings.models import MappingVersion
from finsync.posting.models import Posting
from tests.posting import prepared

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair() -> list[Posting]:
    """Two ready postings of one connection."""
    return prepared.postings(prepared.target(), 2)


def sql(statement: str, *values: object) -> None:
    """Run one statement as the application would, constraints included."""
    with recording("test"), connection.cursor() as cursor:
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def refused(statement: str, *values: object) -> str:
    """Return the database's reason for refusing a statement; fails where it is accepted."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        sql(statement, *values)
    return str(caught.value)


def update(posting: Posting, assignments: str, *values: object) -> str:
    return refused(f"UPDATE posting SET {assignments} WHERE id = {posting.pk}", *values)


def put(posting: Posting, assignments: str) -> None:
    sql(f"UPDATE posting SET {assignments} WHERE id = {posting.pk}")


SENDING = "status = 'SENDING', lease_owner = 'w', lease_until = now() + interval '1 min', sends = 1, fence = fence + 1"
FREE = "lease_owner = NULL, lease_until = NULL"
POSTED = f"status = 'POSTED', erp_document_id = 'E1', posted_at = now(), next_action_at = NULL, {FREE}"
EXCEPTION = f"status = 'EXCEPTION', exception_code = 'ERP_POST_UNKNOWN', {FREE}"


def test_i1_one_business_key_has_one_posting(pair: list[Posting]) -> None:
    twin = prepared.postings  # the same keys again
    with pytest.raises(DatabaseError, match="posting_i1"), transaction.atomic():
        twin(pair[0].connection, 1)


def test_i1_one_reference_has_one_posting(pair: list[Posting]) -> None:
    reason = refused(
        "INSERT INTO posting (connection_id, doc_type, business_key, external_ref, content_hash, entity, currency,"
        " document, document_date, accounting_date, original_period, correlation_id, contract_number, customer_key,"
        " change_id, lane, status, held_for, status_reason, intent, sends, attempts, lookups, negatives, render_no, fence,"
        " next_action_at, resume_id, erp_number, verified_count, source_ts)"
        " SELECT connection_id, doc_type, 'another key', external_ref, content_hash, entity, currency, document,"
        " document_date, accounting_date, original_period, correlation_id, contract_number, customer_key, change_id,"
        " lane, status, held_for, status_reason, intent, sends, attempts, lookups, negatives, render_no, fence,"
        " next_action_at, resume_id, erp_number, verified_count, source_ts FROM posting WHERE id = %s",
        pair[0].pk,
    )
    assert "posting_i1_ref" in reason


def test_i2_one_target_document_belongs_to_one_posting(pair: list[Posting]) -> None:
    for posting in pair:
        put(posting, SENDING)
    put(pair[0], POSTED)
    assert "posting_i2" in update(pair[1], POSTED)


@pytest.mark.parametrize(
    "assignments",
    [
        f"status = 'POSTED', posted_at = now(), next_action_at = NULL, {FREE}",
        f"status = 'POSTED', erp_document_id = 'E1', next_action_at = NULL, {FREE}",
    ],
)
def test_i3_posted_names_its_document_and_time(pair: list[Posting], assignments: str) -> None:
    put(pair[0], SENDING)
    assert "posting_i3" in update(pair[0], assignments)


def test_i3_only_posted_names_a_document(pair: list[Posting]) -> None:
    assert "posting_i3" in update(pair[0], "erp_document_id = 'E1'")


def test_i4_sending_has_a_lease(pair: list[Posting]) -> None:
    assert "posting_i4" in update(pair[0], "status = 'SENDING', fence = fence + 1")


def test_i4_only_sending_has_a_lease(pair: list[Posting]) -> None:
    assert "posting_i4" in update(pair[0], "lease_owner = 'w', lease_until = now()")


def test_i5_what_is_not_over_has_a_next_action(pair: list[Posting]) -> None:
    assert "posting_i5" in update(pair[0], "next_action_at = NULL")


def test_i6_an_exception_has_a_reason_code(pair: list[Posting]) -> None:
    assert "posting_i6" in update(pair[0], "status = 'EXCEPTION'")


def test_i6_only_an_exception_has_a_reason_code(pair: list[Posting]) -> None:
    assert "posting_i6" in update(pair[0], "exception_code = 'ERP_POST_UNKNOWN'")


ATTEMPT = (
    "INSERT INTO posting_attempt (posting_id, fence, kind, owner, started_at, detail, request, request_hash, response)"
    " VALUES (%s, %s, 'SEND', 'w', now(), '', '{}', '', '{}')"
)


def test_i7_one_send_is_open_at_a_time(pair: list[Posting]) -> None:
    sql(ATTEMPT, pair[0].pk, 1)
    assert "posting_i7" in refused(ATTEMPT, pair[0].pk, 2)


def test_i7_one_attempt_per_fence(pair: list[Posting]) -> None:
    sql(ATTEMPT, pair[0].pk, 1)
    sql("UPDATE posting_attempt SET outcome = 'POSTED' WHERE posting_id = %s", pair[0].pk)
    assert "attempt_once_per_fence" in refused(ATTEMPT, pair[0].pk, 1)


def test_i7_an_attempt_is_kept_as_it_happened(pair: list[Posting]) -> None:
    sql(ATTEMPT, pair[0].pk, 1)
    assert "as it happened" in refused(
        "UPDATE posting_attempt SET request = '{\"a\": 1}' WHERE posting_id = %s", pair[0].pk
    )
    assert "as it happened" in refused("DELETE FROM posting_attempt WHERE posting_id = %s", pair[0].pk)


@pytest.mark.parametrize("to", ["POSTED", "UNKNOWN", "REJECTED", "HELD", "ACCEPTED"])
def test_i8_a_ready_posting_makes_no_move_that_is_not_in_the_table(pair: list[Posting], to: str) -> None:
    assert "not a legal move" in update(pair[0], f"status = '{to}'")


def test_i8_the_fence_never_falls(pair: list[Posting]) -> None:
    put(pair[0], SENDING)
    assert "may not fall" in update(pair[0], "fence = 0")


@pytest.mark.parametrize("column", ["external_ref = 'other'", "business_key = 'other'", "doc_type = 'payment'"])
def test_i8_what_identifies_a_posting_is_frozen(pair: list[Posting], column: str) -> None:
    assert "frozen" in update(pair[0], column)


@pytest.mark.parametrize("column", ["amount_minor = 1", "currency = 'EUR'", "entity = 'UK01'"])
def test_i8_entity_currency_and_amount_are_frozen_after_the_first_send(pair: list[Posting], column: str) -> None:
    put(pair[0], column)
    put(pair[1], SENDING)
    assert "frozen" in update(pair[1], column)


def test_i8_a_send_cannot_be_taken_back(pair: list[Posting]) -> None:
    put(pair[0], SENDING)
    assert "taken back" in update(pair[0], "sends = 0")


@pytest.mark.parametrize(
    "to", ["status = 'READY', exception_code = NULL", "status = 'CANCELLED', exception_code = NULL"]
)
def test_i8_what_was_sent_leaves_the_desk_only_through_a_look_up(pair: list[Posting], to: str) -> None:
    put(pair[0], SENDING)
    put(pair[0], f"status = 'UNKNOWN', {FREE}")
    put(pair[0], EXCEPTION)
    assert "looked up first" in update(pair[0], to)


def test_i8_what_was_sent_is_not_cancelled_while_ready(pair: list[Posting]) -> None:
    put(pair[0], SENDING)
    put(pair[0], f"status = 'READY', {FREE}")
    assert "looked up first" in update(pair[0], "status = 'CANCELLED'")


@pytest.mark.parametrize(
    "change", ["status = 'READY', erp_document_id = NULL", "erp_document_id = 'E2'", "document = '{}'"]
)
def test_i8_posted_is_final(pair: list[Posting], change: str) -> None:
    put(pair[0], SENDING)
    put(pair[0], POSTED)
    assert "is final" in update(pair[0], change)


def test_i8_every_move_leaves_a_row_with_its_actor(pair: list[Posting]) -> None:
    put(pair[0], SENDING)
    put(pair[0], POSTED)
    assert list(pair[0].moves.order_by("id").values_list("frm", "too", "actor", "fence")) == [
        ("READY", "SENDING", "test", 1),
        ("SENDING", "POSTED", "test", 1),
    ]


def test_i8_a_move_without_an_actor_is_refused(pair: list[Posting]) -> None:
    with pytest.raises(DatabaseError, match="no actor"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('finsync.actor', '', true)")
        cursor.execute(f"UPDATE posting SET {SENDING} WHERE id = {pair[0].pk}")


@pytest.mark.parametrize("statement", ["DELETE FROM posting", "TRUNCATE posting CASCADE", "DELETE FROM posting_move"])
def test_i8_nothing_is_deleted(pair: list[Posting], statement: str) -> None:
    put(pair[0], SENDING)
    assert refused(statement)


LINE = (
    "INSERT INTO posting_line (posting_id, line_no, side, account, currency, amount_minor, rule_id, mapping_set, row_id,"
    " source_line, dimensions) VALUES (%s, %s, %s, '1100', %s, %s, 'R1', '', '', '', '{}')"
)


def test_i9_a_journal_that_does_not_balance_is_refused(pair: list[Posting]) -> None:
    assert "differ by" in refused(LINE, pair[0].pk, 1, "DR", "USD", 100)


def test_i9_currencies_do_not_balance_each_other(pair: list[Posting]) -> None:
    both = LINE + ", (%s, %s, %s, '4000', %s, %s, 'R1', '', '', '', '{}')"
    assert "differ by" in refused(both, pair[0].pk, 1, "DR", "USD", 100, pair[0].pk, 2, "CR", "EUR", 100)
    sql(both, pair[1].pk, 1, "DR", "USD", 100, pair[1].pk, 2, "CR", "USD", 100)


def test_i9_amounts_are_not_negative(pair: list[Posting]) -> None:
    assert "posting_line_amount" in refused(LINE, pair[0].pk, 1, "DR", "USD", -100)


def _version(state: str) -> MappingVersion:
    author = User.objects.create_user("ada")
    with recording("test"):
        return MappingVersion.objects.create(
            name="rules:invoice.issued", kind="rules", version=1, document={}, content_hash="0" * 64, state=state,
            effective_from="2026-01-01", author=author,
        )  # fmt: skip


def test_i10_a_mapping_that_nobody_approved_is_not_used(pair: list[Posting]) -> None:
    version = _version("DRAFT")
    assert "nobody approved" in update(pair[0], f"mapping_version_id = {version.pk}")


def test_i10_a_posting_is_reversed_once(pair: list[Posting]) -> None:
    reverse: Callable[[str], list[Posting]] = lambda prefix: prepared.postings(  # noqa: E731
        pair[0].connection, 1, prefix=prefix, reverses_id=pair[0].pk
    )
    reverse("first")
    with pytest.raises(DatabaseError, match="reverses"), transaction.atomic():
        reverse("second")


def test_one_person_cannot_propose_and_confirm(pair: list[Posting]) -> None:
    assert "posting_proposal_four_eyes" in refused(
        "INSERT INTO posting_proposal (posting_id, kind, document_id, number, evidence, proposed_by, confirmed_by)"
        " VALUES (%s, 'LINK', 'E1', '', 'seen', 'user:ada', 'user:ada')",
        pair[0].pk,
    )
