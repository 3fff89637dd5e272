"""Severity is arithmetic a controller can check by hand."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from finsync.core.money import Money
from finsync.core.reasons import REASONS
from finsync.core.severity import Escalation, escalation, score, sla_due

STALE = REASONS["REV_SCHEDULE_STALE"]
NEW_YORK = ZoneInfo("America/New_York")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_day_45_schedule_with_the_close_far_away_is_medium():
    severity = score(STALE, usd("5276.71"), 10, 0)
    assert (severity.score, severity.priority, severity.word) == (5, "P3", "Medium")
    assert "5,276.71" in severity.explanation or "5276.71" in severity.explanation


@pytest.mark.parametrize(
    ("amount", "points"),
    [("0.00", 0), ("99.99", 0), ("100.00", 1), ("9999.99", 1), ("10000.00", 2), ("99999.99", 2), ("100000.00", 3)],
)
def test_amount_bands_start_at_their_lower_bound(amount, points):
    assert score(STALE, usd(amount), None, 0).score == STALE.base + points
    assert score(STALE, -usd(amount), None, 0).score == STALE.base + points


@pytest.mark.parametrize(("days", "points"), [(None, 0), (6, 0), (5, 1), (3, 1), (2, 2), (0, 2), (-1, 3), (-30, 3)])
def test_closeness_of_the_close(days, points):
    assert score(STALE, None, days, 0).score == STALE.base + points


def test_missed_slas_add_at_most_two():
    assert [score(STALE, None, None, missed).score - STALE.base for missed in (0, 1, 2, 9)] == [0, 1, 2, 2]


def test_half_of_materiality_counts_as_the_highest_band():
    assert score(STALE, usd("500.00"), None, 0, materiality=usd("1000.00")).score == STALE.base + 3


@pytest.mark.parametrize(("missed", "days", "priority"), [(0, None, "P3"), (1, 5, "P2"), (2, 2, "P1")])
def test_priority_floors(missed, days, priority):
    assert score(STALE, None, days, missed).priority == priority


def test_info_without_money_is_low():
    assert score(REASONS["ING_DUPLICATE_EVENT"], None, None, 0).word == "Low"


def test_sla_counts_business_days_in_the_entitys_time_zone():
    friday = datetime(2026, 2, 13, 16, tzinfo=NEW_YORK)
    assert sla_due("P1", friday, NEW_YORK) == friday + timedelta(hours=4)
    assert sla_due("P2", friday, NEW_YORK) == datetime(2026, 2, 16, 16, tzinfo=NEW_YORK)
    assert sla_due("P2", friday, NEW_YORK, {date(2026, 2, 16)}) == datetime(2026, 2, 17, 16, tzinfo=NEW_YORK)
    assert sla_due("P3", friday, NEW_YORK) == datetime(2026, 2, 18, 16, tzinfo=NEW_YORK)
    assert sla_due("P4", friday, NEW_YORK) == datetime(2026, 2, 20, 16, tzinfo=NEW_YORK)


def test_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        sla_due("P1", datetime(2026, 2, 13, 16), NEW_YORK)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("hours", "level"), [(1, Escalation.NONE), (2, Escalation.E1), (4, Escalation.E2), (8, Escalation.E3)]
)
def test_escalation_at_half_all_and_twice_the_sla(hours, level):
    opened = datetime(2026, 2, 13, 8, tzinfo=NEW_YORK)
    due = opened + timedelta(hours=4)
    assert escalation(opened + timedelta(hours=hours), opened, due, p1_within_one_day_of_cutoff=False) is level
