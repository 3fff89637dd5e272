"""A journal balances or does not exist."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.journal import Journal, JournalLine, Unbalanced, credit, debit
from finsync.core.money import CurrencyMismatch, Money


def usd(amount: str | int) -> Money:
    return Money.of(amount, "USD")


def eur(amount: str | int) -> Money:
    return Money.of(amount, "EUR")


INVOICE = [
    debit("1100", usd("5712.04"), rule_id="R010", dimensions=(("entity", "US01"),)),
    credit("2100", usd("5276.71"), rule_id="R010"),
    credit("2200", usd("435.33"), rule_id="R010"),
]


def test_the_day_45_invoice_balances():
    journal = Journal.balanced(INVOICE)
    assert isinstance(journal, Journal)
    assert journal.turnover("USD") == usd("5712.04")
    assert journal.net("1100", "USD") == usd("5712.04") and journal.net("2100", "USD") == usd("-5276.71")
    assert journal.lines[0].rule_id == "R010" and journal.lines[0].dimensions == (("entity", "US01"),)


def test_lines_that_are_off_by_a_cent_are_a_value_that_names_the_difference():
    refusal = Journal.balanced([*INVOICE[:2], credit("2200", usd("435.32"))])
    assert isinstance(refusal, Unbalanced)
    assert refusal.differences == (usd("0.01"),)
    assert refusal.explanation == "UNBALANCED_ENTRY: debits − credits = USD 0.01"


def test_the_constructor_raises_because_its_caller_made_the_lines():
    with pytest.raises(ValueError, match="UNBALANCED_ENTRY"):
        Journal((INVOICE[0],))


def test_every_currency_balances_by_itself():
    both = Journal.balanced([debit("1050", usd(1)), credit("1100", eur(1))])
    assert isinstance(both, Unbalanced)
    assert both.differences == (eur(-1), usd(1))


def test_functional_amounts_balance_too():
    lines = [
        JournalLine("1100", "DR", eur(100), functional=usd("108.50")),
        JournalLine("2100", "CR", eur(100), functional=usd("108.49")),
    ]
    refusal = Journal.balanced(lines)
    assert isinstance(refusal, Unbalanced)
    assert (refusal.differences, refusal.functional_differences) == ((), (usd("0.01"),))
    assert "functional debits − credits = USD 0.01" in refusal.explanation


def test_functional_amounts_are_on_all_lines_or_none_and_in_one_currency():
    with_functional = JournalLine("1100", "DR", eur(1), functional=usd(1))
    with pytest.raises(ValueError, match="some lines only"):
        Journal.balanced([with_functional, credit("2100", eur(1))])
    with pytest.raises(CurrencyMismatch, match="one functional currency"):
        Journal.balanced([with_functional, JournalLine("2100", "CR", eur(1), functional=eur(1))])


@pytest.mark.parametrize(
    "arguments",
    [("1100", "DR", usd(-1)), ("1100", "XX", usd(1)), ("", "DR", usd(1)), ("1100", "CR", usd(1), (), "", usd(-1))],
)
def test_a_line_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError, match=r"other side|DR or CR|account"):
        JournalLine(*arguments)


def test_a_journal_without_lines_is_refused():
    with pytest.raises(ValueError, match="at least one line"):
        Journal.balanced([])


# A payout in three currencies, settled in USD (domain.md 3f): presentment, bank rate, gross, fee, booked carrying, FX.
FEE_RATE, FEE_FIXED = Decimal("0.029"), usd("0.30")
PAYOUT = [
    (eur("1200.00"), "1.07381", "1288.57", "37.67", "1302.00", "-13.43"),
    (Money.of("350.00", "GBP"), "1.26412", "442.44", "13.13", "441.00", "1.44"),
    (usd("5712.04"), "1", "5712.04", "165.95", "5712.04", "0.00"),
    (eur("-240.00"), "1.07150", "-257.16", "0.00", "-258.72", "1.56"),
]


def test_a_payout_in_three_currencies_leaves_nothing_in_clearing():
    lines = []
    for presented, rate, gross, fee, carrying, fx in PAYOUT:
        settled = presented.converted(Decimal(rate), "USD")
        charged = usd(0) if settled.is_negative else settled.times(FEE_RATE) + FEE_FIXED
        difference = settled - usd(carrying)
        assert (settled, charged, difference) == (usd(gross), usd(fee), usd(fx))
        for account, amount in (
            ("1050", settled - charged),
            ("6100", charged),
            ("7100", -difference),
            ("1100", -usd(carrying)),
        ):
            lines.append(credit(account, -amount) if amount.is_negative else debit(account, amount))
    lines += [debit("1000", usd("6969.14")), credit("1050", usd("6969.14"))]
    journal = Journal.balanced(lines)
    assert isinstance(journal, Journal)
    nets = {account: journal.net(account, "USD") for account in ("1000", "1050", "1100", "6100", "7100")}
    assert nets == {
        "1000": usd("6969.14"),
        "1050": usd("0.00"),
        "1100": usd("-7196.32"),
        "6100": usd("216.75"),
        "7100": usd("10.43"),
    }


def test_a_lost_dispute_splits_into_contra_revenue_deferred_and_tax():
    """121 of 321 days of the expansion were served when the dispute was lost (domain.md 3e)."""
    served = usd("5276.71").times(Fraction(121, 321))
    journal = Journal.balanced(
        [
            debit("4091", served),
            debit("2100", usd("5276.71") - served),
            debit("2200", usd("435.33")),
            credit("1250", usd("5712.04")),
        ]
    )
    assert isinstance(journal, Journal)
    assert (journal.net("4091", "USD"), journal.net("2100", "USD")) == (usd("1989.04"), usd("3287.67"))


def test_usage_above_the_included_calls_is_rated_exactly_and_taxed_once():
    """87,345 calls over: 50,000 at 0.0025 and the rest at 0.0020 (domain.md 3b)."""
    net = Money.round(50_000 * Decimal("0.0025") + 37_345 * Decimal("0.0020"), "USD")
    tax = net.times(Decimal("0.0825"))
    assert (net, tax) == (usd("199.69"), usd("16.47"))
    journal = Journal.balanced([debit("1100", usd("216.16")), credit("1150", net), credit("2200", tax)])
    assert isinstance(journal, Journal)


AMOUNTS = st.lists(st.integers(min_value=0, max_value=10**12), min_size=1, max_size=10)
SIDES = st.lists(
    st.tuples(st.integers(min_value=-(10**9), max_value=10**9), st.sampled_from(["USD", "EUR"])),
    min_size=1,
    max_size=10,
)


@given(AMOUNTS)
def test_a_total_against_its_parts_balances_and_its_reversal_undoes_it(minors):
    parts = [credit(f"4{n}", Money(minor, "USD")) for n, minor in enumerate(minors)]
    journal = Journal.balanced([debit("1100", Money(sum(minors), "USD")), *parts])
    assert isinstance(journal, Journal)
    assert journal.reverse().reverse() == journal
    both = Journal((*journal.lines, *journal.reverse().lines))
    assert not any(both.net(line.account, "USD") for line in both.lines)


@given(SIDES)
def test_a_journal_exists_exactly_if_debits_equal_credits_in_every_currency(signed):
    lines = [(debit if minor >= 0 else credit)("1000", Money(abs(minor), currency)) for minor, currency in signed]
    sums = {currency: sum(minor for minor, c in signed if c == currency) for currency in ("EUR", "USD")}
    off = tuple(Money(minor, currency) for currency, minor in sums.items() if minor)
    result = Journal.balanced(lines)
    assert (result.differences if isinstance(result, Unbalanced) else ()) == off
