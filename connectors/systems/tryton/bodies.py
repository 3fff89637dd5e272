"""From a posting document to the body that is stored and sent: plain JSON, names instead of the ERP's ids, no I/O.

Accounts, companies, taxes and journals are named by code; ``post`` and ``settle`` look their ids up when they send.
Amounts are decimal texts in major units of the document's currency, dates are ISO days.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from connectors.errors import Rejected, Unsupported
from connectors.systems.tryton import stamp
from connectors.systems.tryton.refusals import POST_REJECTED
from finsync.core.money import Money
from finsync.core.records import CustomerRecord, InvoiceLine, InvoiceRecord, TaxLine
from finsync.core.records.document import DocType, JournalEntryLine, PostingDocument

UNIT_PRICE_DIGITS = Decimal("0.0001")  # Tryton keeps four decimals of a unit price

# Tryton's journals by document type: where a bookkeeper looks for them.
JOURNALS = {
    DocType.INVOICE: "REV",
    DocType.PAYMENT: "CASH",
    DocType.PAYMENT_APPLICATION: "CASH",
    DocType.JOURNAL: "MISC",
}

Body = dict[str, Any]


def build_body(document: PostingDocument) -> Body:
    """Return the body of a document. Raises Unsupported for a document type an ERP does not take."""
    builders: dict[DocType, Callable[[PostingDocument], Body]] = {
        DocType.CUSTOMER: _customer,
        DocType.INVOICE: _invoice,
        DocType.PAYMENT: _entry,
        DocType.PAYMENT_APPLICATION: _application,
        DocType.JOURNAL: _entry,
    }
    if document.doc_type not in builders:
        raise Unsupported(f"Tryton takes no {document.doc_type}")
    return {"type": document.doc_type.value, **builders[document.doc_type](document)}


def _customer(document: PostingDocument) -> Body:
    customer = document.record
    if not isinstance(customer, CustomerRecord):
        raise TypeError(f"a customer is needed, not {type(customer).__name__}")
    identifiers = [customer.account_id, *([customer.tax_id] if customer.tax_id else [])]
    return {
        "code": document.external_ref,
        "name": customer.name,
        "country": customer.country,
        "identifiers": identifiers,
    }


def _invoice(document: PostingDocument) -> Body:
    invoice = document.record
    if not isinstance(invoice, InvoiceRecord) or document.amount is None:
        raise TypeError("an invoice with a control amount is needed")
    lines, taxes = _invoice_lines(invoice, document.journal)
    late = document.accounting_date != document.document_date
    remarks = [f"Booked on {document.accounting_date}, issued on {document.document_date}."] if late else []
    return {
        "entity": document.entity,
        "party": document.references.get("customer", ""),
        "reference": document.external_ref,
        "description": document.narrative or f"Invoice {invoice.number}",
        "comment": stamp.many_lines(document.external_ref, document.narrative, stamp.facts_of(document), *remarks),
        "currency": document.currency,
        "journal": JOURNALS[DocType.INVOICE],
        "account": _receivable(document.journal),
        "invoice_date": document.document_date.isoformat(),
        "accounting_date": document.accounting_date.isoformat(),
        "due_date": invoice.due_date.isoformat() if invoice.due_date else "",
        "lines": lines,
        "taxes": taxes,
        "total": _text(document.amount),
    }


def _receivable(journal: tuple[JournalEntryLine, ...]) -> str:
    accounts = {line.account for line in journal if line.side == "DR" and not line.source_line}
    if len(accounts) != 1:
        raise Rejected(f"an invoice needs one receivable account, not {sorted(accounts)}", code=POST_REJECTED)
    return accounts.pop()


def _invoice_lines(invoice: InvoiceRecord, journal: tuple[JournalEntryLine, ...]) -> tuple[list[Body], list[Body]]:
    """Every credit of the journal becomes a line or a manual tax of the invoice: Tryton computes no tax of its own."""
    by_line = {line.line_id: line for line in invoice.lines}
    by_tax = {f"{line.line_id}:{tax.tax_code}": (line, tax) for line in invoice.lines for tax in line.taxes}
    lines, taxes = [], []
    for entry in journal:
        if not entry.source_line:
            continue
        amount = entry.amount if entry.side == "CR" else -entry.amount
        if entry.source_line in by_tax:
            taxes.append(_tax(entry, amount, *by_tax[entry.source_line]))
        elif entry.source_line in by_line:
            lines.append(_line(entry, amount, by_line[entry.source_line]))
        else:
            raise Rejected(f"the journal names an unknown invoice line {entry.source_line!r}", code=POST_REJECTED)
    return lines, taxes


def _line(entry: JournalEntryLine, amount: Money, line: InvoiceLine) -> Body:
    quantity, unit_price = _priced(line.quantity, amount)
    service = f" ({line.service_start} to {line.service_end})" if line.service_start and line.service_end else ""
    shown = "" if quantity == line.quantity else f", {line.quantity} units"
    return {
        "account": entry.account,
        "description": f"{line.description}{service}{shown}",
        "quantity": str(quantity),
        "unit_price": str(unit_price),
        "amount": _text(amount),
    }


def _priced(quantity: Decimal, amount: Money) -> tuple[Decimal, Decimal]:
    """The real quantity where four decimals of unit price give the amount back to the cent, else one unit."""
    if quantity > 0:
        unit_price = (amount.major / quantity).quantize(UNIT_PRICE_DIGITS)
        if Money.round(quantity * unit_price, amount.currency) == amount:
            return quantity, unit_price
    return Decimal(1), amount.major


def _tax(entry: JournalEntryLine, amount: Money, line: InvoiceLine, tax: TaxLine) -> Body:
    return {
        "account": entry.account,
        "tax": tax.tax_code,
        "description": f"{tax.tax_code} on {line.description}",
        "base": _text(tax.base),
        "amount": _text(amount),
    }


def _entry(document: PostingDocument) -> Body:
    return {
        **_heading(document),
        "party": document.references.get("customer", ""),
        "lines": [
            {
                "account": line.account,
                "debit": _text(line.amount) if line.side == "DR" else "0",
                "credit": _text(line.amount) if line.side == "CR" else "0",
                "description": " ".join(f"{name}={value}" for name, value in line.dimensions),
            }
            for line in document.journal
        ],
    }


def _application(document: PostingDocument) -> Body:
    if document.amount is None or document.amount.minor <= 0:
        raise Rejected(f"only a positive amount can be applied, not {document.amount}", code=POST_REJECTED)
    references = {role: document.references.get(role, "") for role in ("payment", "invoice")}
    return {**_heading(document, **references), **references, "amount": _text(document.amount)}


def _heading(document: PostingDocument, **facts: str) -> Body:
    """What every entry has. ``facts`` are added to its stamp."""
    stamped = {**stamp.facts_of(document), **facts}
    return {
        "entity": document.entity,
        "journal": JOURNALS[document.doc_type],
        "currency": document.currency,
        "date": document.accounting_date.isoformat(),
        "description": stamp.one_line(document.external_ref, document.narrative, stamped),
    }


def _text(amount: Money) -> str:
    return str(amount.major)
