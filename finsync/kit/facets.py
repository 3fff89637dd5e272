"""Facets: filters beside a list with a live count at every choice.

The counts of a facet ignore that facet's own choices, so that a second choice shows what it would add. All facets and
the total of a list are counted in one statement over the newest ``FACET_ROWS_MAX`` rows; a count past that is shown as
"1,000+". The lists behind tabs are counted to ``COUNTED_MAX``. So a page costs the same at any size of its table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import django_filters
from django import forms
from django.db import connection
from django.db.models import CharField, Count, F, QuerySet, Value
from django.db.models.functions import Cast
from django.http import QueryDict

CHOICES_PER_FACET_MAX = 12
COUNTED_MAX = 10_000
FACET_ROWS_MAX = 1_000


class _AnyOfField(forms.MultipleChoiceField):
    def valid_value(self, value: Any) -> bool:
        """Any text may be asked for; what does not exist finds nothing."""
        return True


class AnyOf(django_filters.MultipleChoiceFilter):
    """Rows whose field has any of the values given, as ``?entity=US01&entity=DE01``."""

    field_class = _AnyOfField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"distinct": False} | kwargs))


@dataclass(frozen=True)
class Facet:
    """One group of choices: the filter's parameter, its title, the column counted, and words for its values."""

    name: str
    title: str
    column: str
    words: Mapping[str, str] = field(default_factory=dict)
    label: Callable[[str], str] | None = None
    order: tuple[str, ...] = ()
    empty: str = ""  # word for rows without a value; "" leaves them out


@dataclass(frozen=True)
class Choice:
    """One choice of a facet as shown."""

    value: str
    word: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class Counted:
    """Facets with their choices, and how many rows the whole filter finds."""

    total: int
    facets: list[tuple[Facet, list[Choice]]]


def count(
    filterset: type[django_filters.FilterSet], data: QueryDict, rows: QuerySet[Any], facets: tuple[Facet, ...]
) -> Counted:
    """Count a list under its filter ``data``, in one query. ``rows`` is the list before filtering."""
    parts = [_counts(filterset(data, queryset=rows).qs, "", None)]
    for facet in facets:
        others = data.copy()
        others.pop(facet.name, None)
        parts.append(_counts(filterset(others, queryset=rows).qs, facet.name, facet.column))
    found: dict[str, dict[str, int]] = {}
    for name, value, number in parts[0].union(*parts[1:], all=True):
        found.setdefault(name, {})[value or ""] = number
    total = sum(found.pop("", {}).values())
    return Counted(total, [(facet, _choices(facet, found.get(facet.name, {}), data)) for facet in facets])


def count_each(lists: Mapping[str, QuerySet[Any]], firsts: Mapping[str, QuerySet[Any]] | None = None) -> dict[str, Any]:
    """Count several lists in one statement, each to at most ``COUNTED_MAX`` + 1.

    ``firsts`` are lists of one column whose first value is read along (the oldest date of a list).
    """
    counted = {name: rows.order_by().values("pk")[: COUNTED_MAX + 1] for name, rows in lists.items()}
    parts, values = [], []
    for number, rows in enumerate((*counted.values(), *(rows[:1] for rows in (firsts or {}).values()))):
        statement, given = rows.query.sql_with_params()
        what = f"SELECT count(*) FROM ({statement}) counted" if number < len(counted) else statement  # noqa: S608
        parts.append(f"({what})")
        values += given
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", values)
        return dict(zip((*counted, *(firsts or {})), cursor.fetchone() or (), strict=True))


def _counts(rows: QuerySet[Any], name: str, column: str | None) -> QuerySet[Any]:
    newest = rows.order_by("-pk").values("pk")[: FACET_ROWS_MAX + 1]
    rows = rows.model._default_manager.filter(pk__in=newest)
    kind: Any = CharField()
    value = Cast(F(column), kind) if column else Value("", kind)
    named = rows.annotate(facet_name=Value(name, kind), facet_value=value)
    return (
        named.values("facet_name", "facet_value")
        .annotate(facet_count=Count("pk"))
        .values_list("facet_name", "facet_value", "facet_count")
    )


def _choices(facet: Facet, counts: Mapping[str, int], data: QueryDict) -> list[Choice]:
    chosen = set(data.getlist(facet.name))
    known = dict(counts) | {value: counts.get(value, 0) for value in chosen if value}
    if facet.empty and ("" in known or "none" in chosen):
        known["none"] = known.pop("", 0)
    known.pop("", None)
    rank = {value: place for place, value in enumerate(facet.order)}
    names = sorted(known, key=lambda value: (rank.get(value, len(rank)), -known[value], value))

    def word(value: str) -> str:
        if value == "none" and facet.empty:
            return facet.empty
        return facet.words.get(value) or (facet.label(value) if facet.label else value)

    kept = [value for place, value in enumerate(names) if place < CHOICES_PER_FACET_MAX or value in chosen]
    return [Choice(value, word(value), known[value], value in chosen) for value in kept]
