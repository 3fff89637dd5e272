"""Revenue over time: schedules, what is still deferred, and allocation by stand-alone selling price.

Every schedule sums exactly to what it spreads. Source: domain.md 3 (policy and tables 3a, 3c, 3d); paragraph numbers
such as 32-31 are those of ASC 606-10. What a change makes of a schedule stands in ``modification``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate, pairwise

from finsync.core.money import Money, total
from finsync.core.periods import Period, days, periods_between


class Method(StrEnum):
    """How a total is spread over the calendar months of [start, end)."""

    DAILY = "DAILY"  # by days
    EVEN = "EVEN"  # the same for every month touched
    EVEN_CUT_LAST = "EVEN_CUT_LAST"  # the same for every month touched, but nothing in a part month at the end
    PRORATE_FIRST_LAST = "PRORATE_FIRST_LAST"  # part months by their days of the term, the rest even
    PERIOD_RATE = "PERIOD_RATE"  # part months count by their own days, a full month counts one


class Plug(StrEnum):
    """Where the rounding difference goes."""

    CUMULATIVE_DIFFERENCE = "CUMULATIVE_DIFFERENCE"  # round the running total, take differences: no drift
    LAST = "LAST"
    NEXT_TO_LAST = "NEXT_TO_LAST"  # NetSuite
    LARGEST_REMAINDER = "LARGEST_REMAINDER"


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """Revenue planned for one period."""

    period: Period
    amount: Money


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """One month: billed and recognised in it, deferred revenue (negative: a contract asset) at its end."""

    period: Period
    billed: Money
    recognised: Money
    deferred: Money


@dataclass(frozen=True, slots=True)
class Refused:
    """A calculation the policy does not allow; a person decides. `amount` is what stands in the way."""

    amount: Money
    explanation: str


def recognise(
    amount: Money, start: date, end: date, method: Method = Method.DAILY, plug: Plug | None = None
) -> list[ScheduleLine]:
    """Spread `amount` over the months of [start, end), one line per period, summing exactly to `amount`.

    Default plug: CUMULATIVE_DIFFERENCE for DAILY, LAST for the others. Raises ValueError for an empty span.
    """
    if days(start, end) == 0:
        raise ValueError(f"revenue over time needs at least one day; {start} to {end} has none")
    periods = periods_between(start, end)
    weights = _weights(periods, start, end, method)
    default = Plug.CUMULATIVE_DIFFERENCE if method is Method.DAILY else Plug.LAST
    amounts = _rounded(amount, weights, plug or default)
    return [ScheduleLine(*line) for line in zip(periods[: len(weights)], amounts, strict=True)]


def recognised_before(amount: Money, start: date, end: date, day: date) -> Money:
    """Revenue of `amount` spread daily over [start, end) that is recognised before `day`, rounded once."""
    elapsed = days(start, min(max(day, start), end))
    return amount.times(Fraction(elapsed, days(start, end)))


def by_period(*schedules: Iterable[ScheduleLine]) -> list[ScheduleLine]:
    """Several schedules as one: amounts of equal periods added, in order of time."""
    sums: dict[Period, Money] = {}
    for line in (line for schedule in schedules for line in schedule):
        sums[line.period] = sums[line.period] + line.amount if line.period in sums else line.amount
    return [ScheduleLine(period, sums[period]) for period in sorted(sums)]


def waterfall(billed: Iterable[tuple[date, Money]], *schedules: Iterable[ScheduleLine]) -> list[WaterfallRow]:
    """Deferred revenue month by month: what was billed (credits negative) less what was recognised, running.

    Covers every month from the first to the last one that has either; empty if there is none.
    """
    lines = by_period(*schedules)
    bills = [(Period.of(day), amount) for day, amount in billed]
    currency = next((amount.currency for amount in [*(a for _, a in bills), *(line.amount for line in lines)]), None)
    if currency is None:
        return []
    zero = Money.zero(currency)
    recognised_in = {line.period: line.amount for line in lines}
    billed_in: dict[Period, Money] = defaultdict(lambda: zero)
    for period, amount in bills:
        billed_in[period] += amount
    touched = [*billed_in, *recognised_in]
    rows, deferred = [], zero
    for period in periods_between(min(touched).start, max(touched).end):
        recognised = recognised_in.get(period, zero)
        deferred += billed_in[period] - recognised
        rows.append(WaterfallRow(period, billed_in[period], recognised, deferred))
    return rows


def allocate_ssp(price: Money, ssps: Mapping[str, Money], step: int = 1) -> dict[str, Money]:
    """Allocate a transaction price by relative stand-alone selling price (32-31), largest remainder, in order.

    step: smallest part in minor units. Raises ValueError if the prices sum to zero, CurrencyMismatch across currencies.
    """
    total(ssps.values(), price.currency)  # refuses a second currency
    return dict(zip(ssps, price.allocate([ssp.minor for ssp in ssps.values()], step), strict=True))


def allocate_residual(price: Money, observable: Mapping[str, Money], residual: str) -> dict[str, Money] | Refused:
    """Residual approach (32-34(c)): `residual` gets what the observable stand-alone selling prices leave of `price`.

    Refused if that is zero or less: then the residual is no estimate of a selling price.
    """
    left = price - total(observable.values(), price.currency)
    if left.minor <= 0:
        return Refused(left, f"{residual} would get {left}: the residual approach does not give a selling price here")
    return {**observable, residual: left}


def _weights(periods: list[Period], start: date, end: date, method: Method) -> list[Fraction]:
    """Exact share of each period, summing to 1; shorter than `periods` if the last one gets nothing."""
    if method is Method.DAILY:
        whole = days(start, end)
        return [Fraction(period.days_within(start, end), whole) for period in periods]
    part = [Fraction(p.days_within(start, end), days(p.start, p.end)) for p in periods]
    if method is Method.EVEN_CUT_LAST and len(part) > 1 and part[-1] < 1:
        part.pop()
    if method is Method.PERIOD_RATE:
        whole_rate = sum(part)
        return [rate / whole_rate for rate in part]
    if method in {Method.EVEN, Method.EVEN_CUT_LAST}:
        return [Fraction(1, len(part))] * len(part)
    by_days = {
        p: Fraction(p.days_within(start, end), days(start, end)) for p, r in zip(periods, part, strict=True) if r < 1
    }
    full = len(periods) - len(by_days)
    even = (1 - sum(by_days.values(), Fraction(0))) / full if full else Fraction(0)
    return [by_days.get(period, even) for period in periods]


def _rounded(amount: Money, weights: list[Fraction], plug: Plug) -> list[Money]:
    if plug is Plug.LARGEST_REMAINDER:
        return amount.allocate(weights)
    if plug is Plug.CUMULATIVE_DIFFERENCE:
        running = [amount.times(share) for share in accumulate(weights, initial=Fraction(0))]
        return [after - before for before, after in pairwise(running)]
    amounts = [amount.times(weight) for weight in weights]
    at = len(amounts) - 2 if plug is Plug.NEXT_TO_LAST and len(amounts) > 1 else len(amounts) - 1
    amounts[at] += amount - total(amounts, amount.currency)
    return amounts
