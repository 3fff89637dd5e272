"""The story that must be true: seats added on day 45 reach billing, revenue and the ledger, to the cent.

Everything outside the process is real HTTP: the doubles, their signed webhooks through the production door, and a real
ERP from which every figure is read back. Figures: domain.md 3a.
"""

from datetime import date
from decimal import Decimal

import pytest

from exceptions_queue.models import ExceptionCase
from finsync.canonical.models import Contract, Invoice
from finsync.core.money import Money
from finsync.posting.models import Posting
from tests.flows.company import reconcile, settle

pytestmark = [pytest.mark.story, pytest.mark.erp]

CURRENCY = {"US01": "USD", "UK01": "GBP"}
# Revenue of every month after the expansion, and deferred revenue at its end (domain.md 3a, "After daily", "DR daily").
AFTER_DAILY = [
    "1019.18",
    "1167.13",
    "1528.75",
    "1479.46",
    "1528.76",
    "1479.45",
    "1528.77",
    "1528.77",
    "1479.45",
    "1528.77",
    "1479.45",
    "1528.77",
]
DEFERRED = [
    "10980.82",
    "15090.40",
    "13561.65",
    "12082.19",
    "10553.43",
    "9073.98",
    "7545.21",
    "6016.44",
    "4536.99",
    "3008.22",
    "1528.77",
    "0.00",
]
TOTALS = {"US01": ("5712.04", "18702.04", "1425.33"), "UK01": ("6332.05", "20732.05", "3455.34")}


def posted(count: int):
    """Whether that many ERP documents are posted and nothing is on its way."""

    def check() -> bool:
        mine = Posting.objects.filter(connection__name="tryton")
        return mine.filter(status="POSTED").count() >= count and not mine.exclude(status="POSTED").exists()

    return check


