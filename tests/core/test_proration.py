"""One change of seats, many prices: each rule gives its own figure, and the figure names its rule (domain.md 0.2)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.money import HALF_EVEN, CurrencyMismatch, Money, total
from finsync.core.periods import add_months
from finsync.core.proration import (
    DayCount,
    PricedQuantity,
    ProrationMethod,
    ProrationRule,
    Rounding,
    identify,
    prorate,
    prorate_swap,
)

START, END, DAY_45 = date(2026, 1, 1), date(2027, 1, 1), date(2026, 2, 14)
INCLUDED = DayCount.EFFECTIVE_DAY_INCLUDED
TERM = {"term_start": START, "term_end": END, "effective": DAY_45}


def usd(amount: str | int) -> Money:
    return Money.of(amount, "USD")


SEAT = usd(1200)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (ProrationRule(), "5276.71"),
        (ProrationRule(rounding=Rounding.UNIT_THEN_EXTEND), "5276.70"),
        (ProrationRule(rounding=Rounding.CREDIT_AND_CHARGE), "5276.72"),
        (ProrationRule(ProrationMethod.MONTH_ANCHORED), "5267.86"),
        (ProrationRule(ProrationMethod.THIRTY_360), "5283.33"),
        (ProrationRule(day_count=INCLUDED), "5260.27"),
        (ProrationRule(ProrationMethod.SECOND), "5276.71"),
        (ProrationRule(ProrationMethod.ACTUAL_360), "5350.00"),
    ],
    ids=str,
)
def test_five_seats_from_day_45_cost_what_the_stored_rule_says(rule, expected):
    assert prorate(SEAT, 5, START, END, DAY_45, rule, previous_quantity=10).amount == usd(expected)


def test_a_credit_and_a_charge_are_two_lines():
    rule = ProrationRule(rounding=Rounding.CREDIT_AND_CHARGE)
    assert prorate(SEAT, 5, START, END, DAY_45, rule, previous_quantity=10).lines == (usd("-10553.42"), usd("15830.14"))


def test_a_credit_and_a_charge_need_the_old_quantity():
    with pytest.raises(ValueError, match="previous_quantity"):
        prorate(SEAT, 5, START, END, DAY_45, ProrationRule(rounding=Rounding.CREDIT_AND_CHARGE))


def test_the_result_carries_its_days_its_exact_value_and_its_explanation():
    result = prorate(SEAT, 5, START, END, DAY_45, ProrationRule())
    assert (result.used_days, result.remaining_days) == (44, 321)
    assert result.exact == Fraction(6000 * 321, 365)
    for part in ("USD 1,200.00 × 5", "321 of 365 days", "USD 5,276.71", "DAY, EFFECTIVE_DAY_EXCLUDED, EXTENDED_LINE"):
        assert part in result.explanation


@pytest.mark.parametrize(
    ("seats", "effective", "expected"),
    [(-3, date(2026, 7, 1), "-1814.79"), (-12, date(2026, 9, 1), "-4813.15"), (5, START, "6000.00"), (5, END, "0.00")],
)
def test_a_downgrade_a_cancellation_and_both_ends_of_the_term(seats, effective, expected):
    assert prorate(SEAT, seats, START, END, effective, ProrationRule()).amount == usd(expected)


def test_discounted_seats_prorate_at_their_own_price():
    assert prorate(usd(900), 5, START, END, DAY_45, ProrationRule()).amount == usd("3957.53")


@pytest.mark.parametrize("effective", [date(2025, 12, 31), date(2027, 1, 2)])
def test_a_change_outside_the_term_is_refused(effective):
    with pytest.raises(ValueError, match="outside the term"):
        prorate(SEAT, 5, START, END, effective, ProrationRule())


def test_a_two_year_term_prorates_each_price_period_by_its_own_days():
    result = prorate(SEAT, 1, date(2027, 1, 1), date(2029, 1, 1), date(2027, 7, 1), ProrationRule())
    assert result.exact == 1200 * Fraction(184, 365) + 1200  # 2028 is a leap year and still one price


def test_a_monthly_price_counts_from_the_bill_day():
    term = (date(2018, 1, 1), date(2018, 2, 15), date(2018, 1, 1))
    bill_day = date(2018, 1, 15)
    by_day = prorate(usd(100), 1, *term, ProrationRule(), 1, anchor=bill_day)
    by_30 = prorate(usd(100), 1, *term, ProrationRule(ProrationMethod.THIRTY_360), 1, anchor=bill_day)
    assert (by_day.amount, by_30.amount) == (usd("145.16"), usd("146.67"))


def test_months_can_be_counted_to_six_places_or_rounded_up():
    months = ProrationMethod.MONTH_ANCHORED
    term = (date(2026, 1, 1), date(2026, 11, 9), date(2026, 1, 1))  # ten months and 8 of 30 days
    by_places = prorate(usd(90), 1, *term, ProrationRule(months, month_places=1), 1)
    assert by_places.exact == 90 * Fraction(103, 10)
    assert prorate(usd(90), 1, *term, ProrationRule(months, whole_months=True), 1).amount == usd(990)


@pytest.mark.parametrize(
    "arguments",
    [
        {"month_places": 6},
        {"whole_months": True},
        {"method": ProrationMethod.SECOND, "day_count": INCLUDED},
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(arguments):
    with pytest.raises(ValueError, match=r"MONTH_ANCHORED|SECOND"):
        ProrationRule(**arguments)


def test_seconds_follow_the_clock_of_the_anchor():
    start = datetime(2026, 4, 1, 12, tzinfo=UTC)
    end, half = start + timedelta(days=30), start + timedelta(days=15)
    result = prorate_swap(
        PricedQuantity(usd(10), 1),
        PricedQuantity(usd(20), 1),
        term_start=start,
        term_end=end,
        effective=half,
        rule=ProrationRule(ProrationMethod.SECOND, rounding=Rounding.CREDIT_AND_CHARGE),
        price_period_months=1,
    )
    assert result.lines == (usd(-5), usd(10)) and result.amount == usd(5)
    assert result.remaining_days == 15
    with pytest.raises(ValueError, match="no time zone"):
        prorate(SEAT, 1, start.replace(tzinfo=None), end, half, ProrationRule(ProrationMethod.SECOND))


def test_seconds_of_whole_days_cost_what_days_cost_and_days_refuse_an_instant():
    second = prorate(SEAT, 5, START, END, DAY_45, ProrationRule(ProrationMethod.SECOND))
    assert second.exact == prorate(SEAT, 5, START, END, DAY_45, ProrationRule()).exact
    with pytest.raises(TypeError, match="time zone"):
        prorate(SEAT, 5, START, END, datetime(2026, 2, 14, tzinfo=UTC), ProrationRule())


def test_a_change_hours_before_the_period_turns_pays_those_hours_too():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    two_months_on, six_hours_before = noon.replace(month=5), noon.replace(month=4) - timedelta(hours=6)
    result = prorate(usd(100), 1, noon, two_months_on, six_hours_before, ProrationRule(ProrationMethod.SECOND), 1)
    assert result.exact == 100 + 100 * Fraction(6, 31 * 24)


def test_a_31st_counts_as_the_30th_where_every_month_has_30_days():
    rule = ProrationRule(ProrationMethod.THIRTY_360)
    result = prorate(SEAT, 1, START, END, date(2026, 8, 31), rule)
    assert result.remaining_days == 121 and result.used_days == 239
    assert prorate(SEAT, 1, START, END, date(2026, 8, 30), rule).amount == result.amount


def test_a_plan_swap_refuses_two_currencies():
    with pytest.raises(CurrencyMismatch):
        prorate_swap(PricedQuantity(SEAT, 1), PricedQuantity(Money.of(1, "EUR"), 1), rule=ProrationRule(), **TERM)


@pytest.mark.parametrize(
    ("observed", "rule"),
    [
        ("5276.70", ProrationRule(rounding=Rounding.UNIT_THEN_EXTEND)),
        ("5276.71", ProrationRule()),
        ("5276.72", ProrationRule(rounding=Rounding.CREDIT_AND_CHARGE)),
        ("5267.86", ProrationRule(ProrationMethod.MONTH_ANCHORED)),
        ("5283.33", ProrationRule(ProrationMethod.THIRTY_360)),
        ("5260.27", ProrationRule(day_count=INCLUDED)),
    ],
)
def test_an_observed_amount_names_the_rule_behind_it(observed, rule):
    found = identify(usd(observed), SEAT, 5, previous_quantity=10, **TERM)
    assert found.fits[0] == rule
    assert not found.difference and str(rule) in found.explanation


def test_an_amount_no_rule_explains_names_the_nearest_and_the_difference():
    found = identify(usd("5276.75"), SEAT, 5, previous_quantity=10, **TERM)
    assert found.fits == ()
    assert (found.nearest.rounding, found.difference) == (Rounding.CREDIT_AND_CHARGE, usd("0.03"))
    assert "no known rule gives USD 5,276.75" in found.explanation


def test_the_stored_rule_leads_if_it_fits_and_the_pair_is_not_tried_without_its_quantity():
    stored = ProrationRule(ProrationMethod.SECOND)
    assert identify(usd("5276.71"), SEAT, 5, stored=stored, **TERM).fits[0] == stored
    assert identify(usd("5276.72"), SEAT, 5, **TERM).fits == ()


def test_a_rule_survives_being_stored():
    rule = ProrationRule(ProrationMethod.MONTH_ANCHORED, INCLUDED, Rounding.UNIT_THEN_EXTEND, HALF_EVEN, 6)
    stored = cattrs.unstructure(rule)
    assert stored["method"] == "MONTH_ANCHORED"
    assert cattrs.Converter().structure(stored, ProrationRule) == rule


TERMS = st.builds(
    lambda start, months, at: (start, add_months(start, months), at),
    st.dates(min_value=date(2015, 1, 1), max_value=date(2040, 1, 1)),
    st.integers(min_value=1, max_value=36),
    st.fractions(min_value=0, max_value=1),
).map(lambda t: (t[0], t[1], t[0] + timedelta(days=int((t[1] - t[0]).days * t[2]))))
PRICES = st.builds(Money, st.integers(min_value=0, max_value=10**9), st.sampled_from(["USD", "JPY", "KWD"]))
QUANTITIES = st.integers(min_value=-500, max_value=500)
RULES = st.builds(ProrationRule, st.sampled_from(ProrationMethod))


@given(PRICES, QUANTITIES, TERMS, RULES, st.sampled_from([1, 3, 12]))
def test_what_was_used_and_what_remains_make_the_whole_within_one_minor_unit(price, quantity, term, rule, months):
    start, end, effective = term
    rest = prorate(price, quantity, start, end, effective, rule, months)
    used = prorate(price, quantity, start, effective, start, rule, months)
    whole = prorate(price, quantity, start, end, start, rule, months)
    assert used.exact + rest.exact == whole.exact
    assert abs((used.amount + rest.amount - whole.amount).minor) <= 1


@given(PRICES, QUANTITIES, TERMS, RULES)
def test_taking_seats_away_credits_what_adding_them_charges(price, quantity, term, rule):
    assert prorate(price, quantity, *term, rule).amount == -prorate(price, -quantity, *term, rule).amount


@given(PRICES, QUANTITIES, QUANTITIES, TERMS, RULES)
def test_two_changes_on_one_day_cost_what_one_change_costs_within_rounding(price, first, second, term, rule):
    apart = [prorate(price, quantity, *term, rule).amount for quantity in (first, second)]
    together = prorate(price, first + second, *term, rule).amount
    assert abs((total(apart, price.currency) - together).minor) <= 1


@given(PRICES, st.integers(min_value=0, max_value=500), QUANTITIES, TERMS, st.sampled_from(Rounding))
def test_rounding_units_differ_only_by_rounding(price, before, quantity, term, rounding):
    result = prorate(price, quantity, *term, ProrationRule(rounding=rounding), previous_quantity=before)
    bound = max(1, abs(quantity)) if rounding is Rounding.UNIT_THEN_EXTEND else 1
    assert abs(Money.round(result.exact, price.currency).minor - result.amount.minor) <= bound
    assert total(result.lines, price.currency) == result.amount


@given(PRICES, st.integers(min_value=1, max_value=500), TERMS, RULES)
def test_every_charged_amount_is_identified_by_the_rule_that_made_it(price, quantity, term, rule):
    start, end, effective = term
    charged = prorate(price, quantity, start, end, effective, rule).amount
    found = identify(charged, price, quantity, term_start=start, term_end=end, effective=effective)
    assert rule in found.fits and not found.difference


@given(PRICES, TERMS)
def test_a_later_change_never_costs_more(price, term):
    start, end, effective = term
    later = min(effective + timedelta(days=1), end)
    amounts = [prorate(price, 1, start, end, day, ProrationRule()).exact for day in (effective, later)]
    assert amounts[0] >= amounts[1]


def test_a_part_quantity_is_exact():
    assert prorate(SEAT, Decimal("2.5"), START, END, DAY_45, ProrationRule()).exact == Fraction(3000 * 321, 365)
