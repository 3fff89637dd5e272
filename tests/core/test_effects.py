"""Every commercial event declares what must follow, by when, and what must not."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.effects import (
    ROWS,
    BusinessCalendar,
    DeadlineClass,
    EffectKind,
    System,
    UndeclaredEvent,
    cut_off,
    due_at,
    expected_effects,
    hard_stop,
)
from finsync.core.money import Money
from finsync.core.periods import Period
from finsync.core.reasons import REASONS

NEW_YORK = BusinessCalendar(ZoneInfo("America/New_York"))
NET, GROSS = Money.of("5276.71", "USD"), Money.of("5712.04", "USD")


def found(effects, system, kind):
    return [effect for effect in effects if (effect.system, effect.kind) == (system, kind)]


def local(*parts):
    return datetime(*parts, tzinfo=NEW_YORK.zone)


def test_all_46_rows_are_declared_once():
    assert [row.number for row in ROWS] == list(range(1, 47))
    assert all(row.cells for row in ROWS)


def test_every_miss_has_a_reason_with_an_owner():
    assert {cell.code for row in ROWS for cell in row.cells} <= set(REASONS)


def test_an_event_with_several_rows_tells_them_apart_by_facts():
    by_event = {}
    for row in ROWS:
        for event in row.events:
            by_event.setdefault(event, []).append(row.where)
    for event, wheres in by_event.items():
        assert len(wheres) == 1 or all(wheres), event


def test_day_45_expansion_expects_schedule_from_the_contract_and_not_from_the_invoice():
    effects = expected_effects("amendment.seat_expansion", {"net": NET, "gross": GROSS})
    (schedule,) = found(effects, System.REVENUE, EffectKind.SCHEDULE)
    assert (schedule.amount, schedule.deadline_class, schedule.code_if_missing) == (
        NET,
        DeadlineClass.D4,
        "REV_SCHEDULE_STALE",
    )
    (invoice,) = found(effects, System.BILLING, EffectKind.INVOICE)
    assert (invoice.amount, invoice.deadline_class) == (GROSS, DeadlineClass.D3)
    (journal,) = found(effects, System.ERP, EffectKind.JOURNAL)
    assert (journal.amount, journal.deadline_class) == (GROSS, DeadlineClass.D4)
    assert "5,712.04" in invoice.explanation or "5712.04" in invoice.explanation


def test_new_contract_in_advance_and_in_arrears_differ_in_the_invoice():
    advance = expected_effects("contract.new", {"billing_timing": "in_advance", "gross": GROSS})
    arrears = expected_effects("contract.new", {"billing_timing": "in_arrears"})
    assert [effect.must_exist for effect in found(advance, System.BILLING, EffectKind.INVOICE)] == [True]
    assert [effect.must_exist for effect in found(arrears, System.BILLING, EffectKind.INVOICE)] == [False]
    assert found(advance, System.ERP, EffectKind.CUSTOMER)[0].deadline_class is DeadlineClass.D1


def test_cancellation_at_term_end_asserts_that_nothing_happens():
    effects = expected_effects("cancel.end_of_term", {})
    assert effects and not any(effect.must_exist for effect in effects)
    assert {effect.system for effect in effects} == {System.BILLING, System.GATEWAY, System.ERP}
    assert all(effect.anchor == "term_end" for effect in effects)


def test_failed_payment_leaves_the_ledger_alone_unless_it_was_booked():
    (absent,) = found(expected_effects("payment.failed", {"was_booked": False}), System.ERP, EffectKind.JOURNAL)
    (reversal,) = found(
        expected_effects("payment.failed", {"was_booked": True, "gross": GROSS}), System.ERP, EffectKind.JOURNAL
    )
    assert not absent.must_exist
    assert reversal.must_exist and reversal.amount == GROSS


def test_refund_of_an_unpaid_invoice_is_not_expected():
    paid = expected_effects("cancel.immediate", {"refunded": True, "invoice_paid": True})
    unpaid = expected_effects("cancel.immediate", {"refunded": True, "invoice_paid": False})
    assert found(paid, System.GATEWAY, EffectKind.REFUND) and not found(unpaid, System.GATEWAY, EffectKind.REFUND)


def test_undeclared_event_or_variant_is_never_guessed():
    with pytest.raises(UndeclaredEvent, match=r"contract\.nwe is not declared"):
        expected_effects("contract.nwe", {})
    with pytest.raises(UndeclaredEvent, match="billing_timing = in_advance; billing_timing = in_arrears"):
        expected_effects("contract.new", {})


FRIDAY = local(2026, 2, 13, 16, 30)


@pytest.mark.parametrize(
    ("deadline", "due"),
    [
        (DeadlineClass.D1, local(2026, 2, 13, 16, 45)),
        (DeadlineClass.D2, local(2026, 2, 13, 17, 30)),
        (DeadlineClass.D3, local(2026, 2, 13, 20, 30)),
        (DeadlineClass.D4, local(2026, 2, 16, 10)),
        (DeadlineClass.D5, local(2026, 2, 17, 16, 30)),
        (DeadlineClass.AT, FRIDAY),
        (DeadlineClass.DAY_AFTER, local(2026, 2, 14, 16, 30)),
        (DeadlineClass.BEFORE_48H, local(2026, 2, 11, 16, 30)),
        (DeadlineClass.WD1, local(2026, 3, 2, 18)),
    ],
)
def test_due_time_of_each_class(deadline, due):
    assert due_at(deadline, FRIDAY, NEW_YORK) == due


def test_business_day_is_the_entitys_and_not_utc():
    late_sunday_utc = datetime(2026, 2, 16, 2, tzinfo=UTC)  # Sunday evening in New York
    assert due_at(DeadlineClass.D4, late_sunday_utc, NEW_YORK) == local(2026, 2, 16, 10)


def test_holiday_moves_the_next_business_day():
    calendar = BusinessCalendar(NEW_YORK.zone, frozenset({date(2026, 2, 16)}))
    assert due_at(DeadlineClass.D4, FRIDAY, calendar) == local(2026, 2, 17, 10)


def test_hard_stop_is_four_hours_before_cut_off_and_pulls_due_times_forward():
    february = Period(2026, 2)
    assert cut_off(february, NEW_YORK) == local(2026, 3, 2, 18)
    assert hard_stop(february, NEW_YORK) == local(2026, 3, 2, 14)
    last_friday = local(2026, 2, 27, 16)
    assert due_at(DeadlineClass.D5, last_friday, NEW_YORK) == local(2026, 3, 3, 16)
    assert due_at(DeadlineClass.D5, last_friday, NEW_YORK, period=february) == local(2026, 3, 2, 14)


def test_anchor_without_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        due_at(DeadlineClass.D1, datetime(2026, 2, 13), NEW_YORK)  # noqa: DTZ001


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([DeadlineClass.D1, DeadlineClass.D2, DeadlineClass.D3, DeadlineClass.D4, DeadlineClass.D5]),
)
def test_due_time_is_after_the_event_and_never_after_the_hard_stop(anchor, deadline):
    period = Period.of(anchor.astimezone(NEW_YORK.zone).date())
    due = due_at(deadline, anchor, NEW_YORK)
    assert anchor < due < anchor + timedelta(days=7)
    assert due_at(deadline, anchor, NEW_YORK, period=period) == min(due, hard_stop(period, NEW_YORK))
