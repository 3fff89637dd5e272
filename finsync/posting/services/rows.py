"""Rows of a query by column name: the posting room's hot paths speak SQL, one statement for many rows."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection as database

Parameters = Sequence[Any] | dict[str, Any]


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

    def but(self, **changed: Any) -> "Row":
        """Return the row with some columns replaced."""
        return Row({**self._values, **changed})


def fetch(sql: str, parameters: Parameters = ()) -> list[Row]:
    """Run one statement and return its rows."""
    with database.cursor() as cursor:
        cursor.execute(sql, parameters)
        return _rows(cursor)


def fetch_prepared(sql: str, parameters: Parameters = ()) -> list[Row]:
    """Run one statement of the hot path; PostgreSQL keeps its plan, which saves half its time."""
    database.ensure_connection()
    with database.wrap_database_errors, psycopg.Cursor(database.connection) as cursor:
        cursor.execute(sql, parameters, prepare=True)
        return _rows(cursor)


def run(sql: str, parameters: Parameters = ()) -> int:
    """Run one statement and return how many rows it changed."""
    with database.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def _rows(cursor: Any) -> list[Row]:
    names = [column[0] for column in cursor.description]
    return [Row(dict(zip(names, values, strict=True))) for values in cursor.fetchall()]
