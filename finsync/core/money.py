"""Money: a whole number of minor units in one ISO 4217 currency.

Nothing here rounds silently. A value that does not fit the currency's minor unit is an error (`Money.of`) or is rounded
by name (`Money.round`, `times`, `converted`). A total is split only by `allocate`, whose parts always add up again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from iso4217 import raw_table

Exact = int | Decimal | Fraction

MAJOR_DIGITS_MAX = 30  # digits before the decimal point; a longer number is a defect upstream, not an amount
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")


class RoundingMode(StrEnum):
    """What to do with a tie: away from zero (HALF_UP, commercial rounding) or to the even neighbour (HALF_EVEN)."""

    HALF_UP = "HALF_UP"
    HALF_EVEN = "HALF_EVEN"


HALF_UP = RoundingMode.HALF_UP
HALF_EVEN = RoundingMode.HALF_EVEN


class CurrencyMismatch(TypeError):
    """Two currencies met in one sum or comparison. A programmer error: convert first, with a named rate."""


class UnknownCurrency(ValueError):
    """The code is not a current ISO 4217 currency with a minor unit (lower case, withdrawn, XXX and gold included)."""


# The published table says "N.A." for gold, test codes and the like: they have no minor unit and are no money here.
_EXPONENTS: dict[str, int] = {
    code: int(digits) for code, entry in raw_table.items() if code and (digits := str(entry["CcyMnrUnts"])).isdigit()
}


def exponent(currency: str) -> int:
    """Decimal digits of the currency's minor unit: USD 2, JPY 0, KWD 3 (ISO 4217 list one). Raises UnknownCurrency.

    A source may count differently (domain.md 0.7, Stripe HUF or ISK): its connector converts before it makes a Money.
    """
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(f"{currency!r} is not an ISO 4217 currency code with a minor unit") from None


def round_half(value: Fraction, rounding: RoundingMode = HALF_UP) -> int:
    """Nearest whole number to an exact value; ties as `rounding` says, symmetric for negatives."""
    if rounding is RoundingMode.HALF_EVEN:
        return round(value)
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return -whole if value < 0 else whole


def as_fraction(value: Exact) -> Fraction:
    """The value as an exact fraction. Raises TypeError for float and bool, ValueError for NaN or infinity."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, Fraction)):
        raise TypeError(f"an exact number (int, Decimal or Fraction) is needed, not {type(value).__name__} {value!r}")
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a finite number")
        if value and (value.adjusted() > MAJOR_DIGITS_MAX or int(value.as_tuple().exponent) < -2 * MAJOR_DIGITS_MAX):
            raise ValueError(f"{value} is too large or too finely divided to be an amount")
    return Fraction(value)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `minor` units (cents of USD, yen of JPY) of `currency`, signed.

    Equal only if currency and amount are equal; ordering and sums across currencies raise CurrencyMismatch.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise TypeError(f"minor units are a whole number, not {type(self.minor).__name__} {self.minor!r}")
        exponent(self.currency)

    @classmethod
    def of(cls, amount: Decimal | str | int, currency: str) -> Money:
        """Exact amount in major units: `Money.of("5276.71", "USD")`.

        Raises ValueError naming the value if it is no plain number or has more decimals than the currency,
        TypeError for a float.
        """
        value = amount
        if isinstance(value, str):
            if not _PLAIN_NUMBER.fullmatch(value):
                raise ValueError(f"{amount!r} is not a plain decimal number")
            value = Decimal(value)
        minor = as_fraction(value) * 10 ** exponent(currency)
        if minor.denominator != 1:
            raise ValueError(f"{amount} has more decimals than {currency} allows ({exponent(currency)})")
        return cls(minor.numerator, currency)

    @classmethod
    def round(cls, amount: Exact, currency: str, rounding: RoundingMode = HALF_UP) -> Money:
        """The amount in major units, rounded once to the minor unit. HALF_UP rounds ties away from zero."""
        return cls(round_half(as_fraction(amount) * 10 ** exponent(currency), rounding), currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in a currency."""
        return cls(0, currency)

    @property
    def major(self) -> Decimal:
        """Exact amount in major units, with as many decimals as the currency has: Decimal("5276.71")."""
        sign, digits = int(self.minor < 0), tuple(int(digit) for digit in str(abs(self.minor)))
        return Decimal((sign, digits, -exponent(self.currency)))

    @property
    def exact(self) -> Fraction:
        """Amount in major units as a fraction, for arithmetic that must not round before its end."""
        return Fraction(self.minor, 10 ** exponent(self.currency))

    @property
    def is_negative(self) -> bool:
        return self.minor < 0

    def times(self, factor: Exact, rounding: RoundingMode = HALF_UP) -> Money:
        """This amount × factor, rounded once: a tax rate, a fee percentage, a share of a term."""
        return Money.round(self.exact * as_fraction(factor), self.currency, rounding)

    def converted(self, rate: Exact, currency: str, rounding: RoundingMode = HALF_UP) -> Money:
        """This amount in another currency at `rate` (units of `currency` per one unit of this one), rounded once."""
        return Money.round(self.exact * as_fraction(rate), currency, rounding)

    def allocate(self, weights: Sequence[Exact], step: int = 1) -> list[Money]:
        """Split by weight with the largest-remainder method; the parts sum exactly to this amount.

        `step` is the smallest part in minor units (100 splits USD into whole dollars; the amount must be a multiple).
        Equal remainders are served in order. Raises ValueError for a negative weight or weights that sum to zero.
        Source: domain.md 3, policy (3).
        """
        shares = [as_fraction(weight) for weight in weights]
        whole = sum(shares, Fraction(0))
        if whole <= 0 or any(share < 0 for share in shares):
            raise ValueError(f"weights must be zero or more and not all zero: {[str(share) for share in shares]}")
        if step < 1 or self.minor % step:
            raise ValueError(f"{self} is not a whole number of steps of {step} minor units")
        steps = abs(self.minor) // step
        exact_parts = [steps * share / whole for share in shares]
        parts = [part.numerator // part.denominator for part in exact_parts]
        by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact_parts[i], i))
        for i in by_remainder[: steps - sum(parts)]:
            parts[i] += 1
        sign = -step if self.minor < 0 else step
        return [Money(sign * part, self.currency) for part in parts]

    def _minor_of(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self} and {other} are in different currencies")
        return other.minor

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.minor + self._minor_of(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.minor - self._minor_of(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __mul__(self, factor: int) -> Money:
        if isinstance(factor, bool) or not isinstance(factor, int):
            return NotImplemented
        return Money(self.minor * factor, self.currency)

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._minor_of(other) if isinstance(other, Money) else NotImplemented

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._minor_of(other) if isinstance(other, Money) else NotImplemented

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._minor_of(other) if isinstance(other, Money) else NotImplemented

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._minor_of(other) if isinstance(other, Money) else NotImplemented

    def __str__(self) -> str:
        return f"{self.currency} {self.major:,f}"


def total(moneys: Iterable[Money], currency: str) -> Money:
    """Sum of amounts that are all in `currency`; zero if there are none. Raises CurrencyMismatch."""
    return sum(moneys, Money.zero(currency))
