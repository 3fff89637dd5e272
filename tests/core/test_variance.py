"""One pair, one class: what is on its way is not broken, and tolerance never hides a count or a state."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.matching.variance import AGREEING, VarianceClass, classify
from finsync.core.money import Money
from finsync.core.records.observed import Observed

YOUNG, SLA, OLD = timedelta(hours=1), timedelta(hours=4), timedelta(hours=5)
CENTS = Money.of("0.02", "USD")
BILLING = Observed(
    object="invoice", key="INV-2", entity="US01", currency="USD", period="2026-02",
    amount=Money.of("5712.04", "USD"), state="open", source_id="in_2",
)  # fmt: skip
ERP = replace(BILLING, source_id="42")


def of(a, b, *, age=OLD, **options):
    return classify(a, b, age=age, sla=SLA, names=("Billing", "ERP"), **options)


def less(cents):
    return replace(ERP, amount=Money(BILLING.amount.minor - cents, "USD"))


@pytest.mark.parametrize(
    ("a", "b", "options", "kind"),
    [
        (BILLING, ERP, {}, "MATCHED"),
        (BILLING, None, {"age": YOUNG}, "IN_TRANSIT"),
        (BILLING, None, {"age": SLA}, "IN_TRANSIT"),
        (BILLING, None, {}, "MISSING_B"),
        (None, ERP, {}, "MISSING_A"),
        (None, ERP, {"manual": True}, "MANUAL"),
        (None, ERP, {"manual": True, "age": YOUNG}, "MANUAL"),
        (BILLING, less(1), {}, "AMOUNT"),
        (BILLING, less(1), {"age": YOUNG}, "AMOUNT"),
        (BILLING, less(2), {"tolerance": CENTS}, "ROUNDING"),
        (BILLING, less(3), {"tolerance": CENTS}, "AMOUNT"),
        (BILLING, less(300), {"manual": True}, "MANUAL"),
        (BILLING, replace(ERP, amount=Money.of("5712.04", "EUR"), currency="EUR"), {}, "AMOUNT"),
        (BILLING, replace(ERP, state="paid"), {}, "STATE"),
        (BILLING, replace(ERP, state="paid"), {"age": YOUNG}, "IN_TRANSIT"),
        (replace(BILLING, version=2), replace(ERP, version=1), {}, "STATE"),
        (replace(BILLING, version=2), ERP, {}, "MATCHED"),
        (BILLING, replace(ERP, period="2026-03"), {}, "TIMING_CUTOFF"),
        (BILLING, ERP, {"count_b": 2}, "DUPLICATE"),
        (BILLING, None, {"count_a": 2}, "DUPLICATE"),
        (replace(BILLING, state="draft"), None, {"a_expects_b": False}, "MATCHED"),
        (replace(BILLING, state="draft"), ERP, {"a_expects_b": False}, "STATE"),
    ],
)
def test_class_of_a_pair(a, b, options, kind):
    variance = of(a, b, **options)
    assert variance.kind.value == kind
    assert variance.explanation


def test_difference_is_a_minus_b_and_a_missing_side_counts_as_nothing():
    assert of(BILLING, less(3)).difference == Money.of("0.03", "USD")
    assert of(BILLING, None).difference == BILLING.amount
    assert of(None, ERP).difference == -ERP.amount
    assert of(BILLING, ERP).difference == Money.zero("USD")


def test_day_45_schedule_of_an_older_version_is_a_state_break_with_both_versions():
    contract, schedule = replace(BILLING, version=2), replace(ERP, version=1)
    assert of(contract, schedule).explanation == "Billing is open at version 2, ERP is open at version 1"


def test_nothing_on_both_sides_is_no_pair():
    with pytest.raises(ValueError, match="at least one side"):
        of(None, None)


cents = st.integers(-5, 5)
ages = st.sampled_from([YOUNG, SLA, OLD])


@given(
    cents,
    cents,
    ages,
    st.sampled_from(["open", "paid"]),
    st.integers(1, 3),
    st.integers(0, 3).map(lambda c: Money(c, "USD")),
)
def test_agreement_needs_one_document_each_equal_state_and_a_difference_within_tolerance(
    left, right, age, state, count, tolerance
):
    a, b = replace(BILLING, amount=Money(left, "USD")), replace(ERP, amount=Money(right, "USD"), state=state)
    variance = of(a, b, age=age, count_b=count, tolerance=tolerance)
    agrees = count == 1 and state == "open" and abs(left - right) <= tolerance.minor
    assert (variance.kind in AGREEING) == agrees


@given(cents, cents, ages, st.sampled_from(["open", "paid"]))
def test_turning_the_sides_round_turns_the_difference_round(left, right, age, state):
    a, b = replace(BILLING, amount=Money(left, "USD")), replace(ERP, amount=Money(right, "USD"), state=state)
    one, other = of(a, b, age=age), of(b, a, age=age)
    assert one.kind == other.kind and one.difference == -other.difference


@given(ages)
def test_missing_side_mirrors(age):
    mirror = {VarianceClass.MISSING_A: VarianceClass.MISSING_B}
    one = of(None, ERP, age=age).kind
    assert mirror.get(one, one) == of(BILLING, None, age=age).kind
