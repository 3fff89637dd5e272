"""The stamp finsync leaves on every ERP document: our reference, a sentence for people, facts that can be read back.

Tryton's entries have one free text and its invoices a comment. Both carry the same segments, separated by ``|`` on an
entry and by lines on an invoice: ``fsabc… | Invoice in_1 | contract=C-1001 | version=2 | …``. Without the stamp no
balance could be traced to a contract, and no entry found again.
"""

import re
from collections.abc import Iterable

from finsync.core.periods import Period
from finsync.core.records import (
    ContractVersionRecord,
    InvoiceRecord,
    PaymentApplicationRecord,
    PaymentRecord,
    RevenueScheduleRecord,
)
from finsync.core.records.document import PostingDocument

REFERENCE_PREFIX = "fs"
_NARRATIVE_CHARACTERS_MAX = 200

# The facts a stamp may carry, in their order: kind is the document type, number the source's own number of it.
FACTS = (
    "kind",
    "number",
    "contract",
    "version",
    "amendment",
    "effective",
    "period",
    "correlation",
    "dated",
    "originally",
    "payment",
    "invoice",
)
_FACT = re.compile(rf"({'|'.join(FACTS)})=(.+)")
_REFERENCE = re.compile(rf"{REFERENCE_PREFIX}[a-z2-7]{{20}}")


def facts_of(document: PostingDocument) -> dict[str, str]:
    """Return what the stamp of a document says, empty facts left out."""
    facts = {
        "kind": document.doc_type.value,
        "correlation": document.correlation_id,
        "dated": document.document_date.isoformat(),
        "originally": document.original_period,
        **_facts_of_record(document),
    }
    effective = document.record.lineage.effective_date
    if effective:
        facts["effective"] = effective.isoformat()
    return {name: _plain(facts[name]) for name in FACTS if facts.get(name)}


def _facts_of_record(document: PostingDocument) -> dict[str, str]:
    record = document.record
    if isinstance(record, InvoiceRecord):
        return {
            "number": record.number,
            "contract": record.contract_number,
            "version": str(record.contract_version or ""),
            "amendment": record.amendment_ref,
        }
    if isinstance(record, ContractVersionRecord):
        return {"contract": record.contract_number, "version": str(record.version), "amendment": record.amendment_ref}
    if isinstance(record, RevenueScheduleRecord):
        return {
            "number": record.schedule_id,
            "contract": record.contract_number,
            "version": str(record.contract_version),
            "period": Period.of(document.document_date).label,
        }
    if isinstance(record, PaymentRecord):
        return {"number": record.payment_id}
    if isinstance(record, PaymentApplicationRecord):
        return {"number": f"{record.payment_id}/{record.sequence}"}
    return {}


def one_line(reference: str, narrative: str, facts: dict[str, str]) -> str:
    """Return the stamp as the description of an entry; it begins with the reference, by which it is found."""
    return " | ".join(_segments(reference, narrative, facts))


def many_lines(reference: str, narrative: str, facts: dict[str, str], *remarks: str) -> str:
    """Return the stamp as the comment of an invoice, with remarks for people below."""
    return "\n".join([*_segments(reference, narrative, facts), *map(_plain, remarks)])


def read(text: str | None) -> dict[str, str]:
    """Return the facts of a stamp, with ``reference`` where it begins with one; {} for a text that is none."""
    segments = [segment.strip() for segment in re.split(r"[|\n]", text or "")]
    facts = {match[1]: match[2] for segment in segments if (match := _FACT.fullmatch(segment))}
    if _REFERENCE.fullmatch(segments[0]):
        facts["reference"] = segments[0]
    return facts


def _segments(reference: str, narrative: str, facts: dict[str, str]) -> Iterable[str]:
    sentence = _plain(narrative)[:_NARRATIVE_CHARACTERS_MAX]
    return [reference, *([sentence] if sentence else []), *(f"{name}={value}" for name, value in facts.items())]


def _plain(text: str) -> str:
    """The separators cannot occur inside a segment."""
    return re.sub(r"[|\s]+", " ", text).strip()
