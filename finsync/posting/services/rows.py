"""Rows of a query by column name: the posting room's hot paths speak SQL, one statement for many rows."""

from collections.abc import Sequence
from typing import Any

from django.db import connection as database


class Row:
    """One row of a result; columns are attributes."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the query returned no column {name!r}") from None


def fetch(sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
    """Run one statement and return its rows."""
    with database.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return [Row(dict(zip(names, values, strict=True))) for values in cursor.fetchall()]


def run(sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> int:
    """Run one statement and return how many rows it changed."""
    with database.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)
