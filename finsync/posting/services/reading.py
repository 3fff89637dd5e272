"""Reading a posting back as the document a connector gets."""

from collections.abc import Iterable, Mapping
from typing import Any

from finsync.core.money import Money
from finsync.core.records import from_json
from finsync.core.records.document import DocType, JournalEntryLine, PostingDocument
from finsync.posting.models import Posting


def read_document(posting: Posting) -> PostingDocument:
    """Return the document of a stored posting, with its journal and the target's ids of what it refers to.

    Raises KeyError where the stored record is of no known type.
    """
    lines = posting.lines.order_by("line_no").values()
    references = dict(posting.needs.exclude(document_id="").values_list("role", "document_id"))
    return assemble(posting, lines, references)


def assemble(posting: Any, lines: Iterable[Mapping[str, Any]], references: Mapping[str, str]) -> PostingDocument:
    """Return the document of a posting row, its lines as mappings of column values, and its references by role."""
    stored = posting.document
    return PostingDocument(
        doc_type=DocType(posting.doc_type),
        external_ref=posting.external_ref,
        business_key=posting.business_key,
        correlation_id=posting.correlation_id,
        entity=posting.entity,
        currency=posting.currency,
        amount=amount_of(posting),
        document_date=posting.document_date,
        accounting_date=posting.accounting_date,
        record=from_json(stored["record_type"], stored["record"]),
        narrative=stored["narrative"],
        journal=tuple(_line(line) for line in lines),
        references=references,
        original_period=posting.original_period,
    )


def amount_of(posting: Any) -> Money | None:
    """Return the control amount of a posting row; None for master data."""
    return Money(posting.amount_minor, posting.currency) if posting.amount_minor is not None else None


def _line(row: Mapping[str, Any]) -> JournalEntryLine:
    return JournalEntryLine(
        account=row["account"],
        side=row["side"],
        amount=Money(row["amount_minor"], row["currency"]),
        rule_id=row["rule_id"],
        source_line=row["source_line"],
        mapping_set=row["mapping_set"],
        row_id=row["row_id"],
        dimensions=tuple(sorted(row["dimensions"].items())),
    )
