"""A contract version on its way to the engine: one PUT at its own place, found again by our reference."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from connectors.contract import Found, Receipt
from connectors.errors import OutcomeUnknown, Unsupported
from connectors.systems.revenue_engine.client import Client, Row
from finsync.core.money import Money
from finsync.core.pricing import added_net, added_price
from finsync.core.records import ContractLine, ContractVersionRecord
from finsync.core.records.document import DocType, PostingDocument

TREATMENT_DEFAULT = "separate_contract"  # 25-12; an option of the connection, because it is policy


def version_of(document: PostingDocument) -> ContractVersionRecord:
    """Return the contract version a document states. Raises Unsupported for any other document."""
    if document.doc_type is not DocType.REVENUE_CONTRACT or not isinstance(document.record, ContractVersionRecord):
        raise Unsupported(f"the revenue engine takes no {document.doc_type}")
    return document.record


def body_of(document: PostingDocument, treatment: str) -> dict[str, Any]:
    """Return the body: what this version adds, priced by the contract's own proration rule."""
    version = version_of(document)
    return {
        "external_ref": document.external_ref,
        "entity": version.entity,
        "currency": version.currency,
        "customer": version.account_id,
        "correlation_id": document.correlation_id,
        "change_type": version.change_type.value,
        "amendment_ref": version.amendment_ref,
        "effective_date": version.effective_date.isoformat(),
        "term_start": version.term_start.isoformat(),
        "term_end": version.term_end.isoformat(),
        "treatment": treatment,
        "amount": str(added_net(version).major),
        "lines": [_line(version, line) for line in version.added],
    }


def _line(version: ContractVersionRecord, line: ContractLine) -> dict[str, Any]:
    return {
        "line_id": line.line_id,
        "product": line.product,
        "quantity": str(line.quantity),
        "unit_price": str(line.unit_price.major),
        "price_period_months": line.price_period_months,
        "start": line.start.isoformat(),
        "end": line.end.isoformat(),
        "amount": str(added_price(version, line).major),
    }


def send(client: Client, document: PostingDocument, body: dict[str, Any]) -> Receipt:
    """Put the version at its place. The same body again is answered with what the first one made."""
    version = version_of(document)
    path = f"/v1/contracts/{quote(version.contract_number, safe='')}/versions/{version.version}"
    kept = client.put(path, body)
    try:
        amount = Money.of(str(kept["amount"]), str(kept["currency"]))
        return Receipt(
            document_id=str(kept["id"]),
            number=f"{kept['contract']} v{kept['version']}",
            echoed_ref=str(kept["external_ref"]),
            echoed_amount=amount,
        )
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown(f"the answer does not say what was kept: {error!r}") from None


def find(client: Client, document: PostingDocument) -> Sequence[Found]:
    """Return every version in the engine that carries our reference."""
    version_of(document)
    rows = client.rows("/v1/versions", {"external_ref": document.external_ref})
    return [_found(row, document) for row in rows]


def _found(row: Row, document: PostingDocument) -> Found:
    version = version_of(document)
    expected = {
        "external_ref": document.external_ref,
        "contract": version.contract_number,
        "version": version.version,
        "entity": version.entity,
        "currency": version.currency,
        "amount": str(added_net(version).major),
    }
    differing = [
        f"{name} {row.get(name)!r} instead of {value!r}" for name, value in expected.items() if row.get(name) != value
    ]
    return Found(
        document_id=str(row.get("id")),
        number=f"{row.get('contract')} v{row.get('version')}",
        complete=True,
        fingerprint_ok=not differing,
        detail="; ".join(differing),
    )