def month_end(month: int) -> date:
    return date(2026 + month // 12, month % 12 + 1, 1).replace(day=1) - (date(2026, 1, 2) - date(2026, 1, 1))


def change(before: dict, after: dict, account: str, currency: str) -> Decimal:
    zero = Money.zero(currency)
    return (after.get(account, zero) - before.get(account, zero)).major


def findings(runs: dict) -> list[str]:
    """What does not tie, in words; [] where every run is balanced."""
    return [f"{code} {run.state} {run.problem}" for code, run in runs.items() if run.state != "BALANCED"] + [
        f"{code} {row.key}: {row.break_class} {row.explanation}"
        for code, run in runs.items()
        for row in run.variance_rows.all()
    ]


@pytest.mark.parametrize("entity", ["US01", "UK01"])
def test_day_45_expansion_ties_in_every_system_and_month(sample, ledger, entity):
    currency, number = CURRENCY[entity], f"C-45-{entity}"
    second_total, both_totals, both_taxes = TOTALS[entity]
    at_start = {month: ledger.account_balances(entity, month_end(month)) for month in range(1, 13)}

    account = sample.customer(f"day45-{entity}", entity, f"Day 45 {entity}")
    sample.sign(number, account)
    settle(lambda: Invoice.objects.count() == 1)
    sample.pay(Invoice.objects.get().number, entity, "2026-01-10")
    settle(lambda: Invoice.objects.get().status == "paid")
    sample.expand(number, effective="2026-02-14", seats=5, ref="A-0002")
    settle(lambda: Invoice.objects.count() == 2)
    second = Invoice.objects.get(contract_version=2)
    sample.pay(second.number, entity, "2026-02-20")
    # customer, two invoices, two payments with their applications, and revenue journals: twelve months, more where
    # the first version was recognised before the second arrived
    settle(posted(1 + 2 + 2 + 2 + 12), seconds=180)

    assert (Money(second.net_minor, currency).major, Money(second.total_minor, currency).major) == (
        Decimal("5276.71"), Decimal(second_total),
    )  # fmt: skip
    assert (second.amendment_ref, second.effective_date) != ("", None)
    assert Contract.objects.get().price_minor == 1_727_671
    for posting in Posting.objects.filter(contract_version=2).exclude(doc_type="journal"):
        assert posting.document["record"]["contract_number"] == number
        assert posting.correlation_id

    end = ledger.account_balances(entity, date(2026, 12, 31))
    nothing = at_start[12]
    assert change(nothing, end, "1100", currency) == 0  # both invoices are paid
    assert change(nothing, end, "1050", currency) == Decimal(both_totals)
    assert change(nothing, end, "2200", currency) == -Decimal(both_taxes)
    assert change(nothing, end, "2100", currency) == 0
    assert change(nothing, end, "4000", currency) == -Decimal("17276.71")

    journals = Posting.objects.filter(doc_type="journal")
    by_month = {month: 0 for month in range(1, 13)}
    for journal in journals:
        by_month[journal.document_date.month] += journal.recognition.amount_minor
    assert [Money(minor, currency).major for minor in by_month.values()] == list(map(Decimal, AFTER_DAILY))
    for month in range(1, 13):
        balances = ledger.account_balances(entity, month_end(month))
        assert -change(at_start[month], balances, "2100", currency) == Decimal(DEFERRED[month - 1]), month

    assert findings(reconcile("R4", "R6", "R7", "R7D", "R9", "R14")) == []
    assert not ExceptionCase.objects.exclude(state="RESOLVED").exists()


def test_a_refused_amendment_shows_as_deferred_revenue_and_heals_by_replay(sample, ledger):
    """The article's failure: receivables tie, deferred revenue does not."""
    account = sample.customer("refused", "US01", "Refused Amendment Inc")
    sample.sign("C-46", account)
    settle(lambda: Invoice.objects.count() == 1)
    sample.tell(
        "revenue_engine",
        "faults",
        rules=[{"match": {"contract": "C-46"}, "action": "refuse", "times": 100, "code": "ssp_allocation_required"}],
    )
    sample.expand("C-46", effective="2026-02-14", seats=5, ref="A-0046")
    settle(
        lambda: (
            Invoice.objects.count() == 2
            and Posting.objects.filter(doc_type="revenue_contract", status="EXCEPTION").exists()
            and not Posting.objects.filter(connection__name="tryton").exclude(status="POSTED").exists()
        ),
        seconds=180,
    )

    refused = Posting.objects.get(doc_type="revenue_contract", status="EXCEPTION")
    runs = reconcile("R4", "R6", "R7", "R7D", "R9")
    assert runs["R4"].state == runs["R9"].state == "BALANCED"  # an invoice-only control passes throughout
    assert runs["R6"].state == runs["R7D"].state == "OPEN_ITEMS"
    deferred = {row.key: row.difference_minor for row in runs["R7D"].variance_rows.all()}
    assert {key: abs(minor) for key, minor in deferred.items()} == {
        f"C-46|2026-{month:02d}": 527_671 for month in range(2, 13)
    }
    case = ExceptionCase.objects.get(code="REV_SCHEDULE_STALE")
    assert case.at_risk == {"USD": 527_671}
    assert "5,276.71" in case.explanation
    assert "12,000.00" in case.explanation and "17,276.71" in case.explanation
    assert case.remedy

    sample.tell("revenue_engine", "faults", rules=[])
    from exceptions_queue.services.work import retry
    from finsync.audit.services import recording

    open_cases = ExceptionCase.objects.exclude(state="RESOLVED")
    with recording("user:ana"):
        for one in open_cases.filter(occurrences__subject_type="posting", occurrences__subject_id=refused.pk):
            retry(one.pk)
    settle(
        lambda: (
            Posting.objects.get(pk=refused.pk).status == "POSTED"
            and not Posting.objects.filter(connection__name="tryton").exclude(status="POSTED").exists()
        ),
        seconds=180,
    )
    assert findings(reconcile("R4", "R6", "R7", "R7D", "R9", "R14")) == []
    assert not ExceptionCase.objects.exclude(state="RESOLVED").exists()
