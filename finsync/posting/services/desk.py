"""Putting postings and routes on the desk of exceptions, and taking them off when later evidence arrives."""

from exceptions_queue.services import Subject as DeskSubject
from exceptions_queue.services import clear_subject, raise_case
from finsync.canonical.selectors import customer_name
from finsync.core.fingerprint import DIMENSIONS
from finsync.kit.wording import plain, tail
from finsync.posting.machine import Subject

EXPLANATIONS = {
    "ERP_POST_UNKNOWN": "{target} did not say whether it took {key}: {detail}.",
    "ERP_DUPLICATE_POST": "{key} has several documents in {target}: {detail}.",
    "ERP_CONTENT_MISMATCH": "{key} stands in {target} with another content: {detail}.",
    "ERP_ATTEMPTS_EXHAUSTED": "{target} did not take {key} in any attempt; the last answer was: {detail}.",
}
REFUSED = "{target} refused {key}: {detail}. Nothing was posted."


def put_posting(subject: Subject, code: str, detail: str) -> None:
    """Raise the case of one posting. Runs inside ``recording``."""
    words = EXPLANATIONS.get(code, REFUSED)
    raise_case(
        code,
        dimensions=_dimensions(subject, code, detail),
        subject=DeskSubject(
            type="posting",
            id=subject.posting_id,
            business_key=subject.business_key,
            correlation_id=subject.correlation_id,
            amount=subject.amount,
            detail=detail,
            facts={"doc_type": subject.doc_type, "contract": subject.contract_number},
        ),
        entity=subject.entity,
        target=subject.connection,
        customer=customer_name(subject.customer_key),
        explanation=words.format(
            target=plain(subject.connection), key=tail(subject.business_key), detail=detail.rstrip(".")
        ),
    )


def take_posting_off(posting_id: int, evidence: str, code: str = "") -> None:
    """Clear a posting from its cases (of one code where given). Runs inside ``recording``."""
    clear_subject("posting", posting_id, evidence=evidence, code=code)


def put_route(code: str, connection_id: int, name: str, detail: str) -> None:
    """Raise the case of a whole route. Runs inside ``recording``."""
    raise_case(
        code,
        dimensions={"connection": name},
        subject=DeskSubject(type="connection", id=connection_id, business_key=name, detail=detail),
        target=name,
        explanation=f"{name} is paused: {detail}. Its postings wait and go by themselves once a probe succeeds.",
    )


def take_route_off(connection_id: int, evidence: str) -> None:
    """Clear a route from its cases. Runs inside ``recording``."""
    for code in ("ERP_AUTH_FAILED", "ERP_ROUTE_PAUSED"):
        clear_subject("connection", connection_id, evidence=evidence, code=code)


def _dimensions(subject: Subject, code: str, detail: str) -> dict[str, str | int]:
    """Pick the root cause of a code from what is known of a posting (core.fingerprint names which facts)."""
    known: dict[str, str | int] = {
        "connection": subject.connection,
        "error": detail,
        "business_key": subject.business_key,
        "entity": subject.entity,
        "period": subject.accounting_period,
        "contract": subject.contract_number,
        "version": subject.contract_version or 0,
        "account": subject.customer_key,
        "document": subject.business_key,
        "payment": subject.business_key,
        "aggregate": subject.business_key,
        "event": subject.business_key,
    }
    return {name: known.get(name, subject.business_key) for name in DIMENSIONS[code]}
