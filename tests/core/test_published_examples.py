"""Published worked examples, driven through the pure core. Inputs and figures: tests/data/published-examples.json.

Each function below reads one or more examples' inputs, computes, and compares with the published figures. An example is
either driven or named in NOT_DRIVEN with the reason; a new example in the file that is neither fails the suite.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from finsync.core.journal import Journal, credit, debit
from finsync.core.modification import (
    CreditTreatment,
    Measure,
    Progress,
    Segment,
    Treatment,
    cumulative_catch_up,
    modify,
    proposed_treatment,
    split_credit,
)
from finsync.core.money import Money, total
from finsync.core.periods import Period, add_months, days
from finsync.core.proration import (
    DayCount,
    PricedQuantity,
    ProrationMethod,
    ProrationRule,
    Rounding,
    prorate,
    prorate_swap,
)
from finsync.core.revenue import Method, allocate_ssp, by_period, recognise

FILE = Path(__file__).parents[1] / "data" / "published-examples.json"
EXAMPLES = {example["id"]: example for example in json.loads(FILE.read_text())["examples"]}

NOT_DRIVEN = {
    "ASC606-EX22": "right of return: estimating variable consideration is not part of the pure core",
    "ASC606-EX38A": "when a receivable exists before payment is a posting rule, not arithmetic",
    "MT940-SWIFT-SAMPLE": "bank statement: belongs to the bank connector's parser",
    "MT940-BROKEN": "bank statement that must raise BNK_STATEMENT_OUT_OF_BALANCE: belongs to the bank connector",
    "STRIPE-RR-APPLY": "vendor books unapplied cash as revenue; finsync keeps it a liability (reference only)",
}

WHOLE_DOLLARS = 100  # minor units: the standard's examples are in whole units
YEAR = 2019  # for examples published without a year; February has 28 days in them
MONTH_NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
CREDIT_NORMAL = {"Revenue", "DeferredRevenue", "TaxLiability", "CustomerBalance", "ExternalCustomerBalance"}
PAIR = ProrationRule(rounding=Rounding.CREDIT_AND_CHARGE)

CHECKS: dict[str, Callable[[SimpleNamespace, dict], None]] = {}


def drives(*ids: str):
    def register(check):
        CHECKS.update(dict.fromkeys(ids, check))
        return check

    return register


@pytest.mark.parametrize("example_id", sorted(EXAMPLES.keys() - NOT_DRIVEN.keys()))
def test_published_figures_are_reproduced(example_id):
    example = EXAMPLES[example_id]
    CHECKS[example_id](SimpleNamespace(**example["inputs"]), example["expected"])


def test_every_published_example_is_driven_or_named_with_its_reason():
    assert set(EXAMPLES) == CHECKS.keys() | NOT_DRIVEN.keys()
    assert not CHECKS.keys() & NOT_DRIVEN.keys()


# Reading the file


def usd(amount: str | int) -> Money:
    return Money.of(amount, "USD")


def day(text: str) -> date:
    """ "2019-01-15", or "04-05" in a year of our choice."""
    return date.fromisoformat(text if len(text) == 10 else f"{YEAR}-{text}")


def month(label: str) -> Period:
    return Period(YEAR, MONTH_NAMES.index(label) + 1) if label in MONTH_NAMES else Period.parse(label)


def after(last_day: str) -> date:
    """The exclusive end of a span published with its last day."""
    return day(last_day) + timedelta(days=1)


def by_month(figures: dict[str, str]) -> dict[Period, Money]:
    return {month(label): usd(amount) for label, amount in figures.items()}


def planned(lines) -> dict[Period, Money]:
    return {line.period: line.amount for line in lines}


# Allocation and modification


@drives("ASC606-EX33")
def relative_selling_price(given, expected):
    shares = allocate_ssp(usd(given.transaction_price), {k: usd(v) for k, v in given.ssp.items()}, WHOLE_DOLLARS)
    assert shares == {name: usd(amount) for name, amount in expected.items()}


@drives("ASC606-EX35B")
def fixed_price_by_selling_price(given, expected):
    shares = allocate_ssp(usd(given.fixed_price_X), {k: usd(v) for k, v in given.ssp.items()}, WHOLE_DOLLARS)
    assert shares == {name: usd(amount) for name, amount in expected.items()}


@drives("ASC606-EX5A")
def added_goods_are_a_separate_contract(given, expected):
    treatment = proposed_treatment(
        addition_distinct=given.distinct, priced_at_ssp=given.add_price_is_ssp, remaining_distinct=True
    )
    assert expected["treatment"].startswith(treatment)
    original = PricedQuantity(usd(given.original_price), given.original_qty)
    added = PricedQuantity(usd(given.add_price), given.add_qty)
    assert original.exact + added.exact == usd(expected["total_revenue"]).exact


@drives("ASC606-EX8")
def catch_up_by_cost(given, expected):
    before = Progress(int(given.costs_to_date), int(given.expected_costs))
    year1 = usd(given.transaction_price).times(before.ratio)
    assert (year1, year1 - usd(given.costs_to_date)) == (
        usd(expected["revenue_year1"]),
        usd(expected["gross_profit_year1"]),
    )
    costs = int(given.expected_costs) + int(given.modification["costs"])
    tenths_of_a_percent = Progress(int(given.costs_to_date), costs, places=3)
    assert tenths_of_a_percent.ratio == Fraction(expected["progress_after"].rstrip("%")) / 100
    price = usd(given.transaction_price) + usd(given.bonus_excluded) + usd(given.modification["price"])
    assert price == usd(expected["transaction_price_after"])
    assert cumulative_catch_up(price, tenths_of_a_percent, year1) == usd(expected["catch_up_revenue"])


@drives("KPMG-IFRS15-S1-EX11")
def catch_up_when_the_contract_appears(given, expected):
    months = len(given.months_without_contract)
    assert usd(given.cash_received) == usd(given.monthly_fee_old) * months == usd(expected["liability_until_contract"])
    price = usd(given.new_monthly_fee) * months
    assert cumulative_catch_up(price, Progress(months, months), usd(0)) == usd(expected["catch_up_revenue_07-31"])


@drives("ZUORA-QTY-MOD")
def quantity_modification(given, expected):
    start, amended, end = date(YEAR, 1, 1), date(YEAR, 6, 1), date(YEAR + 1, 1, 1)
    price = usd(given.contract)
    schedule = recognise(price, start, end, Method.EVEN)
    assert total((line.amount for line in schedule if line.period.start < amended), "USD") == usd(given.recognised)
    change = price.times(Fraction(given.new_qty, given.qty)) - price

    distinct = modify(schedule, change, Treatment.PROSPECTIVE, effective=amended, end=end, method=Method.EVEN)
    figures = expected["distinct_prospective"]
    assert distinct.to_spread == usd(figures["remaining"])
    assert [line.amount for line in distinct.schedule[5:]] == [usd(figures["per_month_jun_dec"])] * 6 + [
        usd(figures["december_plug"])
    ]

    even_months = Measure(
        "months", tuple(Segment(p.start, p.end, Fraction(1, days(p.start, p.end))) for p in planned(schedule))
    )
    retrospective = modify(
        schedule, change, Treatment.CUMULATIVE_CATCH_UP, effective=amended, end=end, measure=even_months
    )
    figures = expected["non_distinct_retrospective"]
    assert retrospective.catch_up == usd(figures["catch_up_in_june"])
    assert [line.amount for line in retrospective.schedule[6:]] == [usd(figures["per_month"])] * 6


@drives("NETSUITE-PROSPECTIVE-MERGE")
def residual_of_a_prospective_merge(given, expected):
    original, recognised = usd(given.original_revenue), usd(given.recognised_before)
    schedule = recognise(original, date(2026, 1, 1), date(2027, 1, 1))
    merged = modify(
        schedule,
        usd(0),
        Treatment.PROSPECTIVE,
        effective=date(2026, 2, 14),
        end=date(2027, 1, 1),
        recognised=recognised,
    )
    assert merged.to_spread == usd(expected["residual_amount"])


# Proration


def swapped(
    old: PricedQuantity, new: PricedQuantity, term: tuple[date, date], change: date, rule: ProrationRule = PAIR
):
    """Credit and charge of a change in the middle of one month's price."""
    return prorate_swap(
        old, new, term_start=term[0], term_end=term[1], effective=change, rule=rule, price_period_months=1
    )


