"""The part of SOQL the double understands: SELECT fields FROM object WHERE a AND b ORDER BY c LIMIT n.

Conditions compare one field with a literal or test IN a list. A field may reach through one parent
(``Contract.ContractNumber``).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:'((?:[^'\\]|\\.)*)'|(\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d))?|-?\d+(?:\.\d+)?|[A-Za-z_][\w.]*|<=|>=|!=|[=<>(),]))"
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a is not None and a < b,
    "<=": lambda a, b: a is not None and a <= b,
    ">": lambda a, b: a is not None and a > b,
    ">=": lambda a, b: a is not None and a >= b,
    "IN": lambda a, b: a in b,
}
_WORDS = {"TRUE": True, "FALSE": False, "NULL": None}


class Malformed(Exception):
    """The query is not of this grammar: MALFORMED_QUERY."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; ``value`` is a list for IN."""

    field: str
    operator: str
    value: Any

    def holds(self, value: Any) -> bool:
        """Whether a record's value passes."""
        return _COMPARE[self.operator](value, self.value)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; ``order`` names fields, descending where the flag is True."""

    fields: tuple[str, ...]
    table: str
    where: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]
    limit: int | None


def parse(text: str) -> Query:
    """Return the query, or raise Malformed."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[bool, str]] = []  # (quoted, text)
        place = 0
        text = text.strip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if not match:
                raise Malformed(f"unexpected token: {text[place : place + 20]!r}")
            quoted, plain = match.groups()
            self.tokens.append((quoted is not None, re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain))
            place = match.end()

    def query(self) -> Query:
        self._need("SELECT")
        fields = self._names()
        self._need("FROM")
        table = self._take()
        where: list[Condition] = []
        order: list[tuple[str, bool]] = []
        if self._if("WHERE"):
            where.append(self._condition())
            while self._if("AND"):
                where.append(self._condition())
        if self._if("ORDER"):
            self._need("BY")
            order.append(self._direction())
            while self._if(","):
                order.append(self._direction())
        limit = int(self._take()) if self._if("LIMIT") else None
        if self.tokens:
            raise Malformed(f"unexpected token: {self.tokens[0][1]!r}")
        return Query(tuple(fields), table, tuple(where), tuple(order), limit)

    def _names(self) -> list[str]:
        names = [self._take()]
        while self._if(","):
            names.append(self._take())
        return names

    def _direction(self) -> tuple[str, bool]:
        name = self._take()
        return name, not self._if("ASC") and self._if("DESC")

    def _condition(self) -> Condition:
        field = self._take()
        operator = self._take().upper()
        if operator not in _COMPARE:
            raise Malformed(f"unexpected token: {operator!r}")
        if operator != "IN":
            return Condition(field, operator, self._literal())
        self._need("(")
        values = [self._literal()]
        while self._if(","):
            values.append(self._literal())
        self._need(")")
        return Condition(field, operator, values)

    def _literal(self) -> Any:
        if not self.tokens:
            raise Malformed("a value is missing")
        quoted, text = self.tokens.pop(0)
        if quoted:
            return text
        if text.upper() in _WORDS:
            return _WORDS[text.upper()]
        if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return Decimal(text)
        if text[:4].isdigit():
            return text
        raise Malformed(f"unexpected token: {text!r}")

    def _take(self) -> str:
        if not self.tokens:
            raise Malformed("unexpected end of query")
        return self.tokens.pop(0)[1]

    def _if(self, word: str) -> bool:
        if self.tokens and self.tokens[0] == (False, self.tokens[0][1]) and self.tokens[0][1].upper() == word:
            self.tokens.pop(0)
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._if(word):
            raise Malformed(f"expecting {word}")
