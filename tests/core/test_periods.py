"""Half-open spans, calendar months, business days and anchored price periods."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.periods import (
    Period,
    add_business_days,
    add_months,
    anchored_spans,
    days,
    is_business_day,
    next_business_day,
    periods_between,
)

DATES = st.dates(min_value=date(1990, 1, 1), max_value=date(2090, 12, 31))
SPANS = st.tuples(DATES, st.integers(min_value=1, max_value=1500)).map(lambda s: (s[0], s[0] + timedelta(days=s[1])))


def test_a_period_is_a_half_open_month():
    february = Period.of(date(2028, 2, 29))
    assert (february.start, february.end, february.label) == (date(2028, 2, 1), date(2028, 3, 1), "2028-02")
    assert february.contains(date(2028, 2, 29)) and not february.contains(date(2028, 3, 1))
    assert Period(2026, 12).next() == Period(2027, 1) and Period(2027, 1).previous() == Period(2026, 12)
    assert Period(2026, 12) < Period(2027, 1)


@pytest.mark.parametrize("label", ["2026-13", "2026-00", "2026-2", "26-02", "2026-02-01", ""])
def test_a_text_that_is_no_period_is_refused(label):
    with pytest.raises(ValueError, match=r"period|month"):
        Period.parse(label)


def test_an_instant_has_no_day_without_a_time_zone_decision():
    with pytest.raises(TypeError, match="time zone"):
        Period.of(datetime(2026, 2, 1, tzinfo=UTC))
    with pytest.raises(TypeError, match="time zone"):
        days(date(2026, 1, 1), datetime(2026, 2, 1, tzinfo=UTC))


def test_the_end_day_is_outside_the_span():
    assert days(date(2026, 1, 1), date(2027, 1, 1)) == 365
    assert days(date(2026, 2, 14), date(2027, 1, 1)) == 321
    assert periods_between(date(2026, 1, 31), date(2026, 2, 1)) == [Period(2026, 1)]
    assert periods_between(date(2026, 1, 31), date(2026, 2, 2)) == [Period(2026, 1), Period(2026, 2)]
    assert periods_between(date(2026, 1, 31), date(2026, 1, 31)) == []
    with pytest.raises(ValueError, match="before"):
        days(date(2026, 1, 2), date(2026, 1, 1))


def test_weekends_and_holidays_are_skipped():
    friday, new_year = date(2026, 12, 31) - timedelta(days=6), date(2027, 1, 1)
    assert friday.weekday() == 4
    assert next_business_day(friday) == date(2026, 12, 28)
    assert next_business_day(date(2026, 12, 31), {new_year}) == date(2027, 1, 4)
    assert add_business_days(date(2026, 12, 30), 2, {new_year}) == date(2027, 1, 4)
    assert not is_business_day(new_year, {new_year})
    with pytest.raises(ValueError, match="1 or more"):
        add_business_days(friday, 0)


def test_month_ends_are_counted_from_the_anchor_so_they_do_not_drift():
    anchor = date(2027, 1, 31)
    assert [add_months(anchor, n) for n in (1, 2, 3, 13)] == [
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
        date(2028, 2, 29),
    ]
    assert add_months(date(2028, 2, 29), 12) == date(2029, 2, 28)
    assert add_months(date(2026, 3, 31), -1) == date(2026, 2, 28)


def test_price_periods_may_be_anchored_before_or_after_the_span():
    first_fifteenth = [(date(2017, 12, 15), date(2018, 1, 15)), (date(2018, 1, 15), date(2018, 2, 15))]
    for anchor in (date(2018, 1, 15), date(2015, 6, 15), date(2030, 6, 15)):
        assert anchored_spans(date(2018, 1, 1), date(2018, 2, 15), anchor, 1) == first_fifteenth
    with pytest.raises(ValueError, match="at least one month"):
        anchored_spans(date(2018, 1, 1), date(2018, 2, 15), date(2018, 1, 1), 0)


@given(SPANS)
def test_periods_of_a_span_are_contiguous_and_hold_all_its_days(span):
    start, end = span
    periods = periods_between(start, end)
    assert sum(p.days_within(start, end) for p in periods) == days(start, end)
    assert all(p.days_within(start, end) > 0 for p in periods)
    assert all(a.next() == b for a, b in pairwise(periods))


@given(DATES)
def test_a_period_survives_its_label_and_its_neighbours(day):
    period = Period.of(day)
    assert Period.parse(period.label) == period
    assert period.next().previous() == period
    assert period.contains(day) and not period.next().contains(day)


@given(SPANS, DATES, st.integers(min_value=1, max_value=24))
def test_anchored_spans_cover_the_span_without_gap_or_overlap(span, anchor, months):
    start, end = span
    spans = anchored_spans(start, end, anchor, months)
    assert spans[0][0] <= start < spans[0][1]
    assert spans[-1][0] < end <= spans[-1][1]
    assert all(a[1] == b[0] for a, b in pairwise(spans))


@given(DATES, st.integers(min_value=1, max_value=30))
def test_a_business_day_added_is_a_business_day_later(day, count):
    later = add_business_days(day, count)
    assert is_business_day(later) and later > day
    assert sum(is_business_day(day + timedelta(days=n)) for n in range(1, (later - day).days + 1)) == count
