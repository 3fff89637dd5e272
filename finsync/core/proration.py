"""Proration: the price of part of a term.

The same words ("5 seats from day 45") have several prices; which one is right is written in the contract version as a
`ProrationRule` and never inferred (domain.md 0.2). `identify` goes the other way: it names the rules that explain an
amount someone else charged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import product

from finsync.core.money import HALF_UP, Exact, Money, RoundingMode, as_fraction, round_half, total
from finsync.core.periods import anchored_spans, calendar_day, days

DAYS_PER_COMMERCIAL_MONTH = 30
ONE_DAY = timedelta(days=1)


class ProrationMethod(StrEnum):
    """How much of the price a part of a term costs."""

    DAY = "DAY"  # days left ÷ days of the price period they lie in
    SECOND = "SECOND"  # the same in seconds, UTC (Stripe)
    MONTH_ANCHORED = "MONTH_ANCHORED"  # months counted from the anchor, a part month by its own days (Salesforce)
    THIRTY_360 = "THIRTY_360"  # every month has 30 days, a 31st counts as the 30th (30E/360)
    ACTUAL_360 = "ACTUAL_360"  # actual days ÷ 30 per month of the price period


class DayCount(StrEnum):
    """Whether the effective day is still used up by what came before it."""

    EFFECTIVE_DAY_EXCLUDED = "EFFECTIVE_DAY_EXCLUDED"  # default: the change holds from the start of the effective day
    EFFECTIVE_DAY_INCLUDED = "EFFECTIVE_DAY_INCLUDED"  # the change holds from the day after


class Rounding(StrEnum):
    """The number that is rounded to the minor unit."""

    EXTENDED_LINE = "EXTENDED_LINE"  # price × quantity × share, once (default)
    UNIT_THEN_EXTEND = "UNIT_THEN_EXTEND"  # price × share, then × quantity
    CREDIT_AND_CHARGE = "CREDIT_AND_CHARGE"  # a credit for the old quantity and a charge for the new, each once


@dataclass(frozen=True, slots=True)
class ProrationRule:
    """The terms of proration as stored on a contract version. The defaults are finsync's.

    `month_places` rounds the count of months (Salesforce: 6 decimals) and `whole_months` rounds it up to full months;
    both belong to MONTH_ANCHORED only.
    """

    method: ProrationMethod = ProrationMethod.DAY
    day_count: DayCount = DayCount.EFFECTIVE_DAY_EXCLUDED
    rounding: Rounding = Rounding.EXTENDED_LINE
    rounding_mode: RoundingMode = HALF_UP
    month_places: int | None = None
    whole_months: bool = False

    def __post_init__(self) -> None:
        if self.method is not ProrationMethod.MONTH_ANCHORED and (self.month_places is not None or self.whole_months):
            raise ValueError(f"counting months belongs to MONTH_ANCHORED, not to {self.method}")
        if self.method is ProrationMethod.SECOND and self.day_count is DayCount.EFFECTIVE_DAY_INCLUDED:
            raise ValueError("SECOND starts at an instant; there is no effective day to include")

    def __str__(self) -> str:
        parts: list[str] = [self.method, self.day_count, self.rounding, self.rounding_mode]
        if self.month_places is not None:
            parts.append(f"months to {self.month_places} places")
        if self.whole_months:
            parts.append("whole months")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Proration:
    """What part of a term costs under one rule.

    `exact` is the unrounded amount in major units; `lines` are the document lines that make up `amount` (a credit and a
    charge, or one line). Used and remaining days are whole except under SECOND; under THIRTY_360 they are days of it.
    """

    amount: Money
    exact: Fraction
    used_days: Fraction
    remaining_days: Fraction
    lines: tuple[Money, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class PricedQuantity:
    """A quantity at a unit price for one price period."""

    unit_price: Money
    quantity: Exact

    @property
    def exact(self) -> Fraction:
        return self.unit_price.exact * as_fraction(self.quantity)


@dataclass(frozen=True, slots=True)
class Identification:
    """Which rules give exactly the observed amount, and the rule that comes closest if none does."""

    observed: Money
    fits: tuple[ProrationRule, ...]
    nearest: ProrationRule
    difference: Money  # observed − what the nearest rule gives
    explanation: str


def prorate(  # noqa: PLR0917 - a price, a quantity, three dates and a rule read best in this order
    unit_price: Money,
    quantity: Exact,
    term_start: date,
    term_end: date,
    effective: date,
    rule: ProrationRule,
    price_period_months: int = 12,
    *,
    previous_quantity: Exact | None = None,
    anchor: date | None = None,
) -> Proration:
    """Price of `quantity` more (negative: fewer) units from `effective` to the end of the term [term_start, term_end).

    unit_price: for one unit and `price_period_months` months, in its currency; price periods are counted from `anchor`
    (default: the term start). previous_quantity: units before the change, needed for CREDIT_AND_CHARGE only.
    SECOND also takes aware datetimes; a plain date then means midnight UTC.
    Raises ValueError if `effective` lies outside the term or the rule lacks an argument. Source: domain.md 0.2 and 3.
    """
    if previous_quantity is None and rule.rounding is Rounding.CREDIT_AND_CHARGE:
        raise ValueError("CREDIT_AND_CHARGE credits the old quantity: previous_quantity is needed")
    before = as_fraction(previous_quantity or 0)
    old, new = PricedQuantity(unit_price, before), PricedQuantity(unit_price, before + as_fraction(quantity))
    return prorate_swap(
        old,
        new,
        term_start=term_start,
        term_end=term_end,
        effective=effective,
        rule=rule,
        price_period_months=price_period_months,
        anchor=anchor,
    )


def prorate_swap(
    old: PricedQuantity,
    new: PricedQuantity,
    *,
    term_start: date,
    term_end: date,
    effective: date,
    rule: ProrationRule,
    price_period_months: int = 12,
    anchor: date | None = None,
) -> Proration:
    """Price of replacing `old` by `new` (a plan change, an upgrade) from `effective` to the end of the term.

    A negative amount is a credit. Arguments and errors as for `prorate`; both prices must be in one currency.
    """
    used, remaining, share = _share((term_start, term_end), effective, rule, price_period_months, anchor or term_start)
    lines = _rounded_lines(old, new, share, rule)
    amount = total(lines, new.unit_price.currency)
    exact = (new.exact - old.exact) * share
    explanation = (
        f"{_words(old, new)} for {_plain(remaining)} of {_plain(used + remaining)} days, "
        f"share {share} of the {price_period_months}-month price = {_plain(exact)}, "
        f"lines {' and '.join(str(line) for line in lines)}, amount {amount} ({rule})"
    )
    return Proration(amount, exact, used, remaining, lines, explanation)


def identify(
    observed: Money,
    unit_price: Money,
    quantity: Exact,
    *,
    term_start: date,
    term_end: date,
    effective: date,
    price_period_months: int = 12,
    previous_quantity: Exact | None = None,
    anchor: date | None = None,
    stored: ProrationRule | None = None,
) -> Identification:
    """Which rules explain an amount charged by someone else: the remedy of BIL_PRORATION_VARIANCE.

    Several may fit; choosing one is a decision about the contract, not a deduction. `stored` is tried first, so it
    leads `fits` if it fits. CREDIT_AND_CHARGE is tried only if `previous_quantity` is known.
    """
    candidates = dict.fromkeys(([stored] if stored else []) + list(_all_rules(previous_quantity is not None)))
    off_by: dict[ProrationRule, Money] = {}
    for rule in candidates:
        priced = prorate(
            unit_price,
            quantity,
            term_start,
            term_end,
            effective,
            rule,
            price_period_months,
            previous_quantity=previous_quantity,
            anchor=anchor,
        )
        off_by[rule] = observed - priced.amount
    fits = tuple(rule for rule, difference in off_by.items() if not difference)
    nearest = min(off_by, key=lambda rule: abs(off_by[rule]))
    if fits:
        explanation = f"{observed} is what these rules give: " + "; ".join(str(rule) for rule in fits)
    else:
        explanation = f"no known rule gives {observed}; nearest is {nearest}, off by {off_by[nearest]}"
    return Identification(observed, fits, nearest, off_by[nearest], explanation)


def _all_rules(with_credit_and_charge: bool) -> Iterator[ProrationRule]:
    for method, day_count, rounding in product(ProrationMethod, DayCount, Rounding):
        if method is ProrationMethod.SECOND and day_count is DayCount.EFFECTIVE_DAY_INCLUDED:
            continue
        if rounding is not Rounding.CREDIT_AND_CHARGE or with_credit_and_charge:
            yield ProrationRule(method, day_count, rounding)


def _share(
    term: tuple[date, date], effective: date, rule: ProrationRule, price_months: int, anchor: date
) -> tuple[Fraction, Fraction, Fraction]:
    """Used days, remaining days, and the remaining part of the term in price periods."""
    term_start, term_end = term
    if rule.method is ProrationMethod.SECOND:
        start, end, change = _instant(term_start), _instant(term_end), _instant(effective)
        _check_inside(start, change, end)
        share = _seconds_share(change, end, _instant(anchor), price_months)
        return _in_days(change - start), _in_days(end - change), share
    _check_inside(calendar_day(term_start), calendar_day(effective), calendar_day(term_end))
    if rule.day_count is DayCount.EFFECTIVE_DAY_INCLUDED:
        effective = min(effective + ONE_DAY, term_end)
    count = _days_30_360 if rule.method is ProrationMethod.THIRTY_360 else days
    used, remaining = Fraction(count(term_start, effective)), Fraction(count(effective, term_end))
    match rule.method:
        case ProrationMethod.DAY:
            share = _days_share(effective, term_end, anchor, price_months)
        case ProrationMethod.MONTH_ANCHORED:
            share = _months(effective, term_end, anchor, rule) / price_months
        case _:
            share = remaining / (DAYS_PER_COMMERCIAL_MONTH * price_months)
    return used, remaining, share


def _check_inside(start: date, effective: date, end: date) -> None:
    if not start <= effective <= end:
        raise ValueError(f"effective {effective} lies outside the term from {start} to {end}")


def _days_share(start: date, end: date, anchor: date, months: int) -> Fraction:
    spans = anchored_spans(start, end, anchor, months)
    return sum((Fraction(days(max(s, start), min(e, end)), days(s, e)) for s, e in spans), Fraction(0))


def _months(start: date, end: date, anchor: date, rule: ProrationRule) -> Fraction:
    count = _days_share(start, end, anchor, 1)
    if rule.month_places is not None:
        count = Fraction(round_half(count * 10**rule.month_places, rule.rounding_mode), 10**rule.month_places)
    if rule.whole_months:
        count = Fraction(-(-count.numerator // count.denominator))
    return count


def _seconds_share(start: datetime, end: datetime, anchor: datetime, months: int) -> Fraction:
    # The price periods turn at the anchor's time of day, so look one day further on both sides and measure the overlap.
    share = Fraction(0)
    for first, last in anchored_spans(start.date() - ONE_DAY, end.date() + ONE_DAY, anchor.date(), months):
        turn, next_turn = (datetime.combine(day, anchor.timetz()) for day in (first, last))
        overlap = min(next_turn, end) - max(turn, start)
        if overlap > timedelta(0):
            share += Fraction(overlap // timedelta(microseconds=1), (next_turn - turn) // timedelta(microseconds=1))
    return share


def _instant(when: date) -> datetime:
    if not isinstance(when, datetime):
        return datetime.combine(when, time.min, tzinfo=UTC)
    if when.tzinfo is None:
        raise ValueError(f"{when} has no time zone")
    return when.astimezone(UTC)


def _in_days(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), ONE_DAY // timedelta(microseconds=1))


def _days_30_360(start: date, end: date) -> int:
    def serial(day: date) -> int:
        return 360 * day.year + DAYS_PER_COMMERCIAL_MONTH * day.month + min(day.day, DAYS_PER_COMMERCIAL_MONTH)

    return serial(end) - serial(start)


def _rounded_lines(old: PricedQuantity, new: PricedQuantity, share: Fraction, rule: ProrationRule) -> tuple[Money, ...]:
    currency = (new.unit_price - old.unit_price).currency  # refuses two currencies

    def rounded(value: Fraction) -> Money:
        return Money.round(value, currency, rule.rounding_mode)

    def extended(item: PricedQuantity) -> Money:
        return rounded(rounded(item.unit_price.exact * share).exact * as_fraction(item.quantity))

    match rule.rounding:
        case Rounding.EXTENDED_LINE:
            return (rounded((new.exact - old.exact) * share),)
        case Rounding.UNIT_THEN_EXTEND if old.unit_price == new.unit_price:
            change = as_fraction(new.quantity) - as_fraction(old.quantity)
            return (extended(PricedQuantity(new.unit_price, change)),)
        case Rounding.UNIT_THEN_EXTEND:
            return (-extended(old), extended(new))
        case Rounding.CREDIT_AND_CHARGE:
            return (-rounded(old.exact * share), rounded(new.exact * share))


def _words(old: PricedQuantity, new: PricedQuantity) -> str:
    if old.unit_price == new.unit_price:
        return f"{new.unit_price} × {_plain(as_fraction(new.quantity) - as_fraction(old.quantity))}"
    return f"{new.unit_price} × {_plain(new.quantity)} in place of {old.unit_price} × {_plain(old.quantity)}"


def _plain(value: Exact) -> str:
    """For reading only: at most four decimals, and a sign that says when there were more."""
    exact = as_fraction(value)
    shown = Decimal(round_half(exact * 10_000)).scaleb(-4)
    text = f"{shown:,f}".rstrip("0").rstrip(".")
    return text if Fraction(shown) == exact else f"{text}…"
