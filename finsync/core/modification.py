"""Contract modifications: what a change of price, a cancellation or a credit makes of a revenue schedule.

Source of the rules: ASC 606-10-25-12 and 25-13 (IFRS 15.20-21) and the policies of domain.md 3. Which treatment applies
is decided once and stored with the contract version; nothing here guesses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from finsync.core.money import Exact, Money, as_fraction, round_half, total
from finsync.core.periods import Period, days, periods_between
from finsync.core.revenue import Method, Plug, Refused, ScheduleLine, by_period, recognise

RESIDUAL_TO_REVENUE_MAX_MINOR = 5  # minor units (0.05 USD) that a closing schedule may release to revenue: policy (5)


class Treatment(StrEnum):
    """Accounting for a contract modification."""

    SEPARATE_CONTRACT = "SEPARATE_CONTRACT"  # 25-12: the addition stands alone
    PROSPECTIVE = "PROSPECTIVE"  # 25-13(a): what is left and what is added form a new contract
    CUMULATIVE_CATCH_UP = "CUMULATIVE_CATCH_UP"  # 25-13(b): one contract all along, adjusted on the day


class CreditTreatment(StrEnum):
    """What a credit or refund takes away."""

    PROSPECTIVE = "PROSPECTIVE"  # revenue not yet recognised; only the excess is contra revenue
    PROPORTIONAL_CONTRA = "PROPORTIONAL_CONTRA"  # recognised and deferred parts alike (Stripe Revenue Recognition)


@dataclass(frozen=True, slots=True)
class Progress:
    """Measure of progress at one moment, `done` of `whole` (days, seat-days, cost), kept with the modification.

    `places`: decimals the ratio is rounded to (3 for tenths of a percent); None keeps it exact.
    """

    done: Exact
    whole: Exact
    places: int | None = None

    @property
    def ratio(self) -> Fraction:
        exact = as_fraction(self.done) / as_fraction(self.whole)
        return exact if self.places is None else Fraction(round_half(exact * 10**self.places), 10**self.places)


@dataclass(frozen=True, slots=True)
class Segment:
    """A span [start, end) in which each day counts `weight`: 1 for time, the number of seats for seat-days."""

    start: date
    end: date
    weight: Exact = 1


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of progress over time, stored with the modification: its name and its segments in order."""

    name: str
    segments: tuple[Segment, ...]
    places: int | None = None

    @property
    def start(self) -> date:
        return self.segments[0].start

    @property
    def end(self) -> date:
        return self.segments[-1].end

    def at(self, day: date) -> Progress:
        """Progress at the start of `day`."""

        def counted(until: date) -> Fraction:
            spans = ((s, min(until, s.end)) for s in self.segments if s.start < until)
            return sum((days(s.start, stop) * as_fraction(s.weight) for s, stop in spans), Fraction(0))

        return Progress(counted(day), counted(self.end), self.places)


@dataclass(frozen=True, slots=True)
class Modification:
    """A schedule after a modification: past periods as they were, the rest new.

    `catch_up` is recognised at once on the effective date (part of that period's line); `to_spread` is what the periods
    from the effective date on carry besides it.
    """

    treatment: Treatment
    effective: date
    catch_up: Money
    to_spread: Money
    schedule: tuple[ScheduleLine, ...]
    measure: Measure | None
    explanation: str


