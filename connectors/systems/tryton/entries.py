"""Journal entries in Tryton: payments and recognised revenue, posted once and found again by their description."""

from datetime import date
from decimal import Decimal

from connectors.contract import Found, Receipt
from connectors.errors import NotFound, Rejected
from connectors.systems.tryton import stamp
from connectors.systems.tryton.bodies import Body
from connectors.systems.tryton.client import Row
from connectors.systems.tryton.post import Ledger, record_id
from connectors.systems.tryton.reference import Company
from connectors.systems.tryton.refusals import UNBALANCED
from finsync.core.money import Money

ENTRY, ENTRY_LINE = "account.move", "account.move.line"
ENTRY_LINE_FIELDS = (
    "debit",
    "credit",
    "account",
    "party",
    "reconciliation",
    "move.number",
    "move.state",
    "move.description",
)


def send_entry(ledger: Ledger, body: Body, resume_id: str) -> Receipt:
    """Create and post a journal entry, or finish the one ``resume_id`` names."""
    company = ledger.company(body)
    _check_balance(body)
    entry_id = ledger.to_resume(resume_id, lambda: list(entries(ledger, company, body)))
    if not entry_id:
        entry_id = create_entry(ledger, company, body, record_id(body["party"]))
    lines = entry_lines(ledger, company, entry_id)
    if lines[0]["move."]["state"] != "posted":
        ledger.post_draft(ENTRY, entry_id, company)
        lines = entry_lines(ledger, company, entry_id)
    return entry_receipt(entry_id, lines, company, sum((line["debit"] for line in lines), Decimal(0)))


def find_entries(ledger: Ledger, body: Body) -> list[Found]:
    """Return every journal entry of the company whose description begins with our reference, drafts included."""
    company = ledger.company(body)
    expected = sum((Decimal(line["debit"]) for line in body["lines"]), Decimal(0))
    found = []
    for entry_id, lines in entries(ledger, company, body).items():
        total = sum((line["debit"] for line in lines), Decimal(0))
        head = lines[0]["move."]
        found.append(
            Found(
                document_id=str(entry_id),
                number=head["number"] or "",
                complete=head["state"] == "posted",
                fingerprint_ok=total == expected,
                detail=f"{head['state']}, total {total}",
            )
        )
    return found


def create_entry(ledger: Ledger, company: Company, body: Body, party_id: int) -> int:
    """Create the draft of a journal entry and return its id. Lines name accounts by code, amounts as texts."""
    reference = ledger.reference
    day = date.fromisoformat(body["date"])
    lines = []
    for line in body["lines"]:
        account = reference.account(company, line["account"])
        party = {"party": party_id} if account["party_required"] and party_id else {}
        amounts = {side: Decimal(line[side]) for side in ("debit", "credit")}
        lines.append({"account": account["id"], "description": line["description"], **amounts, **party})
    entry = {
        "company": company.id,
        "journal": reference.journal(body["journal"]),
        "period": reference.open_period(company, day),
        "date": day,
        "description": body["description"],
        "lines": [["create", lines]],
    }
    (entry_id,) = ledger.client.change("model.account.move.create", [entry], context=company.context)
    return int(entry_id)


def entries(ledger: Ledger, company: Company, body: Body) -> dict[int, list[Row]]:
    """Return the lines of every entry that carries the reference of a body, by the entry's id."""
    reference = stamp.read(body["description"])["reference"]
    domain = [("move.company", "=", company.id), ("move.description", "like", f"{reference}%")]
    found: dict[int, list[Row]] = {}
    for line in ledger.client.rows(ENTRY_LINE, domain, ENTRY_LINE_FIELDS, context=company.context):
        found.setdefault(line["move."]["id"], []).append(line)
    return found


def entry_lines(ledger: Ledger, company: Company, entry_id: int) -> list[Row]:
    """Return the lines of one entry. Raises NotFound where it is gone."""
    domain = [("move", "=", entry_id), ("move.company", "=", company.id)]
    lines = ledger.client.rows(ENTRY_LINE, domain, ENTRY_LINE_FIELDS, context=company.context)
    if not lines:
        raise NotFound(f"journal entry {entry_id} is gone from {company.entity}")
    return lines


def entry_receipt(entry_id: int, lines: list[Row], company: Company, amount: Decimal) -> Receipt:
    """Return what a posted entry echoes: the reference read back from its description and its amount."""
    head = lines[0]["move."]
    return Receipt(
        document_id=str(entry_id),
        number=head["number"] or "",
        echoed_ref=stamp.read(head["description"]).get("reference", ""),
        echoed_amount=Money.of(amount, company.currency),
    )


def _check_balance(body: Body) -> None:
    """Refuse an entry that does not balance before Tryton sees it: other ERPs, and Tryton on SQLite, would take it."""
    debit, credit = (sum(Decimal(line[side]) for line in body["lines"]) for side in ("debit", "credit"))
    if not body["lines"] or debit != credit:
        raise Rejected(f"debits {debit} and credits {credit} do not balance", code=UNBALANCED)
