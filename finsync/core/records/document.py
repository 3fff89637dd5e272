"""A document on its way to an outside system: what posting hands to a connector."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from finsync.core.money import Money
from finsync.core.records.base import Record


class DocType(StrEnum):
    """Every kind of document finsync sends. A connector declares which of them it can post, and how."""

    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"  # a contract version, to billing
    REVENUE_CONTRACT = "revenue_contract"  # a contract version, to the revenue engine
    INVOICE = "invoice"
    PAYMENT = "payment"
    PAYMENT_APPLICATION = "payment_application"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntryLine:
    """One line of the journal a document makes in the ledger, with the mapping row that chose its account.

    ``source_line`` names the invoice or tax line it comes from, "" where it stands for the whole document.
    """

    account: str
    side: str  # DR or CR
    amount: Money
    rule_id: str
    source_line: str = ""
    mapping_set: str = ""
    row_id: str = ""
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingDocument:
    """One document, complete and frozen: a connector needs nothing else to render it.

    ``amount`` is the control amount the target must echo (None for master data); ``record`` the canonical record it
    states; ``journal`` balanced lines (empty for master data and for subscriptions); ``references`` the target's own
    ids of documents this one refers to, by role (``customer``, ``invoice``, ``payment``, ``previous``).
    ``narrative`` is the text a person reads in the target system.
    """

    doc_type: DocType
    external_ref: str
    business_key: str
    correlation_id: str
    entity: str
    currency: str
    amount: Money | None
    document_date: date
    accounting_date: date
    record: Record
    narrative: str
    journal: tuple[JournalEntryLine, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    original_period: str = ""
