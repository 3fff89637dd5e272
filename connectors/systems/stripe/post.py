"""Posting to Stripe: customers, and subscriptions that execute a contract version.

Every object carries finsync's reference in its metadata: ``external_ref`` on a customer, ``ref_v<n>`` on a
subscription, which lives through all versions of its contract and keeps one reference per version.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import Found, Receipt
from connectors.errors import NotFound, OutcomeUnknown, Rejected, Unsupported
from connectors.reading import Cursor, UnreadableBody
from connectors.systems.stripe.amounts import midnight, stripe_minor
from connectors.systems.stripe.client import Client
from connectors.systems.stripe.origin import Settings, id_of
from finsync.core.records import ChangeType, ContractLine, ContractVersionRecord, CustomerRecord
from finsync.core.records.document import DocType, PostingDocument

MONTHS_PER_YEAR = 12
DAYS_UNTIL_DUE = 30
CUSTOMER_REF = "external_ref"
NOT_PROPAGATED = "CTR_AMENDMENT_NOT_PROPAGATED"  # the reason code of an amendment that billing does not take


def subscription_ref(version: int) -> str:
    """The metadata field that holds the reference of one contract version."""
    return f"ref_v{version}"


def build_body(document: PostingDocument, settings: Settings) -> dict[str, Any]:
    """Return the form that would be sent, as nested values. Raises Unsupported for what cannot be posted."""
    match document.record:
        case CustomerRecord() as customer if document.doc_type is DocType.CUSTOMER:
            return _customer_body(document, customer)
        case ContractVersionRecord() as version if document.doc_type is DocType.SUBSCRIPTION:
            return _subscription_body(document, version, settings)
        case _:
            raise Unsupported(f"Stripe takes no {document.doc_type}")


def send(client: Client, document: PostingDocument, body: Mapping[str, Any]) -> Receipt:
    """Post once under the document's reference as Idempotency-Key."""
    previous = document.references.get("previous", "")
    match document.record:
        case CustomerRecord():
            path = f"/v1/customers/{previous}" if previous else "/v1/customers"
            return _receipt(client.post(path, body, document.external_ref).body, CUSTOMER_REF)
        case ContractVersionRecord(version=version) if previous:
            return _amend(client, document, body, f"/v1/subscriptions/{previous}", subscription_ref(version))
        case ContractVersionRecord(version=version):
            return _receipt(
                client.post("/v1/subscriptions", body, document.external_ref).body, subscription_ref(version)
            )
        case _:
            raise Unsupported(f"Stripe takes no {document.doc_type}")


def _amend(client: Client, document: PostingDocument, body: Mapping[str, Any], path: str, ref: str) -> Receipt:
    """Change a running subscription, unless it already carries this version's reference: a repeat changes nothing."""
    try:
        running = client.get(path).body
        if _carries(running, ref, document):
            return _receipt(running, ref)
        form = {**body, "items": _items_with_ids(running, body["items"])}
        return _receipt(client.post(path, form, document.external_ref).body, ref)
    except UnreadableBody as error:
        raise OutcomeUnknown(f"the subscription cannot be read: {error}") from error
    except NotFound as error:
        raise Rejected(error.detail, http_status=error.http_status, code=NOT_PROPAGATED) from error
    except Rejected as error:
        code = NOT_PROPAGATED if error.code == "ERP_POST_REJECTED" else error.code
        raise Rejected(error.detail, http_status=error.http_status, code=code) from error


def _receipt(made: Cursor, ref: str) -> Receipt:
    try:
        document_id, field = made["id"].identifier(), made["metadata"][ref]
        echoed = field.text() if field.given else ""
    except UnreadableBody as error:
        raise OutcomeUnknown(f"the answer does not say what was made: {error}") from error
    return Receipt(document_id=document_id, number=document_id, echoed_ref=echoed, echoed_amount=None)


def find(client: Client, document: PostingDocument) -> Sequence[Found]:
    """Return what carries the document's reference.

    Subscriptions are read from their customer's list, which shows a write at once. Customers are searched, and Stripe's
    search may lag behind by a minute: the class C look-up after the key's window allows for that.
    """
    try:
        if isinstance(document.record, ContractVersionRecord):
            return _find_subscription(client, document, document.record)
        query = f"metadata['{CUSTOMER_REF}']:'{document.external_ref}'"
        rows = client.get("/v1/customers/search", {"query": query, "limit": 10}).body["data"]
        return [_found(row, same=_is_customer(row, document)) for row in rows if _carries(row, CUSTOMER_REF, document)]
    except UnreadableBody as error:
        raise OutcomeUnknown(f"the answer cannot be read: {error}") from error