@drives("CHARGEBEE-DOWNGRADE-PLAN", "CHARGEBEE-FORUM-5APR")
def plan_downgrade(given, expected):
    term = (day(given.term[0]), day(given.term[1]))
    result = swapped(PricedQuantity(usd(given.old), 1), PricedQuantity(usd(given.new), 1), term, day(given.change))
    assert result.lines == (-usd(expected["credit"]), usd(expected["charge"]))
    assert result.amount == -usd(expected["net_credit"])
    stated_days = {"used_days": result.used_days, "days_left": result.remaining_days}
    assert any(name in expected for name in stated_days)
    assert all(result_days == expected[name] for name, result_days in stated_days.items() if name in expected)
    if "next_invoice" in expected:
        assert usd(given.new) + result.amount == usd(expected["next_invoice"])


@drives("CHARGEBEE-DOWNGRADE-QTY")
def quantity_downgrade_with_the_day_of_change_used(given, expected):
    rule = ProrationRule(day_count=DayCount.EFFECTIVE_DAY_INCLUDED, rounding=Rounding.CREDIT_AND_CHARGE)
    old, new = PricedQuantity(usd(given.unit), given.qty), PricedQuantity(usd(given.unit), given.new_qty)
    result = swapped(old, new, (day(given.term[0]), day(given.term[1])), day(given.change), rule)
    assert result.used_days == given.used_days_stated
    assert result.lines == (-usd(expected["credit"]), usd(expected["charge"]))
    assert result.amount == -usd(expected["net_credit"])


