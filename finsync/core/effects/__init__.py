"""Event-complete, not invoice-complete: every commercial event writes down what must, and must not, follow from it."""

from __future__ import annotations

from collections.abc import Mapping

from finsync.core.effects.deadlines import BusinessCalendar, DeadlineClass, cut_off, due_at, hard_stop
from finsync.core.effects.model import Cell, EffectKind, ExpectedEffect, FactValue, Row, System
from finsync.core.effects.table import ROWS
from finsync.core.money import Money

__all__ = [
    "ROWS",
    "BusinessCalendar",
    "DeadlineClass",
    "EffectKind",
    "ExpectedEffect",
    "Row",
    "System",
    "UndeclaredEvent",
    "cut_off",
    "due_at",
    "expected_effects",
    "hard_stop",
    "row_of",
]


class UndeclaredEvent(KeyError):
    """An event, or a variant of one, that no row declares. What it must cause is unknown, so nobody may guess."""


def row_of(event: str, facts: Mapping[str, FactValue]) -> Row:
    """The one row that declares an event with these facts. Raises ``UndeclaredEvent``, naming the facts it needs."""
    named = [row for row in ROWS if event in row.events]
    hits = [row for row in named if all(facts.get(name) == value for name, value in (row.where or {}).items())]
    if len(hits) == 1:
        return hits[0]
    needs = sorted({f"{name} = {value}" for row in named for name, value in (row.where or {}).items()})
    raise UndeclaredEvent(f"{event} needs one of: {'; '.join(needs)}" if named else f"{event} is not declared")


def expected_effects(event: str, facts: Mapping[str, FactValue]) -> tuple[ExpectedEffect, ...]:
    """Every effect a commercial event must have, and every one it must not have.

    ``facts`` carry the variant (``billing_timing`` of a new contract, ``refunded`` of a cancellation …) and, as
    ``Money`` in transaction currency, the amounts known beforehand (``net``, ``tax``, ``gross`` …).
    Raises ``UndeclaredEvent``.
    """
    row = row_of(event, facts)
    counting = (cell for cell in row.cells if cell.only_if is None or facts.get(cell.only_if[0]) == cell.only_if[1])
    return tuple(_effect(event, cell, facts) for cell in counting)


def _effect(event: str, cell: Cell, facts: Mapping[str, FactValue]) -> ExpectedEffect:
    amount = facts.get(cell.amount) if cell.amount else None
    if amount is not None and not isinstance(amount, Money):
        raise TypeError(f"fact {cell.amount} must be Money, not {amount!r}")
    verb = "must show" if cell.must_exist else "must not show"
    value = f" of {amount}" if amount is not None else ""
    return ExpectedEffect(
        kind=cell.kind,
        system=cell.system,
        amount=amount,
        deadline_class=cell.deadline,
        code_if_missing=cell.code,
        explanation=f"{event}: {cell.system} {verb} {cell.text}{value}",
        anchor=cell.anchor,
        must_exist=cell.must_exist,
    )
