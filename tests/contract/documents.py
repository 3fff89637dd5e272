"""One document of every kind, complete enough for any connector: what the contract suite hands to all of them."""

from datetime import date

from finsync.core.keys import external_ref
from finsync.core.money import Money
from finsync.core.records import Record
from finsync.core.records.document import DocType, JournalEntryLine, PostingDocument
from tests import records

DAY = date(2026, 1, 5)
REFERENCES = {"customer": "17", "invoice": "23", "payment": "29", "previous": "31"}
RECORDS: dict[DocType, Record] = {
    DocType.CUSTOMER: records.customer(),
    DocType.SUBSCRIPTION: records.contract(),
    DocType.REVENUE_CONTRACT: records.contract(),
    DocType.INVOICE: records.invoice(),
    DocType.PAYMENT: records.payment(),
    DocType.PAYMENT_APPLICATION: records.application(),
    DocType.JOURNAL: records.schedule(),
}
JOURNALS = {
    DocType.INVOICE: (("1100", "DR", "12990.00", ""), ("2100", "CR", "12000.00", "il_1"), ("2200", "CR", "990.00", "il_1:US-TX-SALES")),
    DocType.PAYMENT: (("1050", "DR", "12990.00", ""), ("1100", "CR", "12990.00", "")),
    DocType.JOURNAL: (("2100", "DR", "1019.18", ""), ("4000", "CR", "1019.18", "")),
}  # fmt: skip
AMOUNTS = {
    DocType.REVENUE_CONTRACT: "12000.00", DocType.INVOICE: "12990.00", DocType.PAYMENT: "12990.00",
    DocType.PAYMENT_APPLICATION: "12990.00", DocType.JOURNAL: "1019.18",
}  # fmt: skip


def document(doc_type: DocType) -> PostingDocument:
    """Return the document of a kind."""
    record = RECORDS[doc_type]
    return PostingDocument(
        doc_type=doc_type,
        external_ref=external_ref("contract-suite", doc_type, record.business_key),
        business_key=record.business_key,
        correlation_id="cor-1",
        entity="US01",
        currency="USD",
        amount=Money.of(AMOUNTS[doc_type], "USD") if doc_type in AMOUNTS else None,
        document_date=DAY,
        accounting_date=DAY,
        record=record,
        narrative=f"{doc_type} of the contract suite",
        journal=tuple(
            JournalEntryLine(
                account=account, side=side, amount=Money.of(amount, "USD"), rule_id="R010", source_line=line
            )
            for account, side, amount, line in JOURNALS.get(doc_type, ())
        ),
        references=REFERENCES,
    )