@drives("STRIPE-PRORATION-HALF")
def half_way_upgrade(given, expected):
    rule = ProrationRule(ProrationMethod.SECOND, rounding=Rounding.CREDIT_AND_CHARGE)
    term = (date(2026, 4, 1), date(2026, 5, 1))  # 30 days; the source names only the fraction
    change = term[0] + timedelta(days=int(30 * Fraction(given.fraction_remaining)))
    result = swapped(PricedQuantity(usd(given.old), 1), PricedQuantity(usd(given.new), 1), term, change, rule)
    assert (*result.lines, result.amount) == (usd(expected["credit"]), usd(expected["charge"]), usd(expected["net"]))


@drives("SALESFORCE-PRORATION-2")
def part_months_count_as_whole_ones(_given, expected):
    # The inputs are those of an example the file does not hold: 90.00 a month for ten months and 8 of 31 days.
    term = (date(2026, 3, 1), date(2027, 1, 9), date(2026, 3, 1))
    months = ProrationMethod.MONTH_ANCHORED
    whole = prorate(usd(90), 1, *term, ProrationRule(months, whole_months=True), 1)
    assert whole.exact / 90 == int(expected["pricing_term_count"])
    assert whole.amount == usd(expected["price"])
    part = prorate(usd(90), 1, *term, ProrationRule(months, month_places=6), 1)
    assert part.exact / 90 == Fraction("10.258065") and part.amount == usd("923.23")


@drives("ZUORA-PARTIAL-MONTH")
def part_month_before_the_bill_day(given, expected):
    start, anchor = day(given.term_start), day(given.term_start).replace(day=given.bill_day)
    for name, method in (("assume_30", ProrationMethod.THIRTY_360), ("actual", ProrationMethod.DAY)):
        price = usd(given.price_per_month)
        result = prorate(price, 1, start, after(given.target_date), start, ProrationRule(method), 1, anchor=anchor)
        assert result.amount == usd(expected[name])


