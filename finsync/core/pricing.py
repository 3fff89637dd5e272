"""What a contract version is worth: the net price of what it adds, by its own proration rule.

Billing invoices it, the revenue engine allocates it, and the control amounts of both postings are compared with it.
Source: domain.md 0.2 (the method belongs to the contract version) and 3 (rounded once on the extended line).
"""

from finsync.core.money import Money, total
from finsync.core.proration import Proration, prorate
from finsync.core.records.contract import ContractLine, ContractVersionRecord


def added_share(version: ContractVersionRecord, line: ContractLine) -> Proration:
    """Price of one of the version's ``added`` lines over [effective date, line end), with how it was worked out.

    Raises ValueError where the effective date lies outside the line's term.
    """
    standing = {item.line_id: item.quantity for item in version.lines}
    return prorate(
        line.unit_price,
        line.quantity,
        version.term_start,
        line.end,
        version.effective_date,
        version.proration,
        line.price_period_months,
        previous_quantity=standing.get(line.line_id, line.quantity * 0) - line.quantity,
    )


def added_price(version: ContractVersionRecord, line: ContractLine) -> Money:
    """Net price of one of the version's ``added`` lines, in the contract's currency."""
    return added_share(version, line).amount


def added_net(version: ContractVersionRecord) -> Money:
    """Net price of everything the version adds (negative: a reduction), in the contract's currency."""
    return total((added_price(version, line) for line in version.added), version.currency)