@dataclass(frozen=True, slots=True)
class Closing:
    """A schedule ended early with nothing left deferred: clear `deferred`, credit `credited`, release the residual."""

    deferred: Money
    credited: Money
    to_revenue: Money
    schedule: tuple[ScheduleLine, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class CreditSplit:
    """A credit split into what leaves deferred revenue and what is booked as contra revenue."""

    from_deferred: Money
    contra: Money


def proposed_treatment(*, addition_distinct: bool, priced_at_ssp: bool, remaining_distinct: bool) -> Treatment:
    """The treatment 25-12 and 25-13 lead to. Pass addition_distinct=False for a change that adds nothing (a downgrade).

    priced_at_ssp: the addition's price is its stand-alone selling price, adjusted for the contract's circumstances.
    remaining_distinct: what is still to be delivered is distinct from what was delivered (each day of a subscription).
    """
    if addition_distinct and priced_at_ssp:
        return Treatment.SEPARATE_CONTRACT
    return Treatment.PROSPECTIVE if remaining_distinct else Treatment.CUMULATIVE_CATCH_UP


def modify(
    schedule: Sequence[ScheduleLine],
    change: Money,
    treatment: Treatment,
    *,
    effective: date,
    end: date,
    recognised: Money | None = None,
    method: Method = Method.DAILY,
    plug: Plug | None = None,
    measure: Measure | None = None,
) -> Modification:
    """The schedule after the price changes by `change` (negative: a downgrade) from `effective` to `end`.

    recognised: revenue before `effective`; may be left out when `effective` opens a period. method and plug spread the
    future under SEPARATE_CONTRACT and PROSPECTIVE; CUMULATIVE_CATCH_UP follows `measure`, which it requires.
    Raises ValueError if such an argument is missing. A modification that is part (a), part (b) (25-13(c)) is two calls.
    """
    currency = change.currency
    none = Money.zero(currency)
    if treatment is Treatment.SEPARATE_CONTRACT:
        lines = by_period(schedule, recognise(change, effective, end, method, plug))
        return Modification(
            treatment, effective, none, change, tuple(lines), None, f"{change} from {effective} to {end} stands alone"
        )
    past = [line for line in schedule if line.period < Period.of(effective)]
    done = _recognised(past, effective, recognised, currency)
    price = total((line.amount for line in schedule), currency) + change
    if treatment is Treatment.PROSPECTIVE:
        pool = price - done
        stub = ScheduleLine(Period.of(effective), done - total((line.amount for line in past), currency))
        lines = by_period(past, [stub] if stub.amount else [], recognise(pool, effective, end, method, plug))
        words = f"{price - change - done} not yet recognised and {change} form {pool} from {effective} to {end}"
        return Modification(treatment, effective, none, pool, tuple(lines), None, words)
    if measure is None:
        raise ValueError("CUMULATIVE_CATCH_UP needs the stored measure of progress")
    progress = measure.at(effective)
    catch_up = cumulative_catch_up(price, progress, done)
    lines = past + _follow(price, measure, Period.of(effective), total((line.amount for line in past), currency))
    words = f"{price} × {progress.ratio} ({measure.name}) less {done} recognised = {catch_up} on {effective}"
    return Modification(treatment, effective, catch_up, price - done - catch_up, tuple(lines), measure, words)


def cumulative_catch_up(transaction_price: Money, progress: Progress, recognised: Money) -> Money:
    """Revenue to recognise now so that the total to date is price × progress (25-13(b))."""
    return transaction_price.times(progress.ratio) - recognised


def cancel(
    schedule: Sequence[ScheduleLine],
    credited: Money,
    *,
    effective: date,
    recognised: Money | None = None,
    residual_max_minor: int = RESIDUAL_TO_REVENUE_MAX_MINOR,
) -> Closing | Refused:
    """End a schedule on `effective` with `credited` (positive, net of tax) given back; nothing stays deferred.

    The residual of rounding goes to revenue in the effective period if it is at most `residual_max_minor`; a larger
    one is Refused, naming it (policy (5)). recognised: as for `modify`.
    """
    currency = credited.currency
    past = [line for line in schedule if line.period < Period.of(effective)]
    done = _recognised(past, effective, recognised, currency)
    deferred = total((line.amount for line in schedule), currency) - done
    residual = deferred - credited
    words = f"deferred {deferred} less credit {credited} leaves {residual}"
    if abs(residual.minor) > residual_max_minor:
        return Refused(residual, f"{words}, more than the {residual_max_minor} minor units that may go to revenue")
    final = done + residual - total((line.amount for line in past), currency)
    lines = [*past, ScheduleLine(Period.of(effective), final)] if final else past
    return Closing(deferred, credited, residual, tuple(lines), f"{words}, released to revenue")


def split_credit(amount: Money, recognised: Money, price: Money, treatment: CreditTreatment) -> CreditSplit:
    """Split a credit of `amount` (positive) against a line of `price` of which `recognised` is revenue already.

    Raises ValueError for a line of zero.
    """
    if not price:
        raise ValueError("a line of zero has no share to credit")
    if treatment is CreditTreatment.PROPORTIONAL_CONTRA:
        contra = amount.times(recognised.exact / price.exact)
    else:
        contra = max(amount - (price - recognised), Money.zero(amount.currency))
    return CreditSplit(amount - contra, contra)


def _recognised(past: list[ScheduleLine], effective: date, stated: Money | None, currency: str) -> Money:
    if stated is not None:
        return stated
    if effective != Period.of(effective).start:
        raise ValueError(f"{effective} lies inside a period: say how much was recognised before it")
    return total((line.amount for line in past), currency)


def _follow(price: Money, measure: Measure, first: Period, recognised: Money) -> list[ScheduleLine]:
    """Lines from `first` to the measure's end that keep revenue to date at price × progress."""
    lines = []
    for period in periods_between(first.start, measure.end):
        to_date = price.times(measure.at(min(period.end, measure.end)).ratio)
        lines.append(ScheduleLine(period, to_date - recognised))
        recognised = to_date
    return lines
