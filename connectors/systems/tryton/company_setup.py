"""From an empty database to two companies ready to post: runs inside the ERP's own Python, never in finsync's.

``provision.py`` starts this file with the interpreter of the ERP's virtual environment. It activates the modules and
then sets up companies, charts, fiscal years, taxes and the API user in one transaction: all of it is there or none.
Working inside the server's process saves a server start and some hundred calls over the network.

The database server is named in TRYTOND_DATABASE_URI, the first administrator's password is in the file TRYTONPASSFILE
names, and the API user's password is in FINSYNC_ERP_PASSWORD.
"""

import argparse
import os
from datetime import date
from decimal import Decimal

from trytond import admin
from trytond.commandline import get_parser_admin
from trytond.pool import Pool
from trytond.transaction import Transaction, TransactionError

MODULES = ("account_invoice", "account_deposit")  # their dependencies come along
ADMIN_EMAIL = "erp@example.com"
CHART_TEMPLATE = ("account", "account_template_root_en")  # the chart Tryton ships
FISCAL_YEARS = (2025, 2026, 2027)
API_LOGIN = "finsync"
API_GROUPS = (("account", "group_account"), ("account", "group_account_admin"), ("party", "group_party_admin"))

# entity, name, currency, (tax code, tax name, rate as a fraction)
COMPANIES = (
    ("US01", "Finsync US Inc", "USD", ("US-TX-SALES", "Texas sales tax 8.25 %", Decimal("0.0825"))),
    ("UK01", "Finsync UK Ltd", "GBP", ("GB-VAT-20", "VAT 20 %", Decimal("0.20"))),
)
COUNTRIES = {"US": "United States", "GB": "United Kingdom", "DE": "Germany", "FR": "France", "NL": "Netherlands"}
CURRENCIES = {"USD": ("US Dollar", "$", "840"), "GBP": ("Pound Sterling", "£", "826")}

# reference code, name, code in the shipped chart, reconcilable. Codes and names change, types and behaviour stay.
ACCOUNTS = (
    ("1000", "Bank", "1.1.1", True),
    ("1050", "Gateway clearing", "1.1.3", True),
    ("1100", "Accounts receivable", "1.2.1", True),
    ("2100", "Deferred revenue", "2.2.2", False),
    ("2200", "Tax payable", "2.2.3", False),
    ("2300", "Unapplied cash", "2.1.4", True),
    ("4000", "Subscription revenue", "4.2.2", False),
    ("6100", "Processing fees", "6.1.2", False),
    ("6900", "Rounding", "6.2.8", False),
)
RECEIVABLE, PAYABLE_IN_CHART, DEFERRED_REVENUE, TAX_PAYABLE = "1100", "2.1.1", "2100", "2200"

INVOICE_LAYOUT = "${record.number}: ${record.company.party.name} to ${record.party.name}, ${record.total_amount}\n"


