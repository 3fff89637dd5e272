"""Money is exact, refuses to mix currencies, and splits without losing a cent."""

import pickle
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.money import HALF_EVEN, CurrencyMismatch, Money, UnknownCurrency, exponent, total

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "CLF", "EUR"])
MINOR = st.integers(min_value=-(10**14), max_value=10**14)
MONEY = st.builds(Money, MINOR, CURRENCIES)
WEIGHTS = st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=20).filter(any)


def usd(amount: str | int) -> Money:
    return Money.of(amount, "USD")


def test_major_amount_becomes_minor_units_of_its_currency():
    assert usd("5276.71") == Money(527671, "USD")
    assert Money.of(5276, "JPY") == Money(5276, "JPY")
    assert Money.of(Decimal("1.250"), "KWD") == Money(1250, "KWD")
    assert usd("1.50000") == Money(150, "USD")


@pytest.mark.parametrize("value", ["1.001", "5,276.71", "", "NaN", "Infinity", "1_000", " 1", "٣", "1e999", "0x10"])
def test_a_value_that_is_no_exact_amount_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r".") as refusal:
        usd(value)
    assert value in str(refusal.value) or value.upper().replace("E", "E+") in str(refusal.value)


def test_a_float_is_never_money():
    with pytest.raises(TypeError, match="float"):
        Money.of(5276.71, "USD")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="float"):
        Money.round(5276.71, "USD")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="float"):
        Money(527671.0, "USD")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        usd(1) * 1.5  # type: ignore[operator]


@pytest.mark.parametrize("code", ["usd", "XXX", "XAU", "ZZZ", ""])
def test_unknown_currency_is_refused(code):
    with pytest.raises(UnknownCurrency, match="ISO 4217"):
        Money(1, code)


def test_exponents_come_from_iso_4217():
    assert {code: exponent(code) for code in ("USD", "JPY", "KWD", "ISK", "CLF", "HUF")} == {
        "USD": 2,
        "JPY": 0,
        "KWD": 3,
        "ISK": 0,
        "CLF": 4,
        "HUF": 2,
    }


@pytest.mark.parametrize(
    ("exact", "half_up", "half_even"),
    [
        ("0.005", 1, 0),
        ("0.015", 2, 2),
        ("-0.005", -1, 0),
        ("-0.025", -3, -2),
        ("0.0049", 0, 0),
        ("435.328575", 43533, 43533),
    ],
)
def test_ties_round_away_from_zero_or_to_even_as_named(exact, half_up, half_even):
    assert Money.round(Decimal(exact), "USD") == Money(half_up, "USD")
    assert Money.round(Decimal(exact), "USD", HALF_EVEN) == Money(half_even, "USD")


def test_currencies_do_not_mix():
    dollars, euros = usd(1), Money.of(1, "EUR")
    for mix in (lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros, lambda: dollars >= euros):
        with pytest.raises(CurrencyMismatch):
            mix()
    with pytest.raises(CurrencyMismatch):
        total([dollars], "EUR")
    assert dollars != euros


def test_arithmetic_reads_like_arithmetic():
    assert usd("12000") + usd("5276.71") - usd("0.01") == usd("17276.70")
    assert -usd(1) == usd(-1) and abs(usd(-1)) == usd(1) and usd(-1).is_negative
    assert 3 * usd("1.10") == usd("3.30")
    assert bool(usd("0.01")) and not Money.zero("USD")
    assert usd(1) < usd(2) <= usd(2) < usd(3) > usd(2) >= usd(2)
    assert total([], "USD") == Money.zero("USD")


def test_tax_and_conversion_round_once():
    assert usd("5276.71").times(Decimal("0.0825")) == usd("435.33")
    assert usd("5276.71").times(Decimal("0.20")) == usd("1055.34")
    assert Money.of("1200", "EUR").converted(Decimal("1.07381"), "USD") == usd("1288.57")
    assert Money.of("4.4556", "CLF").converted(Decimal("10.625"), "USD") == usd("47.34")
    assert Money.of("4.4556", "CLF").converted(Decimal("10.625"), "JPY") == Money(47, "JPY")


def test_money_prints_with_its_currency_and_all_its_decimals():
    assert str(usd("5276.71")) == "USD 5,276.71"
    assert str(usd("-0.05")) == "USD -0.05"
    assert str(Money(1234567, "JPY")) == "JPY 1,234,567"
    assert str(Money.zero("KWD")) == "KWD 0.000"


def test_largest_remainder_gives_the_odd_cent_to_the_largest_remainder_then_in_order():
    assert usd("0.01").allocate([1, 1, 1]) == [usd("0.01"), usd(0), usd(0)]
    assert usd("100").allocate([1, 1, 1]) == [usd("33.34"), usd("33.33"), usd("33.33")]
    assert usd("-100").allocate([1, 1, 1]) == [usd("-33.34"), usd("-33.33"), usd("-33.33")]
    assert usd("100").allocate([50, 25, 75], step=100) == [usd(33), usd(17), usd(50)]
    assert usd("1").allocate([Decimal("0.5"), Fraction(1, 2)]) == [usd("0.50"), usd("0.50")]


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [2, -1]])
def test_weights_that_share_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        usd(1).allocate(weights)


def test_an_amount_that_is_not_a_multiple_of_the_step_is_refused():
    with pytest.raises(ValueError, match="step"):
        usd("1.50").allocate([1, 1], step=100)


@given(MONEY, WEIGHTS)
def test_parts_of_an_allocation_always_sum_to_the_whole(money, weights):
    assert total(money.allocate(weights), money.currency) == money


@given(MONEY, WEIGHTS)
def test_every_part_is_within_one_minor_unit_of_its_exact_share(money, weights):
    for part, weight in zip(money.allocate(weights), weights, strict=True):
        assert abs(part.minor - Fraction(money.minor * weight, sum(weights))) < 1


@given(MONEY, WEIGHTS)
def test_a_larger_weight_never_gets_less(money, weights):
    by_weight = sorted(zip(weights, (abs(part.minor) for part in money.allocate(weights)), strict=True))
    for (light, less), (heavy, more) in pairwise(by_weight):
        assert light == heavy or less <= more


@given(MONEY, WEIGHTS)
def test_an_allocation_of_the_negative_is_the_negative_allocation(money, weights):
    assert (-money).allocate(weights) == [-part for part in money.allocate(weights)]


@given(st.lists(MINOR, max_size=20), st.randoms(use_true_random=False))
def test_a_sum_does_not_depend_on_its_order(minors, random):
    shuffled = list(minors)
    random.shuffle(shuffled)
    assert total([Money(m, "USD") for m in minors], "USD") == total([Money(m, "USD") for m in shuffled], "USD")


@given(MONEY)
def test_money_survives_a_round_trip_through_its_decimal_and_through_pickle(money):
    assert Money.of(money.major, money.currency) == money
    assert Money.of(str(money.major), money.currency) == money
    assert Money.round(money.exact, money.currency) == money
    assert pickle.loads(pickle.dumps(money)) == money
    assert hash(Money(money.minor, money.currency)) == hash(money)
    assert money.major.as_tuple().exponent == -exponent(money.currency)


@given(st.fractions(min_value=-(10**9), max_value=10**9), CURRENCIES)
def test_rounding_is_symmetric_and_moves_at_most_half_a_minor_unit(amount, currency):
    rounded = Money.round(amount, currency)
    assert Money.round(-amount, currency) == -rounded
    assert abs(rounded.exact - amount) * 10 ** exponent(currency) <= Fraction(1, 2)
