"""Accounts and orders as letters: what is asked of Salesforce, and how the answers become one body per source object.

An amending order carries only differences. So the letter of an order holds the earlier orders of its contract too, and
says by itself what stands after it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.contract import RawItem
from connectors.systems.salesforce.client import Client, Row, quoted
from finsync.core.keys import canonical_json, content_hash

IDS_PER_QUERY = 100  # ids in one IN list: keeps the query far below the 16,384 characters of a URI
HASH_CHARACTERS = 20
ACTIVATED = "Activated"

ACCOUNT_QUERY = (
    "SELECT Id, Name, Entity__c, CurrencyIsoCode, BillingCountryCode, Tax_Id__c, IsDeleted, MasterRecordId,"
    " SystemModstamp FROM Account"
)
ORDER_QUERY = (
    "SELECT Id, OrderNumber, AccountId, ContractId, Contract.ContractNumber, Status, EffectiveDate, EndDate,"
    " CurrencyIsoCode, Entity__c, Contract_Version__c, Amendment_Ref__c, Proration_Method__c, Proration_Day_Count__c,"
    " Proration_Rounding__c, Rounding_Mode__c, SystemModstamp FROM Order"
)
_ITEM_QUERY = (
    "SELECT Id, OrderId, OriginalOrderItemId, Product2.ProductCode, Quantity, UnitPrice, Price_Period_Months__c,"
    " ServiceDate, EndDate FROM OrderItem"
)
_ACTION_QUERY = "SELECT Id, OrderId, Type FROM OrderAction"


def account_letters(rows: Iterable[Row]) -> list[RawItem]:
    """Return one letter per account."""
    return [_letter("Account", row, _text(row, "SystemModstamp")) for row in rows]


def order_letters(client: Client, changed: Sequence[Row]) -> list[RawItem]:
    """Return one letter per order of every contract that one of these orders belongs to, by contract and version.

    All orders of the contract come again, because a late earlier version changes what a later letter says; an
    unchanged letter has the same event id and is a duplicate.
    """
    contracts = list(dict.fromkeys(_text(row, "ContractId") for row in changed))
    alone = [row for row in changed if not _text(row, "ContractId")]
    return [*_letters(client, alone), *_letters(client, list(orders_of(client, "ContractId", filter(None, contracts))))]


def accounts_of(client: Client, ids: Sequence[str]) -> Iterator[Row]:
    """Yield accounts by id, deleted ones too."""
    yield from _where_in(client, ACCOUNT_QUERY, "Id", ids, deleted_too=True)


def orders_of(client: Client, field: str, values: Iterable[str]) -> Iterator[Row]:
    """Yield the orders whose ``field`` is one of ``values``."""
    yield from _where_in(client, ORDER_QUERY, field, list(values))


def _letters(client: Client, orders: list[Row]) -> list[RawItem]:
    whole = complete(client, orders)
    return [_letter("Order", row, content_hash(row)[:HASH_CHARACTERS]) for row in whole]


def complete(client: Client, orders: Sequence[Row]) -> list[Row]:
    """Return orders with their items, actions and the earlier activated orders of the same contract."""
    ids = [_text(row, "Id") for row in orders]
    items = _grouped(_where_in(client, _ITEM_QUERY, "OrderId", ids))
    actions = _grouped(_where_in(client, _ACTION_QUERY, "OrderId", ids))
    filled = [
        {**row, "OrderItems": items[_text(row, "Id")], "OrderActions": actions[_text(row, "Id")]} for row in orders
    ]
    by_contract: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(filled, key=_version):
        if _text(row, "ContractId"):
            by_contract[_text(row, "ContractId")].append(row)
    result = [row for row in filled if not _text(row, "ContractId")]
    for family in by_contract.values():
        for row in family:
            earlier = [one for one in family if _version(one) < _version(row) and one.get("Status") == ACTIVATED]
            result.append({**row, "EarlierOrders": earlier})
    return result


def _where_in(
    client: Client, query: str, field: str, values: Sequence[str], *, deleted_too: bool = False
) -> Iterator[Row]:
    for start in range(0, len(values), IDS_PER_QUERY):
        listed = ", ".join(map(quoted, values[start : start + IDS_PER_QUERY]))
        for rows in client.pages(f"{query} WHERE {field} IN ({listed}) ORDER BY Id", deleted_too=deleted_too):
            yield from rows


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[_text(row, "OrderId")].append(row)
    return groups


def _letter(name: str, row: Row, version: str) -> RawItem:
    return RawItem(
        event_id=f"poll:{name}:{_text(row, 'Id')}:{version}",
        object=name,
        body=canonical_json(row),
        source_ts=stamp_of(row),
    )


def stamp_of(row: Row) -> datetime | None:
    """Return a row's SystemModstamp, or None where it cannot be read (its letter will say so)."""
    try:
        return datetime.fromisoformat(_text(row, "SystemModstamp")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _version(row: Row) -> Decimal:
    """For sorting only; the letter's reader decides whether the number makes sense."""
    try:
        return Decimal(str(row.get("Contract_Version__c")))
    except ArithmeticError:
        return Decimal(0)


def _text(row: Row, name: str) -> str:
    value: Any = row.get(name)
    return value if isinstance(value, str) else ""