def main() -> None:
    """Activate the modules in the named database, then set everything up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    database = parser.parse_args().database
    activate(database)
    print("modules activated", flush=True)
    set_up_companies(database, os.environ["FINSYNC_ERP_PASSWORD"])
    print("companies set up", flush=True)


def activate(database: str) -> None:
    """Create the tables and load the data of the modules, as ``trytond-admin`` does."""
    command = ["-d", database, "--activate-dependencies", "--email", ADMIN_EMAIL, "-u", *MODULES]
    admin.run(get_parser_admin().parse_args(command))


def set_up_companies(database: str, api_password: str) -> None:
    """Set up everything in one transaction, started again with the table locks Tryton asks for on its way."""
    extras = {}
    while True:
        with Transaction().start(database, 0, context={"language": "en"}, **extras) as transaction:
            try:
                currencies = create_currencies()
                Pool().get("country.country").create([{"code": code, "name": name} for code, name in COUNTRIES.items()])
                companies = [set_up_company(currencies, *row) for row in COMPANIES]
                simplify_invoice_report()
                create_api_user(companies, api_password)
                return
            except TransactionError as wish:
                transaction.rollback()
                wish.fix(extras)


def create_currencies():
    """Return the currencies by ISO code."""
    values = [
        {"name": name, "code": code, "symbol": symbol, "numeric_code": number, "rounding": Decimal("0.01"), "digits": 2}
        for code, (name, symbol, number) in CURRENCIES.items()
    ]
    return {currency.code: currency for currency in Pool().get("currency.currency").create(values)}


def set_up_company(currencies, entity, name, currency, tax):
    """Create one company with its chart, taxes and fiscal years. The party's code is the entity's code."""
    (party,) = Pool().get("party.party").create([{"name": name, "code": entity, "addresses": [("create", [{}])]}])
    (company,) = Pool().get("company.company").create([{"party": party.id, "currency": currencies[currency].id}])
    with Transaction().set_context(company=company.id, companies=[company.id]):
        accounts = create_chart(company)
        create_tax(company, accounts[TAX_PAYABLE], *tax)
        for year in FISCAL_YEARS:
            create_fiscal_year(company, year)
    return company


def create_chart(company):
    """Create the shipped chart of accounts, give the accounts of the posting rules their reference codes.

    Returns the accounts of ACCOUNTS by code. Deferred revenue gets a balance-sheet type that customer invoices may
    book on (``deposit``: a customer's advance), because Tryton allows only revenue accounts on their lines otherwise.
    """
    pool = Pool()
    Account, Type = pool.get("account.account"), pool.get("account.account.type")
    CreateChart = pool.get("account.create_chart", type="wizard")
    session, _, _ = CreateChart.create()
    wizard = CreateChart(session)
    wizard.account.company = company
    wizard.account.account_template = pool.get("account.account.template")(
        pool.get("ir.model.data").get_id(*CHART_TEMPLATE)
    )
    wizard.transition_create_account()

    shipped = {account.code: account for account in Account.search([("company", "=", company.id)]) if account.code}
    accounts = {}
    for code, name, shipped_code, reconcilable in ACCOUNTS:
        account = accounts[code] = shipped[shipped_code]
        account.template_override = True
        account.code, account.name = code, name
        account.reconcile = account.reconcile or reconcilable
    contract_liability = Type.create(
        [
            {
                "name": "Deferred revenue",
                "parent": accounts[DEFERRED_REVENUE].type.parent.id,
                "statement": "balance",
                "assets": False,
                "deposit": True,
                "company": company.id,
            }
        ]
    )[0]
    accounts[DEFERRED_REVENUE].type = contract_liability
    # Shipped as deferred tax; what is collected for the tax office is a plain liability.
    accounts[TAX_PAYABLE].type = shipped["2.3.1"].type
    Account.save(list(accounts.values()))

    wizard.properties.company = company
    wizard.properties.account_receivable = accounts[RECEIVABLE]
    wizard.properties.account_payable = shipped[PAYABLE_IN_CHART]
    wizard.transition_create_properties()
    CreateChart.delete(session)
    return accounts


def create_tax(company, account, code, name, rate):
    """Create the tax finsync names on invoices; its description is the tax code. It is never computed by default."""
    Pool().get("account.tax").create(
        [
            {
                "name": name,
                "description": code,
                "type": "percentage",
                "rate": rate,
                "company": company.id,
                "invoice_account": account.id,
                "credit_note_account": account.id,
            }
        ]
    )


def create_fiscal_year(company, year):
    """Create a calendar year with twelve periods and gapless number sequences for entries and invoices."""
    pool = Pool()
    Year, Sequence = pool.get("account.fiscalyear"), pool.get("ir.sequence.strict")
    get_id = pool.get("ir.model.data").get_id
    entry_type, invoice_type = (
        get_id("account", "sequence_type_account_move"),
        get_id("account_invoice", "sequence_type_account_invoice"),
    )
    entries, invoices, credits = Sequence.create(
        [
            {"name": f"{name} {year}", "sequence_type": kind, "company": company.id, "prefix": f"{prefix}{year}-"}
            for name, kind, prefix in (
                ("Entry", entry_type, "E"),
                ("Invoice", invoice_type, "I"),
                ("Credit note", invoice_type, "C"),
            )
        ]
    )
    numbering = {
        "company": company.id,
        "out_invoice_sequence": invoices.id,
        "in_invoice_sequence": invoices.id,
        "out_credit_note_sequence": credits.id,
        "in_credit_note_sequence": credits.id,
    }
    created = Year.create(
        [
            {
                "name": str(year),
                "company": company.id,
                "start_date": date(year, 1, 1),
                "end_date": date(year, 12, 31),
                "move_sequence": entries.id,
                "invoice_sequences": [("create", [numbering])],
            }
        ]
    )
    Year.create_period(created)


def simplify_invoice_report():
    """Print invoices as one line of text: Tryton renders each one while posting it, the shipped layout in 0.3 s."""
    Report = Pool().get("ir.action.report")
    reports = Report.search([("report_name", "=", "account.invoice")])
    layout = {"template_extension": "txt", "report_content_custom": INVOICE_LAYOUT.encode(), "translatable": False}
    Report.write(reports, layout)


def create_api_user(companies, password):
    """Create the user finsync signs in as: bookkeeping and party rights in every company, no system rights."""
    pool = Pool()
    get_id = pool.get("ir.model.data").get_id
    pool.get("res.user").create(
        [
            {
                "name": "finsync",
                "login": API_LOGIN,
                "password": password,
                "companies": [("add", [company.id for company in companies])],
                "company": companies[0].id,
                "company_filter": "all",
                "groups": [("add", [get_id(*group) for group in API_GROUPS])],
            }
        ]
    )


if __name__ == "__main__":
    main()
