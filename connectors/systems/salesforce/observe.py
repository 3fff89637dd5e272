"""Contracts as Salesforce holds them: for each, its newest version and its total contract value."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby

from connectors.contract import Normalised, RawItem, Window
from connectors.systems.salesforce.client import Client, Row, quoted
from connectors.systems.salesforce.normalise import normalise
from connectors.systems.salesforce.reads import ORDER_QUERY, complete
from finsync.core.keys import canonical_json
from finsync.core.money import Money, UnknownCurrency, total
from finsync.core.pricing import added_net
from finsync.core.records import ContractVersionRecord
from finsync.core.records.observed import Observed

CONTRACTS_PER_READ = 50  # contracts whose items are read together


def contracts(client: Client, window: Window, system: str) -> Iterator[Observed]:
    """Yield each contract whose term touches the window, as of the window's end.

    A version counts if it takes effect before the window ends. ``amount`` is the total contract value: the sum of what
    all those versions add. A contract with an unreadable order has state ``unreadable`` and version 0: never a match.
    """
    where = [f"EffectiveDate < {window.end}", "Status = 'Activated'", "ContractId != null"]
    if window.entities:
        where.append(f"Entity__c IN ({', '.join(map(quoted, window.entities))})")
    pages = client.pages(f"{ORDER_QUERY} WHERE {' AND '.join(where)} ORDER BY Contract.ContractNumber, Id")
    rows = (row for page in pages for row in page)
    waiting: list[list[Row]] = []
    for _, family in groupby(rows, key=lambda row: row.get("ContractId")):
        waiting.append(list(family))
        if len(waiting) == CONTRACTS_PER_READ:
            yield from _observed(client, waiting, window.start, system)
            waiting = []
    yield from _observed(client, waiting, window.start, system)


def _observed(client: Client, families: Sequence[list[Row]], start: date, system: str) -> Iterator[Observed]:
    whole = complete(client, [row for family in families for row in family])
    for _, family in groupby(whole, key=lambda row: row.get("ContractId")):
        found = _contract(list(family), start, system)
        if found:
            yield found


def _contract(orders: list[Row], start: date, system: str) -> Observed | None:
    versions: list[ContractVersionRecord] = []
    for order in orders:
        result = normalise(RawItem(event_id="", object="Order", body=canonical_json(order)), system)
        if not isinstance(result, Normalised):
            return _unreadable(order, str(result))
        versions += [record for record in result.records if isinstance(record, ContractVersionRecord)]
    newest = versions[-1]
    if newest.term_end <= start:
        return None
    return Observed(
        object="contract",
        key=newest.contract_number,
        entity=newest.entity,
        currency=newest.currency,
        period="",
        amount=total(map(added_net, versions), newest.currency),
        state="active",
        source_id=newest.contract_number,
        version=newest.version,
        document_date=newest.effective_date,
        facts={"account": newest.account_id, "change": newest.change_type},
    )


def _unreadable(order: Row, why: str) -> Observed | None:
    """A contract that cannot be read is still there; leaving it out would hide it."""
    currency, number = str(order.get("CurrencyIsoCode")), str((order.get("Contract") or {}).get("ContractNumber"))
    try:
        nothing = Money.zero(currency)
    except UnknownCurrency:
        return None
    return Observed(
        object="contract",
        key=number,
        entity=str(order.get("Entity__c")),
        currency=currency,
        period="",
        amount=nothing,
        state="unreadable",
        source_id=number,
        facts={"order": str(order.get("Id")), "why": why[:500]},
    )
