"""Reading back what Tryton holds, for reconciliation: documents, receivables, payments, revenue and deferred revenue.

The ledger knows no contracts: entries are traced to theirs by the stamp, either their own or that of the invoice they
come from. What carries no stamp is reported under ``UNATTRIBUTED``, never left out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connectors.contract import Window
from connectors.errors import Unsupported
from connectors.systems.tryton import stamp
from connectors.systems.tryton.client import Row, TrytonClient
from connectors.systems.tryton.entries import ENTRY_LINE
from connectors.systems.tryton.post import INVOICE
from connectors.systems.tryton.reference import Company, Reference
from finsync.core.money import Money
from finsync.core.periods import Period, periods_between
from finsync.core.records.document import DocType
from finsync.core.records.observed import Observed

UNATTRIBUTED = "-"  # stands for the contract of a ledger line that carries no stamp
REVENUE_ACCOUNT, DEFERRED_ACCOUNT = "4000", "2100"  # options revenue_account and deferred_account override

INVOICES_PER_QUESTION = 500  # ids in one search; the whole request stays far below the server's size limit

_INVOICE_STATES = {"draft": "draft", "validated": "draft", "posted": "open", "paid": "paid", "cancelled": "void"}
_INVOICE_FIELDS = (
    "number",
    "state",
    "reference",
    "comment",
    "untaxed_amount",
    "tax_amount",
    "total_amount",
    "amount_to_pay",
    "invoice_date",
    "accounting_date",
)
_LINE_FIELDS = ("debit", "credit", "date", "move.number", "move.state", "move.description", "move.origin")


class Observer:
    """One pass over one or more companies. All rows come in pages; nothing is written."""

    def __init__(self, client: TrytonClient, reference: Reference, options: Any) -> None:
        self._client, self._reference = client, reference
        self._revenue = options.get("revenue_account", REVENUE_ACCOUNT)
        self._deferred = options.get("deferred_account", DEFERRED_ACCOUNT)

    def observe(self, object: str, window: Window) -> Iterator[Observed]:
        """Yield what the companies of the window hold. Raises Unsupported for an object Tryton does not know."""
        readers: dict[str, Callable[[Company, Window], Iterable[Observed]]] = {
            "document": self._documents,
            "invoice": self._invoices,
            "payment": self._payments,
            "revenue": self._recognised,
            "deferred": self._deferred_balances,
        }
        if object not in readers:
            raise Unsupported(f"Tryton cannot be asked for {object!r}")
        for company in self._reference.companies():
            if not window.entities or company.entity in window.entities:
                yield from readers[object](company, window)

    def account_balances(self, company: Company, as_of: date) -> dict[str, Money]:
        """Return the balance of every account with a code: posted entries up to and including a day, debit positive.

        From the first entry on: revenue accounts count from the beginning, not from the start of the fiscal year.
        """
        context = {**company.context, "to_date": as_of, "posted": True}
        domain = [("company", "=", company.id), ("type", "!=", None), ("code", "!=", None)]
        rows = self._client.rows("account.account", domain, ["code", "balance"], context=context)
        return {row["code"]: Money.of(row["balance"], company.currency) for row in rows}

    # ---- documents ---------------------------------------------------------------------------------------------

    def _documents(self, company: Company, window: Window) -> Iterator[Observed]:
        for row, facts in self._stamped_invoices(company, window):
            yield self._invoice(company, "document", row["reference"], row, facts)
        for lines, facts in self._stamped_entries(company, window):
            yield self._entry(company, "document", facts["reference"], lines, facts)

    def _invoices(self, company: Company, window: Window) -> Iterator[Observed]:
        for row, facts in self._stamped_invoices(company, window):
            yield self._invoice(company, "invoice", facts.get("number") or row["reference"], row, facts)

    def _payments(self, company: Company, window: Window) -> Iterator[Observed]:
        for lines, facts in self._stamped_entries(company, window):
            if facts.get("kind") == DocType.PAYMENT:
                yield self._entry(company, "payment", facts.get("number") or facts["reference"], lines, facts)

    def _stamped_invoices(self, company: Company, window: Window) -> Iterator[tuple[Row, dict[str, str]]]:
        domain = [
            ("company", "=", company.id),
            ("type", "=", "out"),
            ("reference", "like", f"{stamp.REFERENCE_PREFIX}%"),
            ("accounting_date", ">=", window.start),
            ("accounting_date", "<", window.end),
        ]
        for row in self._client.rows(INVOICE, domain, _INVOICE_FIELDS, context=company.context):
            yield row, stamp.read(row["comment"])

    def _stamped_entries(self, company: Company, window: Window) -> Iterator[tuple[list[Row], dict[str, str]]]:
        domain = [
            ("move.company", "=", company.id),
            ("move.description", "like", f"{stamp.REFERENCE_PREFIX}%"),
            ("move.date", ">=", window.start),
            ("move.date", "<", window.end),
        ]
        by_entry = defaultdict(list)
        for line in self._client.rows(ENTRY_LINE, domain, _LINE_FIELDS, context=company.context):
            by_entry[line["move."]["id"]].append(line)
        for lines in by_entry.values():
            facts = stamp.read(lines[0]["move."]["description"])
            if "reference" in facts:
                yield lines, facts

    def _invoice(self, company: Company, object: str, key: str, row: Row, facts: dict[str, str]) -> Observed:
        def money(field: str) -> Money:
            return Money.of(row[field] or 0, company.currency)

        booked = row["accounting_date"]
        return Observed(
            object=object,
            key=key,
            entity=company.entity,
            currency=company.currency,
            period=Period.of(booked).label,
            amount=money("total_amount"),
            net=money("untaxed_amount"),
            tax=money("tax_amount"),
            state=_INVOICE_STATES[row["state"]],
            source_id=str(row["id"]),
            version=int(facts.get("version") or 0),
            document_date=date.fromisoformat(facts["dated"]) if "dated" in facts else row["invoice_date"],
            facts={**facts, "erp_number": row["number"] or "", "left_to_pay": str(row["amount_to_pay"] or 0)},
        )

    def _entry(self, company: Company, object: str, key: str, lines: list[Row], facts: dict[str, str]) -> Observed:
        head, booked = lines[0]["move."], lines[0]["date"]
        amount = sum((line["debit"] for line in lines), Decimal(0))
        return Observed(
            object=object,
            key=key,
            entity=company.entity,
            currency=company.currency,
            period=Period.of(booked).label,
            amount=Money.of(amount, company.currency),
            state=head["state"],
            source_id=str(head["id"]),
            version=int(facts.get("version") or 0),
            document_date=booked,
            facts={**facts, "erp_number": head["number"] or ""},
        )

    # ---- ledger accounts per contract ----------------------------------------------------------------------------

    def _recognised(self, company: Company, window: Window) -> Iterator[Observed]:
        """Revenue booked per contract and period: credits less debits of the revenue account."""
        moved: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for line, contract in self._ledger_lines(company, self._revenue, window.end, since=window.start):
            moved[contract, Period.of(line["date"]).label] += line["credit"] - line["debit"]
        for (contract, period), amount in sorted(moved.items()):
            yield self._balance(company, "revenue", contract, period, amount)

    def _deferred_balances(self, company: Company, window: Window) -> Iterator[Observed]:
        """Deferred revenue per contract, and of the whole entity, at the end of each period the window touches."""
        lines = list(self._ledger_lines(company, self._deferred, window.end))
        for period in periods_between(window.start, window.end):
            balances: dict[str, Decimal] = defaultdict(Decimal)
            for line, contract in lines:
                if line["date"] < period.end:
                    balances[contract] += line["credit"] - line["debit"]
            total = sum(balances.values(), Decimal(0))
            for contract, amount in sorted(balances.items()):
                yield self._balance(company, "deferred", contract, period.label, amount)
            yield self._balance(company, "deferred", company.entity, period.label, total)

    def _ledger_lines(
        self, company: Company, account: str, end: date, *, since: date | None = None
    ) -> Iterator[tuple[Row, str]]:
        """Yield the posted lines of an account before ``end`` with the contract each belongs to."""
        domain: list[Any] = [
            ("move.company", "=", company.id),
            ("move.state", "=", "posted"),
            ("account.code", "=", account),
            ("date", "<=", end - timedelta(days=1)),
            *([("date", ">=", since)] if since else []),
        ]
        lines = self._client.rows(ENTRY_LINE, domain, _LINE_FIELDS, context=company.context)
        contracts = self._contracts_of_invoices(company, lines)
        for line in lines:
            head = line["move."]
            contract = stamp.read(head["description"]).get("contract") or contracts.get(head["origin"], UNATTRIBUTED)
            yield line, contract

    def _contracts_of_invoices(self, company: Company, lines: list[Row]) -> dict[str, str]:
        """Return the contract of each invoice among the origins of ledger lines, by Tryton's ``model,id``."""
        origins = {origin for line in lines if (origin := line["move."]["origin"] or "").startswith(f"{INVOICE},")}
        ids = sorted(int(origin.partition(",")[2]) for origin in origins)
        found = {}
        for start in range(0, len(ids), INVOICES_PER_QUESTION):
            domain = [("id", "in", ids[start : start + INVOICES_PER_QUESTION])]
            for row in self._client.rows(INVOICE, domain, ["comment"], context=company.context):
                found[f"{INVOICE},{row['id']}"] = stamp.read(row["comment"]).get("contract", UNATTRIBUTED)
        return found

    def _balance(self, company: Company, object: str, who: str, period: str, amount: Decimal) -> Observed:
        account = self._revenue if object == "revenue" else self._deferred
        return Observed(
            object=object,
            key=f"{who}|{period}",
            entity=company.entity,
            currency=company.currency,
            period=period,
            amount=Money.of(amount, company.currency),
            state="posted",
            source_id=account,
            document_date=Period.parse(period).end - timedelta(days=1),
            facts={"scope": "entity" if who == company.entity else "contract", "account": account},
        )
