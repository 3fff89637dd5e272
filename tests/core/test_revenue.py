"""Revenue schedules, waterfalls and modifications: the tables of domain.md 3a, 3c and 3d and their invariants."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.modification import (
    Closing,
    CreditTreatment,
    Measure,
    Progress,
    Segment,
    Treatment,
    cancel,
    cumulative_catch_up,
    modify,
    proposed_treatment,
    split_credit,
)
from finsync.core.money import CurrencyMismatch, Money, total
from finsync.core.periods import Period, days, periods_between
from finsync.core.revenue import (
    Method,
    Plug,
    Refused,
    ScheduleLine,
    allocate_residual,
    allocate_ssp,
    by_period,
    recognise,
    recognised_before,
    waterfall,
)

START, DAY_45, END = date(2026, 1, 1), date(2026, 2, 14), date(2027, 1, 1)


def usd(amount: str | int) -> Money:
    return Money.of(amount, "USD")


def column(text: str) -> list[Money]:
    """Amounts of one column of a table, top to bottom."""
    return [usd(cell.replace(",", "")) for cell in text.split()]


def amounts(lines: list[ScheduleLine] | tuple[ScheduleLine, ...]) -> list[Money]:
    return [line.amount for line in lines]


PLAN, EXPANSION = usd(12000), usd("5276.71")
BILLED = [(START, PLAN), (DAY_45, EXPANSION)]

BEFORE_DAILY = column(
    "1,019.18 920.55 1,019.17 986.31 1,019.17 986.30 1,019.18 1,019.18 986.30 1,019.18 986.30 1,019.18"
)
EXPANSION_DAILY = column("246.58 509.58 493.15 509.59 493.15 509.59 509.59 493.15 509.59 493.15 509.59")
AFTER_DAILY = column(
    "1,019.18 1,167.13 1,528.75 1,479.46 1,528.76 1,479.45 1,528.77 1,528.77 1,479.45 1,528.77 1,479.45 1,528.77"
)
DEFERRED_DAILY = column(
    "10,980.82 15,090.40 13,561.65 12,082.19 10,553.43 9,073.98 7,545.21 6,016.44 4,536.99 3,008.22 1,528.77 0.00"
)
AFTER_EVEN = column("1,000.00" + " 1,479.70" * 10 + " 1,479.71")
DEFERRED_EVEN = column(
    "11,000.00 14,797.01 13,317.31 11,837.61 10,357.91 8,878.21 7,398.51 5,918.81 4,439.11 2,959.41 1,479.71 0.00"
)
EXPANSION_PRORATED = column("246.58" + " 503.01" * 9 + " 503.04")
DEFERRED_PRORATED = column(
    "11,000.00 15,030.13 13,527.12 12,024.11 10,521.10 9,018.09 7,515.08 6,012.07 4,509.06 3,006.05 1,503.04 0.00"
)
CATCH_UP = column(
    "1,019.18 1,773.49 1,467.34 1,420.00 1,467.34 1,420.00 1,467.34 1,467.34 1,420.00 1,467.34 1,420.00 1,467.34"
)
DEFERRED_CATCH_UP = column(
    "10,980.82 14,484.04 13,016.70 11,596.70 10,129.36 8,709.36 7,242.02 5,774.68 4,354.68 2,887.34 1,467.34 0.00"
)

BEFORE = recognise(PLAN, START, END)
RECOGNISED_AT_45 = recognised_before(PLAN, START, END, DAY_45)


def deferred(*schedules) -> list[Money]:
    return [row.deferred for row in waterfall(BILLED, *schedules)]


# Table 3a


def test_before_the_amendment_the_plan_is_recognised_by_days():
    assert amounts(BEFORE) == BEFORE_DAILY
    assert total(amounts(BEFORE), "USD") == PLAN
    assert usd("1446.58") == RECOGNISED_AT_45


def test_the_expansion_by_days_and_both_together():
    expansion = recognise(EXPANSION, DAY_45, END)
    assert amounts(expansion) == EXPANSION_DAILY
    assert amounts(by_period(BEFORE, expansion)) == AFTER_DAILY
    assert deferred(BEFORE, expansion) == DEFERRED_DAILY


def test_even_months_with_the_plug_last():
    plan, expansion = recognise(PLAN, START, END, Method.EVEN), recognise(EXPANSION, DAY_45, END, Method.EVEN)
    assert amounts(plan) == [usd(1000)] * 12
    assert amounts(expansion) == [usd("479.70")] * 10 + [usd("479.71")]
    assert amounts(by_period(plan, expansion)) == AFTER_EVEN
    assert deferred(plan, expansion) == DEFERRED_EVEN


def test_the_first_month_prorated_and_the_rest_even():
    expansion = recognise(EXPANSION, DAY_45, END, Method.PRORATE_FIRST_LAST)
    assert amounts(expansion) == EXPANSION_PRORATED
    assert deferred(recognise(PLAN, START, END, Method.EVEN), expansion) == DEFERRED_PRORATED


def modified(treatment: Treatment, **more):
    return modify(BEFORE, EXPANSION, treatment, effective=DAY_45, end=END, recognised=RECOGNISED_AT_45, **more)


def test_a_separate_contract_adds_its_own_schedule():
    after = modified(Treatment.SEPARATE_CONTRACT)
    assert amounts(after.schedule) == AFTER_DAILY
    assert not after.catch_up


def test_terminate_and_new_gives_the_same_months_within_a_cent():
    after = modified(Treatment.PROSPECTIVE)
    assert after.to_spread == usd("15830.13") and not after.catch_up
    assert total(amounts(after.schedule), "USD") == usd("17276.71")
    for line, separate in zip(after.schedule, AFTER_DAILY, strict=True):
        assert abs(line.amount - separate) <= usd("0.01")


def test_catch_up_by_time_recognises_636_09_on_day_45():
    after = modified(Treatment.CUMULATIVE_CATCH_UP, measure=Measure("elapsed days", (Segment(START, END),)))
    assert after.catch_up == usd("636.09")
    assert amounts(after.schedule) == CATCH_UP
    assert deferred(after.schedule) == DEFERRED_CATCH_UP
    assert "elapsed days" in after.explanation and "USD 636.09" in after.explanation


def test_catch_up_by_seat_days_recognises_nothing():
    seat_days = Measure("seat-days", (Segment(START, DAY_45, 10), Segment(DAY_45, END, 15)))
    progress = seat_days.at(DAY_45)
    assert (progress.done, progress.whole) == (440, 5255)
    after = modified(Treatment.CUMULATIVE_CATCH_UP, measure=seat_days)
    assert after.catch_up == usd(0)
    assert after.measure == seat_days
    assert deferred(after.schedule)[-1] == usd(0)


def test_a_catch_up_without_its_stored_measure_is_refused():
    with pytest.raises(ValueError, match="measure of progress"):
        modified(Treatment.CUMULATIVE_CATCH_UP)


def test_inside_a_period_the_recognised_amount_must_be_stated():
    with pytest.raises(ValueError, match="how much was recognised"):
        modify(BEFORE, EXPANSION, Treatment.PROSPECTIVE, effective=DAY_45, end=END)


def test_the_discounted_variant_carves_out_879_45():
    after = modify(
        BEFORE, usd("3957.53"), Treatment.PROSPECTIVE, effective=DAY_45, end=END, recognised=RECOGNISED_AT_45
    )
    assert after.to_spread == usd("14510.95")
    shares = allocate_ssp(after.to_spread, {"original": usd(10 * 1200), "added": usd(5 * 1200)})
    assert shares == {"original": usd("9673.97"), "added": usd("4836.98")}
    assert shares["original"] - (PLAN - RECOGNISED_AT_45) == usd("-879.45")


def test_the_failure_view_is_constant_in_the_ledger_and_grows_in_revenue():
    """The ERP posted the expansion invoice, the revenue engine never heard of the amendment."""
    ledger = waterfall(BILLED, BEFORE)
    subledger = waterfall([(START, PLAN)], BEFORE)
    right = by_period(BEFORE, recognise(EXPANSION, DAY_45, END))
    assert [row.deferred for row in subledger] == column(
        "10,980.82 10,060.27 9,041.10 8,054.79 7,035.62 6,049.32 5,030.14 4,010.96 3,024.66 2,005.48 1,019.18 0.00"
    )
    gap = [mine.deferred - theirs.deferred for mine, theirs in zip(ledger, subledger, strict=True)]
    assert gap == [usd(0)] + [EXPANSION] * 11
    short = [mine - theirs for mine, theirs in zip(amounts(right), amounts(BEFORE), strict=True)]
    assert list(accumulate(short)) == column(
        "0 246.58 756.16 1,249.31 1,758.90 2,252.05 2,761.64 3,271.23 3,764.38 4,273.97 4,767.12 5,276.71"
    )


# 3c and 3d


def downgraded():
    schedule = by_period(BEFORE, recognise(EXPANSION, DAY_45, END))
    return modify(schedule, usd("-1814.79"), Treatment.PROSPECTIVE, effective=date(2026, 7, 1), end=END)


def test_a_downgrade_spreads_what_is_left_and_keeps_the_residual_cent_in_the_schedule():
    after = downgraded()
    credit = (date(2026, 7, 1), usd("-1814.79"))
    assert after.to_spread == usd("7259.19")
    assert amounts(after.schedule[6:]) == column("1,223.02 1,223.01 1,183.57 1,223.01 1,183.56 1,223.02")
    assert amounts(after.schedule[:6]) == AFTER_DAILY[:6]
    rows = waterfall([*BILLED, credit], after.schedule)
    assert [row.deferred for row in rows[6:]] == column("6,036.17 4,813.16 3,629.59 2,406.58 1,223.02 0.00")


def test_a_cancellation_closes_at_exactly_zero_and_the_cent_goes_to_revenue():
    closing = cancel(downgraded().schedule, usd("4813.15"), effective=date(2026, 9, 1))
    assert isinstance(closing, Closing)
    assert (closing.deferred, closing.to_revenue) == (usd("4813.16"), usd("0.01"))
    assert closing.schedule[-1] == ScheduleLine(Period(2026, 9), usd("0.01"))
    credits = [(date(2026, 7, 1), usd("-1814.79")), (date(2026, 9, 1), usd("-4813.15"))]
    assert waterfall([*BILLED, *credits], closing.schedule)[-1].deferred == usd(0)


@pytest.mark.parametrize(
    ("credited", "accepted"), [("4813.11", True), ("4813.21", True), ("4813.10", False), ("4813.22", False)]
)
def test_a_residual_above_five_cents_is_for_a_person(credited, accepted):
    result = cancel(downgraded().schedule, usd(credited), effective=date(2026, 9, 1))
    assert isinstance(result, Closing if accepted else Refused)
    if isinstance(result, Refused):
        assert result.amount == usd("4813.16") - usd(credited) and str(result.amount) in result.explanation


def test_a_cancellation_inside_a_month_keeps_the_days_used():
    recognised = recognised_before(PLAN, START, END, DAY_45)
    closing = cancel(BEFORE, PLAN - recognised, effective=DAY_45, recognised=recognised)
    assert isinstance(closing, Closing) and not closing.to_revenue
    assert total(amounts(closing.schedule), "USD") == recognised


# Allocation, credits, choices


def test_a_price_is_allocated_by_relative_selling_price():
    ssps = {"A": usd(50), "B": usd(25), "C": usd(75)}
    assert allocate_ssp(usd(100), ssps, step=100) == {"A": usd(33), "B": usd(17), "C": usd(50)}
    assert allocate_ssp(usd(100), ssps) == {"A": usd("33.33"), "B": usd("16.67"), "C": usd(50)}
    with pytest.raises(CurrencyMismatch):
        allocate_ssp(usd(100), {"A": Money.of(50, "EUR")})


def test_a_discount_that_belongs_to_two_goods_is_allocated_to_them_only():
    bundle = allocate_ssp(usd(60), {"B": usd(55), "C": usd(45)}, step=100)
    assert allocate_residual(usd(130), {"A": usd(40), **bundle}, "D") == {
        "A": usd(40),
        "B": usd(33),
        "C": usd(27),
        "D": usd(30),
    }


@pytest.mark.parametrize("price", [100, 90])
def test_a_residual_of_nothing_is_no_selling_price(price):
    refused = allocate_residual(usd(price), {"A": usd(100)}, "D")
    assert isinstance(refused, Refused)
    assert refused.amount == usd(price - 100) and "D would get" in refused.explanation


def test_a_credit_is_prospective_or_proportional():
    proportional = split_credit(usd(45), usd(31), usd(90), CreditTreatment.PROPORTIONAL_CONTRA)
    assert (proportional.from_deferred, proportional.contra) == (usd("29.50"), usd("15.50"))
    prospective = split_credit(usd(45), usd(31), usd(90), CreditTreatment.PROSPECTIVE)
    assert (prospective.from_deferred, prospective.contra) == (usd(45), usd(0))
    excess = split_credit(usd(90), usd(31), usd(90), CreditTreatment.PROSPECTIVE)
    assert (excess.from_deferred, excess.contra) == (usd(59), usd(31))
    with pytest.raises(ValueError, match="line of zero"):
        split_credit(usd(1), usd(0), usd(0), CreditTreatment.PROSPECTIVE)


@pytest.mark.parametrize(
    ("addition", "at_ssp", "remaining", "treatment"),
    [
        (True, True, True, Treatment.SEPARATE_CONTRACT),
        (True, True, False, Treatment.SEPARATE_CONTRACT),
        (True, False, True, Treatment.PROSPECTIVE),
        (False, False, True, Treatment.PROSPECTIVE),
        (False, True, False, Treatment.CUMULATIVE_CATCH_UP),
    ],
)
def test_the_proposed_treatment_follows_25_12_and_25_13(addition, at_ssp, remaining, treatment):
    proposal = proposed_treatment(addition_distinct=addition, priced_at_ssp=at_ssp, remaining_distinct=remaining)
    assert proposal is treatment


def test_progress_may_be_rounded_as_the_contract_says():
    exact, rounded = Progress(420_000, 820_000), Progress(420_000, 820_000, places=3)
    assert cumulative_catch_up(usd(1_350_000), rounded, usd(600_000)) == usd(91_200)
    assert cumulative_catch_up(usd(1_350_000), exact, usd(600_000)) == usd("91463.41")


# Plugs and methods


@pytest.mark.parametrize(
    ("plug", "expected"),
    [
        (Plug.LAST, "33.33 33.33 33.34"),
        (Plug.NEXT_TO_LAST, "33.33 33.34 33.33"),
        (Plug.CUMULATIVE_DIFFERENCE, "33.33 33.34 33.33"),
        (Plug.LARGEST_REMAINDER, "33.34 33.33 33.33"),
    ],
)
def test_each_plug_puts_the_cent_in_its_own_place(plug, expected):
    assert amounts(recognise(usd(100), date(2026, 1, 1), date(2026, 4, 1), Method.EVEN, plug)) == column(expected)


def test_netsuite_prorates_both_ends_and_plugs_the_month_before_the_last():
    lines = recognise(usd(400), date(2026, 8, 20), date(2026, 12, 20), Method.PRORATE_FIRST_LAST, Plug.NEXT_TO_LAST)
    assert amounts(lines) == column("39.34 99.45 99.45 99.46 62.30")


def test_an_even_split_can_leave_out_the_part_month_at_the_end():
    assert amounts(recognise(usd(1200), date(2025, 7, 20), date(2025, 10, 20), Method.EVEN_CUT_LAST)) == [usd(400)] * 3
    assert amounts(recognise(usd(1200), date(2025, 7, 1), date(2025, 10, 1), Method.EVEN_CUT_LAST)) == [usd(400)] * 3
    assert amounts(recognise(usd(1200), date(2025, 7, 1), date(2025, 7, 9), Method.EVEN_CUT_LAST)) == [usd(1200)]


def test_a_schedule_without_a_day_is_refused():
    with pytest.raises(ValueError, match="at least one day"):
        recognise(usd(1), START, START)


def test_a_waterfall_of_nothing_is_empty_and_one_of_billing_ahead_starts_with_the_bill():
    assert waterfall([]) == []
    rows = waterfall([(date(2025, 11, 20), usd(31))], recognise(usd(31), START, date(2026, 2, 1)))
    assert [(row.period.label, row.deferred) for row in rows] == [
        ("2025-11", usd(31)),
        ("2025-12", usd(31)),
        ("2026-01", usd(0)),
    ]


def test_revenue_ahead_of_the_invoice_is_a_contract_asset():
    rows = waterfall([(date(2026, 2, 1), usd(31))], recognise(usd(31), START, date(2026, 2, 1)))
    assert [row.deferred for row in rows] == [usd(-31), usd(0)]


# Invariants

MONEY = st.builds(Money, st.integers(min_value=-(10**12), max_value=10**12), st.sampled_from(["USD", "JPY", "KWD"]))
SPANS = st.builds(
    lambda start, length: (start, start + timedelta(days=length)),
    st.dates(min_value=date(2015, 1, 1), max_value=date(2040, 1, 1)),
    st.integers(min_value=1, max_value=1200),
)
METHODS, PLUGS = st.sampled_from(Method), st.none() | st.sampled_from(Plug)


@given(MONEY, SPANS, METHODS, PLUGS)
def test_a_schedule_always_sums_to_its_total_and_stays_inside_its_span(money, span, method, plug):
    lines = recognise(money, *span, method, plug)
    touched = periods_between(*span)
    assert total(amounts(lines), money.currency) == money
    assert [line.period for line in lines] == touched[: len(lines)] and len(touched) - len(lines) <= 1


@given(MONEY, SPANS, METHODS, PLUGS)
def test_a_credit_mirrors_the_schedule_of_its_charge(money, span, method, plug):
    assert amounts(recognise(-money, *span, method, plug)) == [
        -a for a in amounts(recognise(money, *span, method, plug))
    ]


@given(MONEY, SPANS, METHODS, PLUGS)
def test_a_waterfall_of_a_billed_schedule_ends_at_zero(money, span, method, plug):
    rows = waterfall([(span[0], money)], recognise(money, *span, method, plug))
    assert rows[-1].deferred == Money.zero(money.currency)


@given(MONEY, SPANS, st.fractions(min_value=0, max_value=1))
def test_daily_lines_never_drift_from_the_exact_running_total(money, span, part):
    running = accumulate(amounts(recognise(money, *span)))
    for recognised, period in zip(running, periods_between(*span), strict=True):
        assert recognised == recognised_before(money, *span, period.end)
    day = span[0] + timedelta(days=int(days(*span) * part))
    assert abs(recognised_before(money, *span, day)) <= abs(money)


CHANGES = st.fractions(min_value=Decimal("0"), max_value=Decimal("0.99"))


@given(MONEY, st.integers(min_value=-(10**11), max_value=10**11), SPANS, CHANGES, st.sampled_from(Treatment), METHODS)
def test_after_any_modification_the_schedule_sums_to_the_new_price_and_the_past_is_untouched(
    money, delta, span, part, treatment, method
):
    start, end = span
    effective = start + timedelta(days=int(days(*span) * part))
    change = Money(delta, money.currency)
    before = recognise(money, *span)
    measure = Measure("elapsed days", (Segment(*span),))
    done = recognised_before(money, *span, effective)
    after = modify(
        before, change, treatment, effective=effective, end=end, recognised=done, method=method, measure=measure
    )
    assert total(amounts(after.schedule), money.currency) == money + change
    assert [line for line in after.schedule if line.period < Period.of(effective)] == [
        line for line in before if line.period < Period.of(effective)
    ]
    billed = [(start, money), (effective, change)]
    assert not waterfall(billed, after.schedule)[-1].deferred


@given(MONEY, SPANS, CHANGES, st.integers(min_value=-5, max_value=5))
def test_a_cancellation_within_the_residual_always_ends_at_zero(money, span, part, off):
    effective = span[0] + timedelta(days=int(days(*span) * part))
    done = recognised_before(money, *span, effective)
    credited = money - done + Money(off, money.currency)
    closing = cancel(recognise(money, *span), credited, effective=effective, recognised=done)
    assert isinstance(closing, Closing) and closing.to_revenue == Money(-off, money.currency)
    rows = waterfall([(span[0], money), (effective, -credited)], closing.schedule)
    assert not rows[-1].deferred


@given(MONEY, st.lists(st.integers(min_value=1, max_value=10**9), min_size=1, max_size=8))
def test_an_allocation_by_selling_price_sums_to_the_price(price, minors):
    ssps = {str(n): Money(minor, price.currency) for n, minor in enumerate(minors)}
    assert total(allocate_ssp(price, ssps).values(), price.currency) == price
