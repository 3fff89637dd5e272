"""What a salesperson does, as commands under /_sandbox/: create and rename accounts, sign, amend, activate.

Every command may be repeated: an account is known by its ``key``, a contract by its number, an amendment by its
reference. A repeat answers what is there and sends no event.
"""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.doubles.server import Answer, Double, Refused, Request
from connectors.systems.salesforce.sandbox.records import Records
from finsync.core.periods import add_months

ONE_DAY = timedelta(days=1)
PRORATION = {
    "Proration_Method__c": "DAY",
    "Proration_Day_Count__c": "EFFECTIVE_DAY_EXCLUDED",
    "Proration_Rounding__c": "EXTENDED_LINE",
    "Rounding_Mode__c": "HALF_UP",
}
ACCOUNT_FIELDS = {
    "name": "Name",
    "entity": "Entity__c",
    "currency": "CurrencyIsoCode",
    "country": "BillingCountryCode",
    "tax_id": "Tax_Id__c",
    "deleted": "IsDeleted",
}
DRAFT, ACTIVATED = "Draft", "Activated"


class Commands:
    """The commands of one double."""

    def __init__(self, double: Double, records: Records) -> None:
        self.double, self.records, self.store = double, records, records.store

    def add_routes(self) -> None:
        """Hang the commands under /_sandbox/."""
        route = self.double.route
        route("POST", "/_sandbox/accounts", _checked(self.create_account))
        route("PATCH", "/_sandbox/accounts/{account}", _checked(self.change_account))
        route("POST", "/_sandbox/contracts", _checked(self.sign))
        route("POST", "/_sandbox/contracts/{number}/amendments", _checked(self.amend))
        route("POST", "/_sandbox/orders/{order}/activate", _checked(self.activate))

    def create_account(self, request: Request) -> Answer:
        """``{"key", "name", "entity", "currency", "country", "tax_id"?}``."""
        asked = request.json()
        known = self.store.get("account_key", asked["key"])
        if known:
            return Answer(200, self.store.get("Account", known["Id"]))
        fields = {ACCOUNT_FIELDS[name]: value for name, value in asked.items() if name in ACCOUNT_FIELDS}
        account = self.records.save("Account", {"IsDeleted": False, **fields})
        self.store.put("account_key", asked["key"], {"Id": account["Id"]})
        self._announce("Account", account, "CREATE")
        return Answer(201, account)

    def change_account(self, request: Request, account: str) -> Answer:
        """Any of the fields above, or ``{"deleted": true}``."""
        if not self.store.get("Account", account):
            raise Refused(404, {"error": {"code": "not_found", "message": account}})
        fields = {ACCOUNT_FIELDS[name]: value for name, value in request.json().items()}
        changed = self.records.save("Account", fields, account)
        self._announce("Account", changed, "DELETE" if changed["IsDeleted"] else "UPDATE")
        return Answer(200, changed)

    def sign(self, request: Request) -> Answer:
        """Sign a contract: ``{"contract_number", "account_id", "start", "months"?, "activate"?}`` and one line
        ``{"seats", "unit_price", "product"?, "price_period_months"?}`` or several as ``"lines"``."""
        asked = request.json()
        if known := self.records.find("Contract", ContractNumber=asked["contract_number"]):
            return Answer(200, self._orders(known[0]["Id"])[0])
        account = self.store.get("Account", asked["account_id"])
        if not account:
            raise Refused(404, {"error": {"code": "not_found", "message": asked["account_id"]}})
        start = date.fromisoformat(asked["start"])
        end = add_months(start, int(asked.get("months", 12))) - ONE_DAY  # Salesforce counts the last day in
        contract = self.records.save(
            "Contract",
            {
                "AccountId": account["Id"],
                "ContractNumber": asked["contract_number"],
                "Status": ACTIVATED,
                "Entity__c": asked.get("entity", account["Entity__c"]),
                "CurrencyIsoCode": asked.get("currency", account["CurrencyIsoCode"]),
                "StartDate": start.isoformat(),
                "EndDate": end.isoformat(),
            },
        )
        order = self._order(contract, asked, start, version=1)
        action = self.records.save("OrderAction", {"OrderId": order["Id"], "Type": "Add"})
        for line in asked.get("lines") or [asked]:
            self._item(order, action, line, line["seats"], line["unit_price"])
        return Answer(201, self._announce_order(order))

    def amend(self, request: Request, number: str) -> Answer:
        """Change the seats of a contract's first line: ``{"amendment_ref", "effective_date", "delta_seats",
        "unit_price"?, "action"?, "activate"?}``. The order carries the difference only."""
        asked = request.json()
        contract = next(iter(self.records.find("Contract", ContractNumber=number)), None)
        if contract is None:
            raise Refused(404, {"error": {"code": "not_found", "message": number}})
        orders = self._orders(contract["Id"])
        if known := [order for order in orders if order["Amendment_Ref__c"] == asked["amendment_ref"]]:
            return Answer(200, known[0])
        original = self.records.find("OrderItem", OrderId=orders[0]["Id"])[0]
        effective = date.fromisoformat(asked["effective_date"])
        order = self._order(contract, asked, effective, version=len(orders) + 1, original=orders[0]["Id"])
        action = self.records.save("OrderAction", {"OrderId": order["Id"], "Type": asked.get("action", "Amend")})
        line = {"product": "", "price_period_months": original["Price_Period_Months__c"]}
        item = self._item(order, action, line, asked["delta_seats"], asked.get("unit_price", original["UnitPrice"]))
        same = {"OriginalOrderItemId": original["Id"], "Product2Id": original["Product2Id"]}
        self.records.save("OrderItem", same, item["Id"])
        return Answer(201, self._announce_order(order))

    def activate(self, request: Request, order: str) -> Answer:
        """Activate a draft order: from now on it counts."""
        known = self.store.get("Order", order)
        if not known:
            raise Refused(404, {"error": {"code": "not_found", "message": order}})
        if known["Status"] == ACTIVATED:
            return Answer(200, known)
        return Answer(200, self._announce_order(self.records.save("Order", {"Status": ACTIVATED}, order), "UPDATE"))

    def _orders(self, contract: str) -> list[dict[str, Any]]:
        return self.records.find("Order", ContractId=contract)

    def _order(
        self,
        contract: dict[str, Any],
        asked: dict[str, Any],
        effective: date,
        *,
        version: int,
        original: str | None = None,
    ) -> dict[str, Any]:
        values = {
            "OrderNumber": f"{self.store.next('order number'):08d}",
            "AccountId": contract["AccountId"],
            "ContractId": contract["Id"],
            "Status": ACTIVATED if asked.get("activate", True) else DRAFT,
            "Type": "New" if version == 1 else "Amendment",
            "OriginalOrderId": original,
            "EffectiveDate": effective.isoformat(),
            "EndDate": contract["EndDate"],
            "CurrencyIsoCode": contract["CurrencyIsoCode"],
            "Entity__c": contract["Entity__c"],
            "Contract_Version__c": str(version),
            "Amendment_Ref__c": asked.get("amendment_ref"),
        }
        return self.records.save("Order", values | PRORATION | asked.get("proration", {}))

    def _item(
        self, order: dict[str, Any], action: dict[str, Any], line: dict[str, Any], seats: Any, unit_price: Any
    ) -> dict[str, Any]:
        code = line.get("product", "SEAT-PRO")
        values = {
            "OrderId": order["Id"],
            "OrderActionId": action["Id"],
            "Product2Id": self._product(code) if code else None,
            "Quantity": str(Decimal(str(seats))),
            "UnitPrice": str(Decimal(str(unit_price))),
            "Price_Period_Months__c": str(line.get("price_period_months", 12)),
            "ServiceDate": order["EffectiveDate"],
            "EndDate": order["EndDate"],
        }
        return self.records.save("OrderItem", values)

    def _product(self, code: str) -> str:
        known = self.records.find("Product2", ProductCode=code)
        return str((known or [self.records.save("Product2", {"ProductCode": code, "Name": code})])[0]["Id"])

    def _announce_order(self, order: dict[str, Any], change: str = "CREATE") -> dict[str, Any]:
        contract = self.store.get("Contract", order["ContractId"]) or {}
        more = {"ContractNumber__c": contract["ContractNumber"], "Status": order["Status"]}
        self._announce("Order", order, change, **more, Contract_Version__c=float(order["Contract_Version__c"]))
        return order

    def _announce(self, table: str, record: dict[str, Any], change: str, **more: Any) -> None:
        """Push an event in the shape of change data capture; it names what changed and says little else."""
        number = self.store.next("replay")
        stamped = (self.store.get("clock", "clock") or {"ms": 0})["ms"]
        change_header = {
            "entityName": table,
            "recordIds": [record["Id"]],
            "changeType": change,
            "changeOrigin": "com/salesforce/api/rest/64.0",
            "transactionKey": f"0004{number:08d}",
            "sequenceNumber": 1,
            "commitTimestamp": stamped,
            "commitNumber": 11_820_000 + number,
        }
        body = {"schema": f"{table}ChangeEvent", "payload": {"ChangeEventHeader": change_header, **more}}
        body["event"] = {"replayId": 500 + number}  # opaque to a reader: neither dense nor for ever
        facts = {"object": record["Id"], "contract": str(more.get("ContractNumber__c", ""))}
        self.double.deliveries.enqueue(f"msg_0004{number:08d}", f"{table}ChangeEvent", body, **facts)


def _checked(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """A command that lacks a field or has a wrong one answers 400, naming it."""

    def run(request: Request, **names: str) -> Answer:
        try:
            return command(request, **names)
        except (KeyError, ValueError, TypeError, InvalidOperation) as error:
            raise Refused(400, {"error": {"code": "bad_command", "message": repr(error)}}) from None

    return run
