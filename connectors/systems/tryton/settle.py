"""Applying payments to invoices.

An application is a small journal entry of its own on the receivable account: it debits what is taken from the payment
and credits what the invoice gets. That gives it our reference, a number and a date, and makes one rule for every case:
whole, partial, one payment over several invoices, several payments on one invoice. Then

- an invoice that is covered is reconciled with all credits given to it, and Tryton marks it paid;
- one that is not yet covered gets the credit as a payment line, and Tryton lowers what is still to pay;
- a payment that is used up is reconciled with everything taken from it.

Every step is derived from what the ledger holds, so that an interrupted application is finished by the same rule.
"""

from dataclasses import dataclass
from decimal import Decimal

from connectors.contract import Found, Receipt
from connectors.errors import Rejected
from connectors.systems.tryton import stamp
from connectors.systems.tryton.bodies import Body
from connectors.systems.tryton.client import Row
from connectors.systems.tryton.entries import (
    ENTRY,
    ENTRY_LINE,
    ENTRY_LINE_FIELDS,
    create_entry,
    entries,
    entry_lines,
    entry_receipt,
)
from connectors.systems.tryton.post import INVOICE, Ledger
from connectors.systems.tryton.reference import Company
from connectors.systems.tryton.refusals import POST_REJECTED

NOTHING = Decimal(0)
RECONCILE_WIZARD = "wizard.account.move.reconcile_lines"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The open items around one invoice and one payment, as the ledger holds them now.

    ``invoice`` and ``payment`` are the lines that started them, ``credits`` and ``debits`` what has been applied since.
    """

    account_code: str
    party_id: int
    invoice: list[Row]
    credits: list[Row]
    linked: set[int]
    payment: list[Row]
    debits: list[Row]

    @property
    def invoice_left(self) -> Decimal:
        return _balance([*self.invoice, *self.credits])

    @property
    def payment_left(self) -> Decimal:
        return -_balance([*self.payment, *self.debits])

    def covered(self) -> list[list[Row]]:
        """Return the groups of posted lines that cancel out and are to be reconciled."""
        groups = [(self.invoice, self.credits), (self.payment, self.debits)]
        return [
            [*opened, *applied]
            for opened, applied in groups
            if opened
            and applied
            and _balance([*opened, *applied]) == 0
            and all(line["move."]["state"] == "posted" for line in applied)
        ]

    def to_link(self, credit: Row) -> bool:
        """Whether the credit of an application must still be made known to its invoice as a partial payment."""
        return not credit["reconciliation"] and self.invoice_left != 0 and credit["id"] not in self.linked


def send_application(ledger: Ledger, body: Body, resume_id: str) -> Receipt:
    """Apply a payment to an invoice, or finish the application ``resume_id`` names."""
    company = ledger.company(body)
    amount = Decimal(body["amount"])
    entry_id = ledger.to_resume(resume_id, lambda: list(entries(ledger, company, body)))
    if not entry_id:
        entry_id = _create(ledger, company, body, amount)
    lines = entry_lines(ledger, company, entry_id)
    if lines[0]["move."]["state"] != "posted":
        ledger.post_draft(ENTRY, entry_id, company)
        lines = entry_lines(ledger, company, entry_id)
    _apply(ledger, company, body, _credit(lines))
    return entry_receipt(entry_id, lines, company, _credit(lines)["credit"])


def find_applications(ledger: Ledger, body: Body) -> list[Found]:
    """Return every application entry that carries our reference; complete when nothing is left to reconcile or link."""
    company = ledger.company(body)
    found = []
    for entry_id, lines in entries(ledger, company, body).items():
        head, credit = lines[0]["move."], _credit(lines)
        settlement = _settlement(ledger, company, body)
        done = head["state"] == "posted" and not settlement.covered() and not settlement.to_link(credit)
        found.append(
            Found(
                document_id=str(entry_id),
                number=head["number"] or "",
                complete=done,
                fingerprint_ok=credit["credit"] == Decimal(body["amount"]),
                detail=f"{head['state']}, applied {credit['credit']}",
            )
        )
    return found


def _create(ledger: Ledger, company: Company, body: Body, amount: Decimal) -> int:
    settlement = _settlement(ledger, company, body)
    for name, left in (("invoice", settlement.invoice_left), ("payment", settlement.payment_left)):
        if amount > left:
            raise Rejected(f"{amount} is more than the {name} {body[name]} has left: {left}", code=POST_REJECTED)
    account = {"account": settlement.account_code}
    lines = [
        {**account, "debit": str(amount), "credit": "0", "description": f"from payment {body['payment']}"},
        {**account, "debit": "0", "credit": str(amount), "description": f"to invoice {body['invoice']}"},
    ]
    return create_entry(ledger, company, {**body, "lines": lines}, settlement.party_id)


def _apply(ledger: Ledger, company: Company, body: Body, credit: Row) -> None:
    settlement = _settlement(ledger, company, body)
    if settlement.to_link(credit):
        values = {"payment_lines": [["add", [credit["id"]]]]}
        ledger.client.change(f"model.{INVOICE}.write", [int(body["invoice"])], values, context=company.context)
    for group in settlement.covered():
        _reconcile(ledger, company, [line["id"] for line in group])


def _reconcile(ledger: Ledger, company: Company, line_ids: list[int]) -> None:
    """Reconcile lines that cancel out, by the wizard a bookkeeper uses: Tryton lets nobody write reconciliations."""
    chosen = {"active_model": ENTRY_LINE, "active_id": line_ids[0], "active_ids": line_ids}
    context = {**company.context, **chosen}
    session, start, _ = ledger.client.change(f"{RECONCILE_WIZARD}.create", context=context)
    ledger.client.change(f"{RECONCILE_WIZARD}.execute", session, {}, start, context=context)
    ledger.client.change(f"{RECONCILE_WIZARD}.delete", session, context=context)


def _settlement(ledger: Ledger, company: Company, body: Body) -> Settlement:
    """Read the open receivable items of the invoice's customer: two calls, however many applications there are."""
    ids = {role: int(body[role]) if body[role].isdigit() else 0 for role in ("invoice", "payment")}
    fields = ["move", "party", "account.code", "payment_lines", "state"]
    domain = [("id", "=", ids["invoice"]), ("company", "=", company.id)]
    invoice = ledger.client.row(INVOICE, domain, fields, context=company.context)
    if invoice is None or not invoice["move"]:
        raise Rejected(f"{company.entity} has no posted invoice {body['invoice']!r}", code=POST_REJECTED)
    open_items = ledger.client.rows(
        ENTRY_LINE,
        [
            ("account", "=", invoice["account."]["id"]),
            ("party", "=", invoice["party"]),
            ("reconciliation", "=", None),
        ],
        ENTRY_LINE_FIELDS,
        context=company.context,
    )
    facts = {line["id"]: stamp.read(line["move."]["description"]) for line in open_items}
    applied = [line for line in open_items if facts[line["id"]].get("kind") == "payment_application"]
    linked = set(invoice["payment_lines"])
    return Settlement(
        account_code=invoice["account."]["code"],
        party_id=invoice["party"],
        invoice=[line for line in open_items if line["move."]["id"] == invoice["move"]],
        credits=[
            line
            for line in open_items
            if line["id"] in linked
            or (line in applied and line["credit"] and facts[line["id"]].get("invoice") == body["invoice"])
        ],
        linked=linked,
        payment=[line for line in open_items if line["move."]["id"] == ids["payment"]],
        debits=[line for line in applied if line["debit"] and facts[line["id"]].get("payment") == body["payment"]],
    )


def _credit(lines: list[Row]) -> Row:
    return next(line for line in lines if line["credit"])


def _balance(lines: list[Row]) -> Decimal:
    return sum((line["debit"] - line["credit"] for line in lines), NOTHING)
