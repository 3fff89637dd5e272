"""Making customers and invoices in Tryton, each exactly once, and finding them again.

An invoice, like a journal entry, is created as a draft and then posted: two calls, so it can be left half made. A
document that is refused leaves no draft behind; one whose answer is lost is found by its reference and finished.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.contract import Found, Receipt
from connectors.errors import ConnectorError, NotFound, OutcomeUnknown, Rejected, TryLater
from connectors.systems.tryton.bodies import Body
from connectors.systems.tryton.client import Row, TrytonClient
from connectors.systems.tryton.reference import Company, Reference
from connectors.systems.tryton.refusals import (
    CONTENT_MISMATCH,
    CUSTOMER_UNKNOWN,
    DUPLICATE,
    POST_REJECTED,
    is_code_taken,
    is_date_order,
)
from finsync.core.money import Money

INVOICE = "account.invoice"
INVOICE_FIELDS = ("number", "state", "reference", "total_amount", "currency.code")
POSTED_STATES = ("posted", "paid")  # a draft or validated invoice is still to be posted


@dataclass(frozen=True, slots=True)
class Ledger:
    """What every post needs: the signed-in client and the ids of the reference data."""

    client: TrytonClient
    reference: Reference

    def company(self, body: Body) -> Company:
        """Return the company of a body. Raises Rejected for a document in another currency than its ledger."""
        company = self.reference.company(body["entity"])
        if company.currency != body["currency"]:
            raise Rejected(
                f"{company.entity} keeps its ledger in {company.currency}, the document is in {body['currency']}",
                code=POST_REJECTED,
            )
        return company

    def discard(self, model: str, record_id: int, refusal: Rejected) -> Rejected:
        """Delete the draft of a refused document and return the refusal; in doubt where even that is refused."""
        try:
            self.client.change(f"model.{model}.delete", [record_id])
        except ConnectorError as error:
            raise OutcomeUnknown(f"refused ({refusal.detail}), and its draft stays: {error.detail}") from error
        self.client.touched = False
        return refusal

    def post_draft(self, model: str, record_id: int, company: Company) -> None:
        """Post a draft; a refused one is deleted. Raises the six errors."""
        try:
            self.client.change(f"model.{model}.post", [record_id], context=company.context)
        except Rejected as refusal:
            refused = self.discard(model, record_id, refusal)
            if is_date_order(refused):  # another invoice was numbered in between: the next try takes a later date
                raise TryLater(refused.detail) from refusal
            raise refused from None

    def to_resume(self, resume_id: str, search: Callable[[], list[int]]) -> int:
        """Return the id of the document to go on with, 0 where there is none yet."""
        ids = [int(resume_id)] if resume_id else search()
        if len(ids) > 1:
            raise Rejected(f"{len(ids)} documents carry the reference: {ids}", code=DUPLICATE)
        self.client.touched = bool(ids)
        return ids[0] if ids else 0


# ---- customers -------------------------------------------------------------------------------------------------


def send_customer(ledger: Ledger, body: Body) -> Receipt:
    """Create a party; its code is our reference and unique, so that a repeated post finds the first one."""
    address = {"country": country} if (country := _country(ledger, body["country"])) else {}
    party = {
        "name": body["name"],
        "code": body["code"],
        "addresses": [["create", [address]]],
        "identifiers": [["create", [{"code": code} for code in body["identifiers"]]]],
    }
    try:
        (party_id,) = ledger.client.change("model.party.party.create", [party])
    except Rejected as refusal:
        if not is_code_taken(refusal):
            raise
        existing = _party(ledger, body["code"])
        if existing is None or existing["name"] != body["name"]:
            raise Rejected(f"another party has the code {body['code']}", code=CONTENT_MISMATCH) from refusal
        party_id = existing["id"]
    return Receipt(document_id=str(party_id), number=body["code"], echoed_ref=body["code"], echoed_amount=None)


def find_customer(ledger: Ledger, body: Body) -> list[Found]:
    """Return the party with our code."""
    party = _party(ledger, body["code"])
    if party is None:
        return []
    same = party["name"] == body["name"]
    return [Found(document_id=str(party["id"]), number=party["code"], complete=True, fingerprint_ok=same)]


def _party(ledger: Ledger, code: str) -> Row | None:
    return ledger.client.row("party.party", [("code", "=", code)], ["name", "code"])


def _country(ledger: Ledger, code: str) -> int | None:
    country = ledger.client.row("country.country", [("code", "=", code)], ["code"]) if code else None
    return country["id"] if country else None


# ---- invoices --------------------------------------------------------------------------------------------------


def send_invoice(ledger: Ledger, body: Body, resume_id: str) -> Receipt:
    """Create, check and post a customer invoice, or finish the one ``resume_id`` names."""
    company = ledger.company(body)
    invoice_id = ledger.to_resume(resume_id, lambda: [row["id"] for row in _invoices(ledger, company, body)])
    if not invoice_id:
        draft = _invoice_values(ledger, company, body)
        (invoice_id,) = ledger.client.change("model.account.invoice.create", [draft], context=company.context)
    invoice = _invoice(ledger, company, invoice_id)
    if invoice["state"] not in POSTED_STATES:
        if invoice["total_amount"] != Decimal(body["total"]):
            shown = f"Tryton makes the total {invoice['total_amount']}, the document says {body['total']}"
            raise ledger.discard(INVOICE, invoice_id, Rejected(shown, code=CONTENT_MISMATCH))
        ledger.post_draft(INVOICE, invoice_id, company)
        invoice = _invoice(ledger, company, invoice_id)
    return Receipt(
        document_id=str(invoice_id),
        number=invoice["number"] or "",
        echoed_ref=invoice["reference"] or "",
        echoed_amount=_total(invoice),
    )


def find_invoices(ledger: Ledger, body: Body) -> list[Found]:
    """Return every customer invoice of the company that carries our reference, drafts included."""
    company = ledger.company(body)
    return [
        Found(
            document_id=str(row["id"]),
            number=row["number"] or "",
            complete=row["state"] not in ("draft", "validated"),
            fingerprint_ok=row["state"] != "cancelled"
            and row["total_amount"] == Decimal(body["total"])
            and row["currency."]["code"] == body["currency"],
            detail=f"{row['state']}, total {row['total_amount']}",
        )
        for row in _invoices(ledger, company, body)
    ]


def _invoices(ledger: Ledger, company: Company, body: Body) -> list[Row]:
    domain = [("company", "=", company.id), ("type", "=", "out"), ("reference", "=", body["reference"])]
    return ledger.client.rows(INVOICE, domain, INVOICE_FIELDS, context=company.context)


def _invoice(ledger: Ledger, company: Company, invoice_id: int) -> Row:
    row = ledger.client.row(INVOICE, [("id", "=", invoice_id)], INVOICE_FIELDS, context=company.context)
    if row is None:
        raise NotFound(f"invoice {invoice_id} is gone from {company.entity}")
    return row


def _total(invoice: Row) -> Money:
    return Money.of(invoice["total_amount"], invoice["currency."]["code"])


def _invoice_values(ledger: Ledger, company: Company, body: Body) -> dict[str, Any]:
    reference = ledger.reference
    booked = date.fromisoformat(body["accounting_date"])
    reference.open_period(company, booked)
    issued = date.fromisoformat(body["invoice_date"])
    last = reference.last_invoice_date(company, booked)
    comment = body["comment"]
    if last and last > issued:
        comment += f"\nDated {last} instead of {issued}: invoices are numbered in the order of their dates."
        issued = last
    party = ledger.client.row("party.party", [("id", "=", record_id(body["party"]))], ["addresses"])
    if party is None or not party["addresses"]:
        raise Rejected(f"the ERP has no party {body['party']!r} with an address", code=CUSTOMER_UNKNOWN)
    shared = {"company": company.id, "currency": company.currency_id}
    return {
        **shared,
        "type": "out",
        "party": party["id"],
        "invoice_address": party["addresses"][0],
        "reference": body["reference"],
        "description": body["description"],
        "comment": comment,
        "journal": reference.journal(body["journal"]),
        "account": reference.account(company, body["account"])["id"],
        "invoice_date": issued,
        "accounting_date": booked,
        "payment_term_date": date.fromisoformat(body["due_date"]) if body["due_date"] else None,
        "lines": [["create", [{**shared, **_line_values(reference, company, line)} for line in body["lines"]]]],
        "taxes": [["create", [_tax_values(reference, company, tax) for tax in body["taxes"]]]],
    }


def _line_values(reference: Reference, company: Company, line: Body) -> dict[str, Any]:
    return {
        "type": "line",
        "invoice_type": "out",
        "account": reference.account(company, line["account"])["id"],
        "description": line["description"],
        "quantity": json.loads(line["quantity"]),  # Tryton keeps quantities as plain JSON numbers, money as decimals
        "unit_price": Decimal(line["unit_price"]),
    }


def _tax_values(reference: Reference, company: Company, tax: Body) -> dict[str, Any]:
    return {
        "manual": True,
        "account": reference.account(company, tax["account"])["id"],
        "tax": reference.tax(company, tax["tax"]),
        "description": tax["description"],
        "base": Decimal(tax["base"]),
        "amount": Decimal(tax["amount"]),
    }


def record_id(text: str) -> int:
    """Return an id of the ERP written as text, 0 (which no record has) for anything else."""
    return int(text) if text.isdigit() else 0
