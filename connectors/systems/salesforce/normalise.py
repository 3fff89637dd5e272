"""From a Salesforce letter to core records. Pure, and never raises on any bytes.

A pushed change event is only a hint: it is unsigned history at best one field deep, so the object is fetched. What
counts is the snapshot of an account, or of an order with its items, actions and the earlier orders of its contract.
"""

from enum import StrEnum

from connectors.contract import Ignored, NeedsFetch, Normalised, NormaliseResult, RawItem
from connectors.reading import Cursor, UnreadableBody, read_json
from connectors.systems.salesforce.orders import contract_version
from finsync.core.records import CustomerRecord, Lineage
from finsync.core.sequencing import VersionKind

GAP_PREFIX = "GAP_"  # a gap event names the record and nothing else; that is all a hint needs


class OrderStatus(StrEnum):
    """The two states of a standard order."""

    DRAFT = "Draft"
    ACTIVATED = "Activated"


class ChangeKind(StrEnum):
    """What a change event says happened."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    UNDELETE = "UNDELETE"
    GAP_CREATE = "GAP_CREATE"
    GAP_UPDATE = "GAP_UPDATE"
    GAP_DELETE = "GAP_DELETE"
    GAP_UNDELETE = "GAP_UNDELETE"


def normalise(item: RawItem, system: str) -> NormaliseResult:
    """Return what a letter says. ``system`` is the connection's name, kept in the lineage."""
    try:
        body = read_json(item.body)
        if body["payload"].given:
            return _hint(body["payload"])
        match body["attributes"]["type"].text():
            case "Account":
                return Normalised(records=(_customer(body, system),))
            case "Order":
                return _order(body, system)
        raise body["attributes"]["type"].refuse("Account or Order is needed")
    except UnreadableBody as unreadable:
        return unreadable.answer


def _hint(payload: Cursor) -> NormaliseResult:
    header = payload["ChangeEventHeader"]
    name, ids = header["entityName"].text(), [one.identifier() for one in header["recordIds"]]
    kind = header["changeType"].one_of(ChangeKind)
    if name not in ("Account", "Order"):
        return Ignored(reason=f"finsync keeps nothing of {name}")
    if len(ids) != 1:
        raise header["recordIds"].refuse("exactly one record is needed")
    reason = f"a {kind} event of {name} {ids[0]} is a hint"
    if name == "Account":
        return NeedsFetch(object="customer", source_id=ids[0], reason=reason)
    number = payload["ContractNumber__c"]
    source_id = number.identifier() if number.given else ids[0]
    return NeedsFetch(object="contract_version", source_id=source_id, reason=reason)


def _customer(account: Cursor, system: str) -> CustomerRecord:
    changed, account_id = account["SystemModstamp"].instant(), account["Id"].identifier()
    tax_id, deleted = account["Tax_Id__c"], account["IsDeleted"]
    return CustomerRecord(
        lineage=Lineage(
            system=system,
            object="Account",
            source_id=account_id,
            source_version=account["SystemModstamp"].text(),
            version_kind=VersionKind.MONOTONE,
            ordinal=round(changed.timestamp() * 1000),
            source_ts=changed,
            correlation_id=f"cor-{account_id}",
        ),
        account_id=account_id,
        name=account["Name"].text(),
        entity=account["Entity__c"].identifier(),
        currency=account["CurrencyIsoCode"].currency(),
        country=account["BillingCountryCode"].identifier(),
        tax_id=tax_id.text() if tax_id.given else "",
        active=not (deleted.given and deleted.flag()) and not account["MasterRecordId"].given,
    )


def _order(order: Cursor, system: str) -> NormaliseResult:
    status = order["Status"].one_of(OrderStatus)
    if status is OrderStatus.DRAFT:
        return Ignored(reason="a draft order is an intention; it counts once it is activated")
    if not order["ContractId"].given:
        return Ignored(reason="an order outside any contract")
    return Normalised(records=(contract_version(order, system),))