@drives("ZUORA-USAGE-PRORATE")
def usage_in_part_of_a_month(given, expected):
    start, end = day(given.start), after(given.end_inclusive)
    result = prorate(
        usd(given.full_month_amount), 1, start, end, start, ProrationRule(), 1, anchor=start.replace(day=given.bcd)
    )
    assert (result.remaining_days, result.amount) == (expected["prorated_days"], usd(expected["amount"]))


# Revenue schedules


@drives("CHARGEOVER-QUARTER-EVEN")
def even_quarter(given, expected):
    lines = recognise(usd(given.amount), day(given.start), add_months(day(given.start), 3), Method.EVEN_CUT_LAST)
    assert planned(lines) == by_month(expected)


def netsuite_schedule(method: Method):
    def check(given, expected):
        lines = recognise(usd(given.amount), day(given.start), after(given.end_inclusive), method)
        assert planned(lines) == by_month(expected)

    return check


drives("NETSUITE-ARM-EVEN")(netsuite_schedule(Method.EVEN))
drives("NETSUITE-NSC-EXACT")(netsuite_schedule(Method.DAILY))
drives("NETSUITE-NSC-PERIODRATE")(netsuite_schedule(Method.PERIOD_RATE))
drives("NETSUITE-NSC-PRORATE-FL")(netsuite_schedule(Method.PRORATE_FIRST_LAST))


# Settlement


@drives("STRIPE-BT-SIMPLE")
def gross_fee_net(given, expected):
    gross, fee = (Money(minor, given.currency.upper()) for minor in (given.amount, given.fee))
    assert (gross - fee).minor == expected["net"]
    assert Journal((debit("1050", gross - fee), debit("6100", fee), credit("1100", gross))).turnover("NZD") == gross


@drives("STRIPE-DISPUTE-FIXTURE")
def dispute_withdrawal(given, expected):
    withdrawn, fee = Money(given.bt["amount"], "USD"), Money(given.bt["fee"], "USD")
    assert (withdrawn - fee).minor == expected["net"]
    sides = expected["journal"]
    lines = [debit(name, usd(v)) for name, v in sides["dr"].items()] + [
        credit(name, usd(v)) for name, v in sides["cr"].items()
    ]
    journal = Journal.balanced(lines)
    assert isinstance(journal, Journal)
    assert journal.net("1050 Gateway clearing", "USD") == withdrawn - fee
    assert journal.net("1250 Disputed receivables", "USD") == Money(given.dispute_amount, "USD")


@drives("STRIPE-EXRATE-DEF")
def exchange_rate_converts_the_charge(given, expected):
    amount, currency = given.charge.split()
    charge = Money.of(amount, currency)
    assert charge.minor == given.amount_minor
    assert charge.converted(Decimal(expected["exchange_rate"]), "USD") == Money(expected["bt_amount"], "USD")


# Ledgers: monthly movements by account


class Ledger:
    """Balanced journals, summed by account and month in each account's natural sign."""

    def __init__(self) -> None:
        self.movements: dict[str, dict[Period, Money]] = defaultdict(lambda: defaultdict(lambda: usd(0)))

    def post(self, period: Period, debits: dict[str, Money], credits: dict[str, Money]) -> None:
        lines = [debit(name, amount) for name, amount in debits.items()]
        journal = Journal((*lines, *(credit(name, amount) for name, amount in credits.items())))
        for name in debits.keys() | credits.keys():
            net = journal.net(name, "USD")
            self.movements[name][period] += -net if name in CREDIT_NORMAL else net

    def recognise(self, lines) -> None:
        for line in lines:
            self.post(line.period, {"DeferredRevenue": line.amount}, {"Revenue": line.amount})

    def agrees_with(self, expected: dict[str, dict[str, str]], through: Period | None = None) -> None:
        theirs = {name: {p: a for p, a in by_month(row).items() if a} for name, row in expected.items()}
        ours = {
            name: {p: a for p, a in row.items() if a and (through is None or p <= through)}
            for name, row in self.movements.items()
        }
        assert {k: v for k, v in ours.items() if v} == {k: v for k, v in theirs.items() if v}


