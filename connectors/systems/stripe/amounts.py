"""Stripe's numbers: amounts in its own minor units, and times in whole seconds.

Stripe's minor unit is not always ISO 4217's (docs.stripe.com/currencies, domain.md 0.7): MGA counts in whole units
although ISO gives it two decimals, ISK and UGX in hundredths although ISO gives them none.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.reading import Cursor
from finsync.core.money import Money, exponent

ZERO_DECIMAL = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
WHOLE_UNITS_IN_HUNDREDTHS = frozenset({"ISK", "UGX"})
TWO_DECIMALS = 2

MINOR_UNITS_MAX = 10**15  # beyond this a number is a defect, not an amount
SECONDS_MAX = 2**33  # the year 2242


def stripe_exponent(currency: str) -> int:
    """Decimals of Stripe's minor unit of an ISO currency. Raises ValueError where Stripe documents none for it."""
    if currency in ZERO_DECIMAL:
        return 0
    if currency in THREE_DECIMAL:
        return 3
    if currency in WHOLE_UNITS_IN_HUNDREDTHS or exponent(currency) == TWO_DECIMALS:
        return TWO_DECIMALS
    raise ValueError(f"Stripe documents no minor unit for {currency}")


def read_currency(field: Cursor) -> str:
    """An ISO code, which Stripe writes in lower case."""
    code = Cursor(field.text().upper(), field.path).currency()
    try:
        stripe_exponent(code)
    except ValueError as error:
        raise field.refuse(str(error)) from None
    return code


def read_amount(field: Cursor, currency: str) -> Money:
    """An amount in Stripe's minor units as Money; refused where the currency cannot hold it (ISK 550)."""
    minor = field.whole(least=-MINOR_UNITS_MAX)
    if minor > MINOR_UNITS_MAX:
        raise field.refuse(f"an amount of at most {MINOR_UNITS_MAX} minor units is needed")
    try:
        return Money.of(Decimal(minor).scaleb(-stripe_exponent(currency)), currency)
    except ValueError as error:
        raise field.refuse(str(error)) from None


def stripe_minor(amount: Money) -> int:
    """Money in Stripe's minor units, for sending. Raises ValueError where Stripe cannot express it."""
    minor = amount.major.scaleb(stripe_exponent(amount.currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{amount} has more decimals than Stripe takes")
    return int(minor)


def read_second(field: Cursor) -> int:
    """A time in whole seconds since 1970."""
    second = field.whole(least=1)
    if second > SECONDS_MAX:
        raise field.refuse("a time before the year 2242 is needed")
    return second


def moment(second: int) -> datetime:
    """The same in UTC."""
    return datetime.fromtimestamp(second, UTC)


def read_day(field: Cursor, zone: ZoneInfo) -> date:
    """The calendar day of a time, in the time zone of the legal entity."""
    return moment(read_second(field)).astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    """The second a day begins, in the time zone of the legal entity."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
