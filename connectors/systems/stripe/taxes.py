"""Net and tax of invoice lines. Stripe states tax per line, or (older shapes) only once for the whole invoice.

``tax_amounts`` until 2025, ``taxes`` since basil. Both name a tax rate by id; what the rate is stands in
``default_tax_rates``, in ``tax_rates`` of the line, or in place of the id where the letter was fetched with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors.reading import Cursor
from connectors.systems.stripe.amounts import read_amount
from connectors.systems.stripe.origin import FetchFirst, Labels
from finsync.core.money import Money, total
from finsync.core.records import TaxLine

PERCENT = 100
PERCENT_MAX = 100


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A rate as a fraction, with the codes finsync maps."""

    tax_code: str
    jurisdiction: str
    fraction: Decimal

    @classmethod
    def of(cls, rate: Cursor) -> "TaxRate":
        """Read a tax rate object: its code from metadata, else its id; its jurisdiction, else state or country."""
        percentage = rate["percentage"].number()
        if not 0 <= percentage <= PERCENT_MAX:
            raise rate["percentage"].refuse("a percentage is needed")
        places = [rate[name].text() for name in ("jurisdiction", "state", "country") if rate[name].given]
        code = Labels.of(rate).identifier("tax_code", rate["id"].identifier())
        return cls(code, places[0] if places else "", percentage / PERCENT)


@dataclass(frozen=True, slots=True)
class TaxRates:
    """The rates a letter carries. ``ask_for`` is the invoice to fetch for a missing one, "" for a snapshot."""

    known: Mapping[str, TaxRate]
    ask_for: str

    @classmethod
    def of(cls, invoice: Cursor, ask_for: str | None) -> "TaxRates":
        """Collect every tax rate object of an invoice."""
        objects = _items(invoice["default_tax_rates"])
        for line in invoice["lines"]["data"]:
            objects += _items(line["tax_rates"])
        known = {rate["id"].identifier(): TaxRate.of(rate) for rate in objects}
        return cls(known, ask_for or "")

    def find(self, reference: Cursor) -> TaxRate:
        """The rate named by an id, or written out in its place."""
        if isinstance(reference.value, dict):
            return TaxRate.of(reference)
        rate = self.known.get(reference.identifier())
        if rate is None:
            if self.ask_for:
                raise FetchFirst("invoice", self.ask_for, f"the letter does not say what tax rate {reference.value} is")
            raise reference.refuse("the tax rate itself is needed")
        return rate


@dataclass(frozen=True, slots=True)
class _Entry:
    """One amount of tax as stated: inclusive ones are contained in the line's amount."""

    rate: TaxRate
    amount: Money
    inclusive: bool
    base: Money | None

    @classmethod
    def of(cls, entry: Cursor, currency: str, rates: TaxRates) -> "_Entry":
        details = entry["tax_rate_details"]
        flag, base = entry["inclusive"], entry["taxable_amount"]
        return cls(
            rate=rates.find(details["tax_rate"] if details.given else entry["tax_rate"]),
            amount=read_amount(entry["amount"], currency),
            inclusive=flag.flag() if flag.given else entry["tax_behavior"].value == "inclusive",
            base=read_amount(base, currency) if base.given else None,
        )

    def line(self, net: Money) -> TaxLine:
        return TaxLine(
            tax_code=self.rate.tax_code,
            jurisdiction=self.rate.jurisdiction,
            rate=self.rate.fraction,
            base=net if self.base is None else self.base,
            amount=self.amount,
        )


def lines_with_tax(
    invoice: Cursor, currency: str, rates: TaxRates
) -> Iterator[tuple[Cursor, Money, tuple[TaxLine, ...]]]:
    """Yield each line with its net (after discounts, without tax) and its tax lines."""
    lines = list(invoice["lines"]["data"])
    entries = [[_Entry.of(entry, currency, rates) for entry in _tax_entries(line)] for line in lines]
    nets = [_net(line, currency, taxes) for line, taxes in zip(lines, entries, strict=True)]
    if not any(entries):
        return iter(_spread_over_lines(invoice, lines, nets, currency, rates))
    taxes = (tuple(entry.line(net) for entry in stated) for stated, net in zip(entries, nets, strict=True))
    return zip(lines, nets, taxes, strict=True)


def _tax_entries(line: Cursor) -> list[Cursor]:
    return _items(line["taxes"]) or _items(line["tax_amounts"])


def _net(line: Cursor, currency: str, taxes: Sequence[_Entry]) -> Money:
    discounts = (read_amount(item["amount"], currency) for item in _items(line["discount_amounts"]))
    contained = (tax.amount for tax in taxes if tax.inclusive)
    return read_amount(line["amount"], currency) - total(discounts, currency) - total(contained, currency)


def _spread_over_lines(
    invoice: Cursor, lines: Sequence[Cursor], nets: Sequence[Money], currency: str, rates: TaxRates
) -> list[tuple[Cursor, Money, tuple[TaxLine, ...]]]:
    """Bring tax that is stated for the whole invoice onto its lines, rate by rate."""
    stated = _items(invoice["total_taxes"]) or _items(invoice["total_tax_amounts"])
    taxes: list[list[TaxLine]] = [[] for _ in lines]
    sums: dict[TaxRate, Money] = {}
    for field in stated:
        entry = _Entry.of(field, currency, rates)
        if entry.inclusive:
            raise field.refuse("inclusive tax is needed per line")
        sums[entry.rate] = sums.get(entry.rate, Money.zero(currency)) + entry.amount
    for rate, amount in sums.items():
        for place, part in enumerate(_split(invoice, amount, nets, rate)):
            taxes[place].append(_Entry(rate, part, inclusive=False, base=None).line(nets[place]))
    return [(line, net, tuple(parts)) for line, net, parts in zip(lines, nets, taxes, strict=True)]


def _split(invoice: Cursor, amount: Money, nets: Sequence[Money], rate: TaxRate) -> Sequence[Money]:
    """Each line's own tax where these add up, else by largest remainder over the nets (domain.md 3, policy 3 and 4)."""
    own = [net.times(rate.fraction) for net in nets]
    if total(own, amount.currency) == amount:
        return own
    if not any(nets) or any(net.is_negative for net in nets):
        raise invoice["lines"].refuse(f"tax of {amount} does not fit its lines")
    return amount.allocate([net.minor for net in nets])


def _items(field: Cursor) -> list[Cursor]:
    return list(field) if field.given else []