def subscription(given) -> tuple[Money, date, date]:
    """Amount and span of a subscription example; the end is stated, or one month or `months` on."""
    start = day(getattr(given, "start", "01-01"))
    end = day(given.end_excl) if hasattr(given, "end_excl") else add_months(start, getattr(given, "months", 1))
    return usd(given.amount), start, end


@drives("STRIPE-RR-ANNUAL", "STRIPE-RR-MONTHLY", "STRIPE-RR-FEES", "STRIPE-RR-CANCEL-NOREFUND")
def paid_subscription(given, expected):
    amount, start, end = subscription(given)
    fee = usd(getattr(given, "fee", "0"))
    ledger = Ledger()
    ledger.post(Period.of(start), {"Cash": amount - fee, "Fees": fee}, {"DeferredRevenue": amount})
    ledger.recognise(recognise(amount, start, end))  # a cancellation without refund changes nothing: KEEP_AMORTISING
    ledger.agrees_with(expected["movements"], through=Period.parse(getattr(given, "summary_through", "2019-12")))


@drives("STRIPE-RR-CREDITBAL", "STRIPE-RR-EXTERNAL")
def invoice_settled_in_another_way(given, expected):
    amount, start, end = subscription(given)
    ledger = Ledger()
    from_balance = -usd(getattr(given, "credit_balance", "0"))
    receivable = amount - from_balance
    ledger.post(
        Period.of(start),
        {"AccountsReceivable": receivable, "CustomerBalance": from_balance},
        {"DeferredRevenue": amount},
    )
    ledger.recognise(recognise(amount, start, end))
    if hasattr(given, "paid"):
        for when, paid in given.paid:
            ledger.post(Period.of(day(when)), {"Cash": usd(paid)}, {"AccountsReceivable": usd(paid)})
    else:
        paid_on = Period.of(day(given.marked_paid_out_of_band))
        ledger.post(paid_on, {"ExternalAsset": receivable}, {"AccountsReceivable": receivable})
    ledger.agrees_with(expected["movements"])


@drives("STRIPE-RR-FX-LOSS", "STRIPE-RR-FX-NONE")
def foreign_invoice(given, expected):
    amount, currency = given.amount.split()
    invoice = Money.of(amount, currency)
    booked, paid = (invoice.converted(Decimal(rate), "USD") for rate in (given.rate_finalize, given.rate_pay))
    paid_in = month(max(expected["movements"]["Cash"], key=month))
    ledger = Ledger()
    ledger.post(month("Jan"), {"AccountsReceivable": booked}, {"Revenue": booked})
    ledger.post(paid_in, {"Cash": paid, "FxLoss": booked - paid}, {"AccountsReceivable": booked})
    ledger.agrees_with(expected["movements"])


@drives("STRIPE-RR-TAX-EXCL")
def tax_on_top(given, expected):
    net = usd(given.amount)
    tax = net.times(Decimal(given.tax_rate))
    ledger = Ledger()
    ledger.post(month(given.paid), {"Cash": net + tax}, {"Revenue": net, "TaxLiability": tax})
    ledger.agrees_with(expected["movements"])


@drives("STRIPE-RR-METER-SUM")
def metered_usage(given, expected):
    ledger = Ledger()
    for when, units in given.usage:
        used = usd(given.unit_price) * units
        ledger.post(Period.of(day(when)), {"UnbilledAccountsReceivable": used}, {"Revenue": used})
    billed = usd(given.invoice[1])
    ledger.post(
        Period.of(day(given.invoice[0])), {"AccountsReceivable": billed}, {"UnbilledAccountsReceivable": billed}
    )
    ledger.agrees_with(expected["movements"])


