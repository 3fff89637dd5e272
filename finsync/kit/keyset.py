"""Cursor paging for pages: rows are found by where the last page ended, so page 10,000 costs what page 1 costs."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

PAGE_ROWS = 50
CURSOR_CHARACTERS_MAX = 400

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Order:
    """A sort: a never-null field or annotation and its direction; the primary key decides between equals."""

    field: str
    descending: bool = True

    @property
    def clause(self) -> tuple[str, ...]:
        """Django's order_by arguments."""
        sign = "-" if self.descending else ""
        return (f"{sign}{self.field}",) if self.field == "pk" else (f"{sign}{self.field}", f"{sign}pk")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows with the cursors around them, "" where there is nothing more."""

    rows: Sequence[Row]
    previous: str
    next: str


def page(queryset: QuerySet[Row], order: Order, cursor: str = "", size: int = PAGE_ROWS) -> Page[Row]:
    """Return one page. An unreadable cursor means the first page. Costs one query."""
    start = _decode(cursor)
    backwards = bool(start and start["back"])
    read = Order(order.field, order.descending != backwards)
    if start:
        queryset = queryset.filter(_beyond(read, start["at"], start["pk"]))
    found = list(queryset.order_by(*read.clause)[: size + 1])
    more, rows = len(found) > size, found[:size]
    if backwards:
        rows.reverse()
    before, after = (more, True) if backwards else (bool(start), more)
    return Page(
        rows,
        _encode(order, rows[0], back=True) if before and rows else "",
        _encode(order, rows[-1], back=False) if after and rows else "",
    )


def _beyond(order: Order, at: Any, pk: int) -> Q:
    side = "lt" if order.descending else "gt"
    if order.field == "pk":
        return Q(**{f"pk__{side}": pk})
    return Q(**{f"{order.field}__{side}": at}) | Q(**{order.field: at, f"pk__{side}": pk})


def _encode(order: Order, row: Model, *, back: bool) -> str:
    value = getattr(row, order.field)
    at = {"t": value.isoformat()} if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([at, row.pk, int(back)]).encode()).decode().rstrip("=")


def _decode(cursor: str) -> dict[str, Any] | None:
    if not cursor or len(cursor) > CURSOR_CHARACTERS_MAX:
        return None
    try:
        at, pk, back = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        at = datetime.fromisoformat(at["t"]) if isinstance(at, dict) else at
        if not isinstance(at, str | int | datetime) or not isinstance(pk, int):
            return None
    except (ValueError, TypeError, KeyError, binascii.Error):
        return None
    return {"at": at, "pk": pk, "back": back}
