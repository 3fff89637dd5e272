"""Journal entries: a `Journal` is balanced or it does not exist; lines that are not give an `Unbalanced` value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from finsync.core.money import CurrencyMismatch, Money, total

Side = Literal["DR", "CR"]


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line: `amount` (zero or more, transaction currency) on one side of one account.

    `functional` is the same amount in the entity's functional currency, on all lines of a journal or on none.
    `dimensions` are (name, value) pairs; `rule_id` is the posting rule that wrote the line.
    """

    account: str
    side: Side
    amount: Money
    dimensions: tuple[tuple[str, str], ...] = ()
    rule_id: str = ""
    functional: Money | None = None
    memo: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            raise ValueError("a journal line needs an account")
        if self.side not in {"DR", "CR"}:
            raise ValueError(f"side is DR or CR, not {self.side!r}")
        for amount in (self.amount, self.functional):
            if amount is not None and amount.is_negative:
                raise ValueError(f"{amount} on {self.account}: a negative amount belongs on the other side")

    @property
    def signed(self) -> Money:
        """Debits positive, credits negative."""
        return self.amount if self.side == "DR" else -self.amount

    @property
    def signed_functional(self) -> Money | None:
        """Functional amount, debits positive, credits negative; None if the line carries none."""
        return -self.functional if self.functional is not None and self.side == "CR" else self.functional

    def reversed(self) -> JournalLine:
        """The same line on the other side."""
        return replace(self, side="CR" if self.side == "DR" else "DR")


@dataclass(frozen=True, slots=True)
class Unbalanced:
    """Lines whose debits and credits differ: reason UNBALANCED_ENTRY.

    `differences`: debits − credits of each currency that is off, and `functional_differences` likewise.
    """

    lines: tuple[JournalLine, ...]
    differences: tuple[Money, ...]
    functional_differences: tuple[Money, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class Journal:
    """Lines whose debits equal their credits in every currency, and in functional currency where it is given.

    Build one with `Journal.balanced`, which returns Unbalanced for lines that came from data. The constructor raises
    ValueError instead, for lines that are balanced by the way they were made.
    """

    lines: tuple[JournalLine, ...]

    def __post_init__(self) -> None:
        refusal = _unbalanced(self.lines)
        if refusal:
            raise ValueError(refusal.explanation)

    @classmethod
    def balanced(cls, lines: Iterable[JournalLine]) -> Journal | Unbalanced:
        """A journal of these lines, or the difference per currency. Raises ValueError if there are no lines."""
        kept = tuple(lines)
        return _unbalanced(kept) or cls(kept)

    def reverse(self) -> Journal:
        """The journal that undoes this one: every line on the other side."""
        return Journal(tuple(line.reversed() for line in self.lines))

    def net(self, account: str, currency: str) -> Money:
        """Debits − credits of one account in one transaction currency."""
        of_account = (line.signed for line in self.lines if line.account == account)
        return total((amount for amount in of_account if amount.currency == currency), currency)

    def turnover(self, currency: str) -> Money:
        """Sum of the debits (= sum of the credits) in one transaction currency."""
        debits = (line.amount for line in self.lines if line.side == "DR" and line.amount.currency == currency)
        return total(debits, currency)


def debit(
    account: str, amount: Money, *, rule_id: str = "", dimensions: tuple[tuple[str, str], ...] = ()
) -> JournalLine:
    """A debit line of `amount`."""
    return JournalLine(account, "DR", amount, dimensions, rule_id)


def credit(
    account: str, amount: Money, *, rule_id: str = "", dimensions: tuple[tuple[str, str], ...] = ()
) -> JournalLine:
    """A credit line of `amount`."""
    return JournalLine(account, "CR", amount, dimensions, rule_id)


def _unbalanced(lines: tuple[JournalLine, ...]) -> Unbalanced | None:
    if not lines:
        raise ValueError("a journal needs at least one line")
    functional = [amount for line in lines if (amount := line.signed_functional) is not None]
    if functional and len(functional) < len(lines):
        raise ValueError("a functional amount is given on some lines only")
    if len({amount.currency for amount in functional}) > 1:
        raise CurrencyMismatch("a journal has one functional currency")
    differences, functional_differences = _off(line.signed for line in lines), _off(functional)
    if not differences and not functional_differences:
        return None
    words = [f"debits − credits = {amount}" for amount in differences]
    words += [f"functional debits − credits = {amount}" for amount in functional_differences]
    return Unbalanced(lines, differences, functional_differences, "UNBALANCED_ENTRY: " + "; ".join(words))


def _off(amounts: Iterable[Money]) -> tuple[Money, ...]:
    sums: dict[str, Money] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, Money.zero(amount.currency)) + amount
    return tuple(sums[currency] for currency in sorted(sums) if sums[currency])