@drives("STRIPE-RR-REFUND", "STRIPE-RR-VOID", "STRIPE-RR-UNCOLLECTIBLE", "STRIPE-RR-UNCOLL-VOID")
def whole_invoice_taken_back(given, expected):
    later_void = Period.parse(given.void) if hasattr(given, "as") else None
    if later_void:
        given = SimpleNamespace(**EXAMPLES[getattr(given, "as")]["inputs"])
    amount, start, end = subscription(given)
    ways = {
        "refund": ("Cash", "Refunds"),
        "void": ("AccountsReceivable", "Voids"),
        "uncollectible": ("AccountsReceivable", "BadDebt"),
    }
    way = next(name for name in ways if hasattr(given, name))
    asset, contra = ways[way]
    stated = getattr(given, way)
    when = day(stated[0] if isinstance(stated, list) else stated)

    recognised = [line for line in recognise(amount, start, end) if line.period < Period.of(when)]
    split = split_credit(
        amount, total((line.amount for line in recognised), "USD"), amount, CreditTreatment.PROPORTIONAL_CONTRA
    )
    ledger = Ledger()
    ledger.post(Period.of(start), {asset: amount}, {"DeferredRevenue": amount})
    ledger.recognise(recognised)
    ledger.post(Period.of(when), {"DeferredRevenue": split.from_deferred, contra: split.contra}, {asset: amount})
    if later_void:
        ledger.post(later_void, {"Voids": split.contra}, {contra: split.contra})
    ledger.agrees_with(expected["movements"])


@drives("STRIPE-RR-CN-PAID")
def part_credited_after_payment(given, expected):
    amount, start, end = subscription(given)
    when, ways = day(given.credit_note[0]), {name: usd(v) for name, v in given.credit_note[1].items()}
    schedule = recognise(amount, start, end)
    recognised = total((line.amount for line in schedule if line.period < Period.of(when)), "USD")
    split = split_credit(total(ways.values(), "USD"), recognised, amount, CreditTreatment.PROPORTIONAL_CONTRA)
    rest = modify(schedule, -split.from_deferred, Treatment.PROSPECTIVE, effective=when, end=end)
    ledger = Ledger()
    ledger.post(Period.of(start), {"Cash": amount}, {"DeferredRevenue": amount})
    ledger.recognise(rest.schedule)
    paid = {
        "Cash": ways["refund"],
        "CustomerBalance": ways["customer_balance"],
        "ExternalCustomerBalance": ways["out_of_band"],
    }
    ledger.post(Period.of(when), {"DeferredRevenue": split.from_deferred, "Contra": split.contra}, paid)
    # The published split of the contra amount into refunds and credit notes is not reproducible, its sum is.
    movements = {name: dict(row) for name, row in expected["movements"].items()}
    refunds, notes = movements.pop("Refunds"), movements.pop("CreditNotes")
    ledger.agrees_with(
        movements | {"Contra": {label: str((usd(refunds[label]) + usd(notes[label])).major) for label in refunds}}
    )


@drives("STRIPE-RR-UPGRADE")
def upgrade_billed_with_the_next_invoice(given, expected):
    start, change = day(given.start), day(given.change)
    end = add_months(start, 1)
    old, new = usd(given.price), usd(given.new_price)
    items = swapped(PricedQuantity(old, 1), PricedQuantity(new, 1), (start, end), change)
    assert items.lines == tuple(usd(item) for item in given.proration_items)
    ledger = Ledger()
    ledger.post(Period.of(start), {"AccountsReceivable": old}, {"DeferredRevenue": old})
    ledger.recognise(recognise(old, start, end))
    for line in by_period(*(recognise(item, change, end) for item in items.lines)):
        ledger.post(line.period, {"UnbilledAccountsReceivable": line.amount}, {"Revenue": line.amount})
    ledger.post(
        Period.of(end),
        {"AccountsReceivable": new + items.amount},
        {"UnbilledAccountsReceivable": items.amount, "DeferredRevenue": new},
    )
    ledger.recognise(recognise(new, end, add_months(start, 2)))
    ledger.agrees_with(expected["movements"])