def _customer_body(document: PostingDocument, customer: CustomerRecord) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": customer.name,
        "metadata": {
            "account_id": customer.account_id,
            "entity": customer.entity,
            "correlation_id": document.correlation_id,
            CUSTOMER_REF: document.external_ref,
        },
    }
    if customer.country:
        body["address"] = {"country": customer.country}
    if customer.tax_id:
        body["metadata"]["tax_id"] = customer.tax_id  # its type (eu_vat, gb_vat …) is not ours to guess
    return body


def _subscription_body(document: PostingDocument, version: ContractVersionRecord, settings: Settings) -> dict[str, Any]:
    if version.change_type is ChangeType.CANCEL or not version.lines:
        raise Unsupported("ending a subscription is not posted to Stripe yet")
    effective = midnight(version.effective_date, settings.zone)
    body: dict[str, Any] = {
        "items": [_item(line) for line in version.lines],
        "metadata": {
            "account_id": version.account_id,
            "entity": version.entity,
            "contract_id": version.contract_number,
            "contract_version": str(version.version),
            "amendment_ref": version.amendment_ref,
            "correlation_id": document.correlation_id,
            "effective_date": version.effective_date.isoformat(),
            subscription_ref(version.version): document.external_ref,
        },
    }
    if document.references.get("previous"):
        return body | {"proration_behavior": "always_invoice", "proration_date": effective}
    tax_rate = settings.tax_rates.get(version.entity)
    tax = {"default_tax_rates": [tax_rate]} if tax_rate else {"automatic_tax": {"enabled": True}}
    return {
        "customer": document.references["customer"],
        "collection_method": "send_invoice",
        "days_until_due": DAYS_UNTIL_DUE,
        "backdate_start_date": effective,
        **body,
        **tax,
    }


def _item(line: ContractLine) -> dict[str, Any]:
    """The price is the contract's own, stated with the line: no price list has to be kept in step."""
    if line.quantity != line.quantity.to_integral_value():
        raise Unsupported(f"Stripe counts whole units, not {line.quantity}")
    months = line.price_period_months
    yearly = months % MONTHS_PER_YEAR == 0
    return {
        "quantity": int(line.quantity),
        "price_data": {
            "currency": line.unit_price.currency.lower(),
            "product": line.product,
            "unit_amount": stripe_minor(line.unit_price),
            "recurring": {
                "interval": "year" if yearly else "month",
                "interval_count": months // MONTHS_PER_YEAR if yearly else months,
            },
        },
    }


def _items_with_ids(running: Cursor, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Name the items of a running subscription: Stripe would otherwise add new ones beside them."""
    ids = {id_of(item["price"]["product"]): item["id"].identifier() for item in running["items"]["data"]}
    named = [{"id": ids.get(item["price_data"]["product"]), **item} for item in items]
    kept = {item["id"] for item in named}
    return named + [{"id": gone, "deleted": True} for gone in ids.values() if gone not in kept]


def _find_subscription(client: Client, document: PostingDocument, version: ContractVersionRecord) -> list[Found]:
    previous, ref = document.references.get("previous", ""), subscription_ref(version.version)
    if previous:
        rows = [client.get(f"/v1/subscriptions/{previous}").body]
    else:
        rows = list(client.list("/v1/subscriptions", {"customer": document.references["customer"], "status": "all"}))
    return [_found(row, same=_is_version(row, version)) for row in rows if _carries(row, ref, document)]


def _carries(row: Cursor, field: str, document: PostingDocument) -> bool:
    return bool(row["metadata"][field].value == document.external_ref)


def _is_customer(row: Cursor, document: PostingDocument) -> bool:
    metadata = row["metadata"]
    return isinstance(document.record, CustomerRecord) and (
        (metadata["account_id"].value, metadata["entity"].value) == (document.record.account_id, document.record.entity)
    )


def _is_version(row: Cursor, version: ContractVersionRecord) -> bool:
    """The same contract and entity, and at least this version: a later one may have followed meanwhile."""
    metadata = row["metadata"]
    same = (metadata["contract_id"].value, metadata["entity"].value) == (version.contract_number, version.entity)
    return same and metadata["contract_version"].whole() >= version.version


def _found(row: Cursor, *, same: bool) -> Found:
    found_id = row["id"].identifier()
    detail = "" if same else "carries our reference but another customer, contract or entity"
    return Found(document_id=found_id, number=found_id, complete=True, fingerprint_ok=same, detail=detail)
