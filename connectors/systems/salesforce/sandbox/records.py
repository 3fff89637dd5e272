"""The objects of the double: their fields and types, how they are stamped, queried and shown."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.doubles.server import Refused
from connectors.doubles.store import Store
from connectors.systems.salesforce.sandbox import soql

_TEXT, _NUMBER, _DATE, _FLAG, _TIME = "text", "number", "date", "boolean", "datetime"
_COMMON = {"Id": _TEXT, "SystemModstamp": _TIME}
SCHEMA: dict[str, dict[str, str]] = {
    "Account": _COMMON
    | dict.fromkeys(
        ("Name", "Entity__c", "CurrencyIsoCode", "BillingCountryCode", "Tax_Id__c", "MasterRecordId"), _TEXT
    )
    | {"IsDeleted": _FLAG},
    "Contract": _COMMON
    | dict.fromkeys(("AccountId", "ContractNumber", "Status", "Entity__c", "CurrencyIsoCode"), _TEXT)
    | {"StartDate": _DATE, "EndDate": _DATE},
    "Order": _COMMON
    | dict.fromkeys(("OrderNumber", "AccountId", "ContractId", "Status", "Type", "OriginalOrderId"), _TEXT)
    | dict.fromkeys(("CurrencyIsoCode", "Entity__c", "Amendment_Ref__c", "Rounding_Mode__c"), _TEXT)
    | dict.fromkeys(("Proration_Method__c", "Proration_Day_Count__c", "Proration_Rounding__c"), _TEXT)
    | {"EffectiveDate": _DATE, "EndDate": _DATE, "Contract_Version__c": _NUMBER, "ActivatedDate": _TIME},
    "OrderItem": _COMMON
    | dict.fromkeys(("OrderId", "OriginalOrderItemId", "OrderActionId", "Product2Id"), _TEXT)
    | dict.fromkeys(("Quantity", "UnitPrice", "Price_Period_Months__c"), _NUMBER)
    | {"ServiceDate": _DATE, "EndDate": _DATE},
    "OrderAction": _COMMON | dict.fromkeys(("OrderId", "Type"), _TEXT),
    "Product2": _COMMON | dict.fromkeys(("ProductCode", "Name"), _TEXT),
}
PREFIX = {
    "Account": "001",
    "Contract": "800",
    "Order": "801",
    "OrderItem": "802",
    "OrderAction": "8Qt",
    "Product2": "01t",
}


def error(status: int, code: str, message: str) -> Refused:
    """A refusal as Salesforce words it: a list of one."""
    return Refused(status, [{"message": message, "errorCode": code}])


def moment(milliseconds: int) -> str:
    """An instant as Salesforce writes it."""
    stamp = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}+0000"


class Records:
    """Objects with ids and growing SystemModstamps; numbers are kept as text, so nothing is lost before the wire."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def save(self, table: str, values: dict[str, Any], key: str = "") -> dict[str, Any]:
        """Insert a record, or change the one under ``key``; stamps it and returns it whole."""
        key = key or f"{PREFIX[table]}{self.store.next(table):012d}AAA"
        empty: dict[str, Any] = dict.fromkeys(SCHEMA[table])
        record = (self.store.get(table, key) or empty) | values | {"Id": key, "SystemModstamp": moment(self._tick())}
        return self.store.put(table, key, record)

    def find(self, table: str, **values: Any) -> list[dict[str, Any]]:
        """Return the records with these values, oldest first."""
        return [row for row in self.store.all(table) if all(row[name] == value for name, value in values.items())]

    def select(self, text: str, *, deleted: bool) -> list[dict[str, Any]]:
        """Run a query and return the records as they go over the wire. Raises Refused."""
        try:
            query = soql.parse(text)
        except soql.Malformed as malformed:
            raise error(400, "MALFORMED_QUERY", str(malformed)) from None
        if query.table not in SCHEMA:
            raise error(400, "INVALID_TYPE", f"sObject type '{query.table}' is not supported.")
        rows = [row for row in self.store.all(query.table) if deleted or not row.get("IsDeleted")]
        for condition in query.where:
            wanted = soql.Condition(condition.field, condition.operator, _same_form(condition.value))
            rows = [row for row in rows if wanted.holds(self._value(query.table, row, condition.field))]
        for name, descending in reversed(query.order):
            rows.sort(key=lambda row: _sortable(self._value(query.table, row, name)), reverse=descending)
        return [self._shown(query.table, row, query.fields) for row in rows[: query.limit]]

    def whole(self, table: str, key: str) -> dict[str, Any]:
        """Return one record with all its fields. Raises Refused (404)."""
        row = self.store.get(table, key) if table in SCHEMA else None
        if row is None or row.get("IsDeleted"):
            raise error(404, "NOT_FOUND", "The requested resource does not exist")
        return self._shown(table, row, tuple(SCHEMA[table]))

    def _shown(self, table: str, row: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
        shown: dict[str, Any] = {"attributes": {"type": table, "url": f"/services/data/sobjects/{table}/{row['Id']}"}}
        for name in fields:
            value = self._value(table, row, name)
            if isinstance(value, Decimal):
                value = float(value)  # Salesforce writes every number as a JSON double: 5.0
            parent, _, child = name.rpartition(".")
            if parent:
                shown.setdefault(parent, {"attributes": {"type": parent}})[child] = value
            else:
                shown[name] = value
        return shown

    def _value(self, table: str, row: dict[str, Any], name: str) -> Any:
        parent, _, child = name.rpartition(".")
        if parent:
            above = self.store.get(parent, row.get(f"{parent}Id") or "") if parent in SCHEMA else None
            return self._value(parent, above, child) if above else None
        if name not in SCHEMA[table]:
            raise error(400, "INVALID_FIELD", f"No such column '{name}' on entity '{table}'.")
        value = row[name]
        return Decimal(value) if SCHEMA[table][name] == _NUMBER and value is not None else value

    def _tick(self) -> int:
        """Now in milliseconds, but never the same twice: two changes never share a SystemModstamp."""
        last = int((self.store.get("clock", "clock") or {"ms": 0})["ms"])
        now = max(last + 1, int(time.time() * 1000))
        self.store.put("clock", "clock", {"ms": now})
        return now


def _sortable(value: Any) -> tuple[bool, Any]:
    """Nulls come first, as in Salesforce."""
    return value is not None, value


def _same_form(value: Any) -> Any:
    """A datetime literal in the form records are stored in, so that they compare as text."""
    if isinstance(value, str) and len(value) > 10 and value[10] == "T" and value[:4].isdigit():
        stamp = datetime.fromisoformat(value)
        return moment(round(stamp.timestamp() * 1000))
    return value
