"""Reading letters strictly: one JSON value, and a cursor that knows where in the body it stands.

Every refusal is an ``UnreadableBody`` with a reason code and a path; nothing else is raised on any input bytes.
Rules: reliability.md 4 (exact decimals, duplicate keys refused) and 6.1 (NUL, lone surrogates, depth, huge numbers).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from connectors.contract import Unreadable
from finsync.core.money import Money

DEPTH_MAX = 64  # levels; no letter we read has more than a dozen
WHOLE_DIGITS_MAX = 18  # digits of a whole number: every id and counter fits in a signed 64-bit integer
QUANTITY_DIGITS_MAX = 12  # digits before the decimal point of a quantity, and as many decimals
TEXT_CHARACTERS_MAX = 2_000

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")  # Java systems write 12000000 as 1.2E7
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # JSON in UTF-8 can carry what is unstorable only as an escape
_ABSENT = object()

Choice = TypeVar("Choice", bound=StrEnum)


class UnreadableBody(Exception):
    """A body or a field that cannot be read. Raised inside a connector's normalise and turned into ``Unreadable``."""

    def __init__(self, path: str, detail: str, code: str = "ING_SCHEMA_UNKNOWN") -> None:
        super().__init__(f"{path}: {detail}")
        self.path, self.detail, self.code = path, detail, code

    @property
    def answer(self) -> Unreadable:
        """The same, as the value a connector returns."""
        return Unreadable(code=self.code, path=self.path, detail=self.detail)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A value inside a body and its path (``$.data.lines[0].amount``)."""

    value: Any
    path: str = "$"

    def __getitem__(self, name: str) -> "Cursor":
        """The field of an object; an absent field is refused only when it is read."""
        if not isinstance(self.value, dict):
            raise self.refuse("an object is needed")
        return Cursor(self.value.get(name, _ABSENT), f"{self.path}.{name}")

    def __iter__(self) -> Iterator["Cursor"]:
        if not isinstance(self.value, list):
            raise self.refuse("a list is needed")
        return (Cursor(item, f"{self.path}[{place}]") for place, item in enumerate(self.value))

    @property
    def given(self) -> bool:
        """Whether the field is there and is not null."""
        return self.value is not _ABSENT and self.value is not None

    def refuse(self, detail: str) -> UnreadableBody:
        """The refusal of this very field."""
        return UnreadableBody(self.path, f"{detail}, not {_shown(self.value)}")

    def text(self) -> str:
        """A non-empty text."""
        if not isinstance(self.value, str) or not self.value or len(self.value) > TEXT_CHARACTERS_MAX:
            raise self.refuse("a text is needed")
        return self.value

    def identifier(self) -> str:
        """A code or id made of letters, digits and ``. _ / -``: safe as a part of a key."""
        text = self.text()
        if not _IDENTIFIER.fullmatch(text):
            raise self.refuse("a code of letters and digits is needed")
        return text

    def one_of(self, choices: type[Choice]) -> Choice:
        """A known word of a closed vocabulary; an unknown one is refused, never guessed."""
        text = self.text()
        if text not in list(choices):
            raise self.refuse(f"one of {', '.join(choices)} is needed")
        return choices(text)

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.refuse("true or false is needed")
        return self.value

    def number(self) -> Decimal:
        """An exact number, written as JSON number or as text."""
        number = isinstance(self.value, int | Decimal) and not isinstance(self.value, bool)
        text = str(self.value) if number else self.value
        if not isinstance(text, str) or not _NUMBER.fullmatch(text):
            raise self.refuse("a number is needed")
        return Decimal(text)

    def quantity(self) -> Decimal:
        """A signed quantity without trailing zeros."""
        value = self.number()
        exponent = value.normalize().as_tuple().exponent
        if abs(value) >= 10**QUANTITY_DIGITS_MAX or -int(exponent) > QUANTITY_DIGITS_MAX:
            raise self.refuse("a quantity of reasonable size is needed")
        plain = value.normalize() if value else Decimal(0)
        return plain.quantize(Decimal(1)) if plain == plain.to_integral_value() else plain

    def whole(self, least: int = 0) -> int:
        """A whole number of at least ``least`` (``2`` and ``2.0`` are both two)."""
        value = self.number()
        if value != value.to_integral_value() or abs(value) >= 10**WHOLE_DIGITS_MAX or value < least:
            raise self.refuse(f"a whole number of at least {least} is needed")
        return int(value)

    def money(self, currency: str) -> Money:
        """An amount in major units of a known currency, exact to its minor unit."""
        try:
            return Money.of(self.number(), currency)
        except ValueError as error:
            raise self.refuse(str(error)) from None

    def currency(self) -> str:
        """An ISO 4217 code with a minor unit."""
        code = self.text()
        try:
            Money.zero(code)
        except ValueError as error:
            raise self.refuse(str(error)) from None
        return code

    def day(self) -> date:
        """A calendar day, ``2026-02-14``."""
        try:
            return date.fromisoformat(self.text())
        except ValueError:
            raise self.refuse("a day such as 2026-02-14 is needed") from None

    def day_after(self) -> date:
        """The first day after an inclusive last day: sources that count the end in become half-open here."""
        try:
            return self.day() + timedelta(days=1)
        except OverflowError:
            raise self.refuse("a day within the calendar is needed") from None

    def instant(self) -> datetime:
        """A moment with its offset, in UTC."""
        text = self.text()
        try:
            if _TIMESTAMP.fullmatch(text):
                return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self.refuse("a moment with its offset is needed")


def read_json(body: bytes) -> Cursor:
    """Return the JSON value of a body. Decimals stay exact; duplicate keys, NaN and unstorable text are refused."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise UnreadableBody("$", f"not readable JSON: {str(error)[:200]!a}", "ING_UNREADABLE") from None
    if any(level > DEPTH_MAX for level, _ in _containers(value)):
        raise UnreadableBody("$", f"nested deeper than {DEPTH_MAX} levels", "ING_UNREADABLE")
    if _SUSPICIOUS.search(text) and any(map(_UNSTORABLE.search, _texts(value))):
        raise UnreadableBody("$", "a text holds a character that cannot be stored", "ING_UNREADABLE")
    return Cursor(value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return made


def _containers(value: Any) -> Iterator[tuple[int, Any]]:
    """Every object and list of a value with its level, without recursion."""
    waiting = [(1, value)]
    while waiting:
        level, item = waiting.pop()
        if isinstance(item, dict | list):
            yield level, item
            parts = item.values() if isinstance(item, dict) else item
            waiting += [(level + 1, part) for part in parts if isinstance(part, dict | list)]


def _texts(value: Any) -> Iterator[str]:
    """Every text of a value, names of fields among them."""
    if isinstance(value, str):
        yield value
    for _, item in _containers(value):
        yield from (part for part in item if isinstance(part, str))
        if isinstance(item, dict):
            yield from (part for part in item.values() if isinstance(part, str))


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return ascii(value)[:80] if not isinstance(value, Decimal) else str(value)[:80]
