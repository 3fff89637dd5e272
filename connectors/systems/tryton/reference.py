"""Ids of the ERP's reference data, found by code at run time and remembered for one connector."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.contract import AccountingPeriodState
from connectors.errors import Rejected
from connectors.systems.tryton.client import Row, TrytonClient
from connectors.systems.tryton.refusals import ENTITY_UNKNOWN, PERIOD_CLOSED, POST_REJECTED
from finsync.core.periods import Period

COMPANY_NAME_OPTION = "company."  # option "company.US01" names the company where its party's code is not the entity


@dataclass(frozen=True, slots=True)
class Company:
    """A company of the ERP: the legal entity it stands for, its id and its currency."""

    entity: str
    id: int
    currency: str
    currency_id: int

    @property
    def context(self) -> dict[str, Any]:
        return {"company": self.id}


class Reference:
    """Look-ups by code. A code that is missing is read again every time, because somebody may just have added it."""

    def __init__(self, client: TrytonClient, options: Mapping[str, str]) -> None:
        self._client, self._options = client, options
        self._companies: dict[str, Company] = {}
        self._accounts: dict[tuple[int, str], Row] = {}
        self._journals: dict[str, int] = {}
        self._taxes: dict[tuple[int, str], int] = {}

    def companies(self) -> list[Company]:
        """Return every company the user may see."""
        if not self._companies:
            names = {
                name: option.removeprefix(COMPANY_NAME_OPTION)
                for option, name in self._options.items()
                if option.startswith(COMPANY_NAME_OPTION)
            }
            fields = ["party.code", "party.name", "currency.code"]
            for row in self._client.rows("company.company", [], fields):
                entity = names.get(row["party."]["name"]) or row["party."]["code"]
                currency = row["currency."]
                self._companies[entity] = Company(entity, row["id"], currency["code"], currency["id"])
        return list(self._companies.values())

    def company(self, entity: str) -> Company:
        """Return the company of a legal entity. Raises Rejected where the ERP has none."""
        self.companies()
        if entity not in self._companies:
            raise Rejected(f"the ERP has no company for entity {entity!r}", code=ENTITY_UNKNOWN)
        return self._companies[entity]

    def account(self, company: Company, code: str) -> Row:
        """Return the account with a code. Raises Rejected where the company has none, or one that is closed."""
        if (company.id, code) not in self._accounts:
            domain = [("company", "=", company.id), ("type", "!=", None), ("closed", "!=", True), ("code", "!=", None)]
            rows = self._client.rows("account.account", domain, ["code", "party_required"], context=company.context)
            self._accounts.update({(company.id, row["code"]): row for row in rows})
        if (company.id, code) not in self._accounts:
            raise Rejected(f"{company.entity} has no open account {code!r}", code=POST_REJECTED)
        return self._accounts[company.id, code]

    def journal(self, code: str) -> int:
        """Return the id of a journal (a book of entries) by its code."""
        if code not in self._journals:
            self._journals = {row["code"]: row["id"] for row in self._client.rows("account.journal", [], ["code"])}
        if code not in self._journals:
            raise Rejected(f"the ERP has no journal {code!r}", code=POST_REJECTED)
        return self._journals[code]

    def tax(self, company: Company, code: str) -> int:
        """Return the id of the tax whose description is the tax code."""
        if (company.id, code) not in self._taxes:
            domain = [("company", "=", company.id)]
            rows = self._client.rows("account.tax", domain, ["description"], context=company.context)
            self._taxes.update({(company.id, row["description"]): row["id"] for row in rows})
        if (company.id, code) not in self._taxes:
            raise Rejected(f"{company.entity} has no tax {code!r}", code=POST_REJECTED)
        return self._taxes[company.id, code]

    def open_period(self, company: Company, day: date) -> int:
        """Return the id of the period a day falls in, read every time. Raises Rejected where it is closed or absent."""
        domain = [
            ("company", "=", company.id),
            ("type", "=", "standard"),
            ("start_date", "<=", day),
            ("end_date", ">=", day),
        ]
        row = self._client.row("account.period", domain, ["name", "state"], context=company.context)
        if row is None:
            raise Rejected(f"{company.entity} has no accounting period for {day}", code=POST_REJECTED)
        if row["state"] != "open":
            raise Rejected(f"period {row['name']} of {company.entity} is {row['state']}", code=PERIOD_CLOSED)
        return int(row["id"])

    def periods(self, company: Company) -> list[AccountingPeriodState]:
        """Return all standard periods of a company, oldest first."""
        rows = self._client.rows(
            "account.period",
            [("company", "=", company.id), ("type", "=", "standard")],
            ["start_date", "end_date", "state"],
            order=[("start_date", "ASC"), ("id", "ASC")],
            context=company.context,
        )
        return [
            AccountingPeriodState(
                entity=company.entity,
                label=Period.of(row["start_date"]).label,
                start=row["start_date"],
                end=Period.of(row["end_date"]).end,
                open=row["state"] == "open",
            )
            for row in rows
        ]

    def last_invoice_date(self, company: Company, day: date) -> date | None:
        """Return the latest date already numbered from the invoice sequence a document booked on ``day`` would use."""
        numbering = self._client.row(
            "account.fiscalyear.invoice_sequence",
            [
                ("company", "=", company.id),
                ("fiscalyear.start_date", "<=", day),
                ("fiscalyear.end_date", ">=", day),
                ("period", "=", None),
            ],
            ["out_invoice_sequence"],
            context=company.context,
        )
        if numbering is None:
            return None
        latest = self._client.row(
            "account.invoice",
            [("company", "=", company.id), ("sequence", "=", numbering["out_invoice_sequence"])],
            ["invoice_date"],
            order=[("invoice_date", "DESC"), ("id", "DESC")],
            context=company.context,
        )
        return latest["invoice_date"] if latest else None
