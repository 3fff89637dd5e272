"""Day 45: the amendment reached billing and the ERP, the revenue engine refused it (domain.md 3a, failure view)."""

from datetime import date
from decimal import Decimal
from itertools import accumulate

import pytest
from django.utils import timezone

from connectors.contract import Window
from exceptions_queue.models import ExceptionCase, Occurrence
from finsync.core.money import Money, total
from finsync.core.revenue import recognise
from reconciliation.models import Break, Cell, Variance
from tests import factories as make
from tests import records
from tests.reconciliation.sides import YEAR, run, shown

pytestmark = pytest.mark.story

MONTHS = [f"2026-{month:02d}" for month in range(1, 13)]
AMENDED = date(2026, 2, 14)
UNDERSTATED = [
    "246.58",
    "756.16",
    "1249.31",
    "1758.90",
    "2252.05",
    "2761.64",
    "3271.23",
    "3764.38",
    "4273.97",
    "4767.12",
    "5276.71",
]
ENGINE_DEFERRED = {"2026-01": "10980.82", "2026-02": "10060.27", "2026-03": "9041.10", "2026-04": "8054.79",
                   "2026-11": "1019.18", "2026-12": "0.00"}  # fmt: skip


@pytest.fixture
def signed(systems):
    """Contract C-1001 at version 2 in finsync's book."""
    crm = make.Connection.objects.get(name="salesforce")
    letter = make.letter(crm, "evt-1", "Order", {}, records.DAY_ONE)
    for record in (records.contract(), records.contract(version=2, seats=15, added=5, effective=AMENDED)):
        make.applied(record, letter)
    return systems


def revenue(*pieces):
    """Revenue per month of (net, first day) pieces spread daily to the end of 2026."""
    zero = Money.zero("USD")
    lines = [line for net, start in pieces for line in recognise(Money.of(net, "USD"), start, date(2027, 1, 1))]
    return [total((line.amount for line in lines if line.period.label == month), "USD") or zero for month in MONTHS]


def billed(month):
    return Money.of("12000.00" if month == "2026-01" else "17276.71", "USD")


def show_engine(systems, version):
    pieces = [("12000.00", date(2026, 1, 1)), ("5276.71", AMENDED)][:version]
    earned = revenue(*pieces)
    for month, recognised, so_far in zip(MONTHS, earned, accumulate(earned), strict=True):
        known = billed(month) if version == 2 else billed("2026-01")
        systems.rows["engine", "revenue"].append(row("revenue", month, recognised, version))
        systems.rows["engine", "deferred"].append(row("deferred", month, known - so_far, version))
    systems.show("engine", shown("schedule", "C-1001", "17276.71" if version == 2 else "12000.00", state="active",
                                 version=version, source_id="rs-1", day=AMENDED))  # fmt: skip


def show_ledger(systems, version):
    """Both invoices are posted; revenue is booked as the engine recognises it."""
    earned = revenue(*[("12000.00", date(2026, 1, 1)), ("5276.71", AMENDED)][:version])
    for month, recognised, so_far in zip(MONTHS, earned, accumulate(earned), strict=True):
        systems.rows["tryton", "revenue"].append(row("revenue", month, recognised, 0))
        balance = row("deferred", month, billed(month) - so_far, 0, facts={"scope": "contract"})
        entity = row("deferred", month, billed(month) - so_far, 0, key=f"US01|{month}", facts={"scope": "entity"})
        systems.rows["tryton", "deferred"] += [balance, entity]


def row(object, month, amount, version, key="", **more):
    return shown(
        object, key or f"C-1001|{month}", str(amount.major), period=month, version=version, state="posted", **more
    )


def show_invoices(systems):
    for system in ("stripe", "tryton"):
        systems.show(
            system,
            shown(
                "invoice",
                "INV-1",
                "12990.00",
                net="12000.00",
                tax="990.00",
                version=1,
                state="paid",
                day=date(2026, 1, 1),
            ),
            shown("invoice", "INV-2", "5712.04", net="5276.71", tax="435.33", version=2, day=AMENDED),
        )


def reconcile():
    return {code: run(code) for code in ("R4", "R7D", "R7", "R6")}


def test_engine_without_the_amendment_is_one_case_with_both_amounts_and_the_remedy(signed):
    show_invoices(signed)
    show_engine(signed, 1)
    show_ledger(signed, 1)

    runs = reconcile()

    assert (runs["R4"].state, runs["R4"].items_a, runs["R4"].items_b) == ("BALANCED", 2, 2)
    pair = Variance.objects.get(run=runs["R6"])
    assert (pair.version_a, pair.version_b, pair.break_class) == (2, 1, "AMOUNT")
    assert (pair.amount_a_minor, pair.amount_b_minor) == (1_727_671, 1_200_000)
    deferred = Variance.objects.filter(run=runs["R7D"]).order_by("key")
    assert {each.key: each.difference_minor for each in deferred} == {
        f"C-1001|{month}": -527_671 for month in MONTHS[1:]
    }
    cells = {cell.period: cell for cell in Cell.objects.filter(run=runs["R7D"])}
    assert [cell.verdict for _, cell in sorted(cells.items())] == ["TIED", *["VARIANCE"] * 11]
    assert {month: f"{Decimal(cells[month].total_a_minor) / 100:.2f}" for month in ENGINE_DEFERRED} == ENGINE_DEFERRED
    assert runs["R7"].state == "BALANCED", "the ledger books what the engine recognises: no revenue control sees it"

    case = ExceptionCase.objects.get()
    assert (case.code, case.currency, case.amount_at_risk_minor) == ("REV_SCHEDULE_STALE", "USD", 527_671)
    assert "USD 17,276.71" in case.explanation and "USD 12,000.00" in case.explanation
    assert case.remedy == "Replay amendment v2 to the revenue engine."
    assert case.facts["understated"] == dict(zip(MONTHS[1:], UNDERSTATED, strict=True))
    assert (case.facts["unscheduled"], case.facts["executed_version"]) == ("5276.71", 1)
    assert case.open_count == 12, "the pair of versions and eleven month ends stand in one case"


def test_replayed_amendment_balances_every_control_and_closes_the_case(signed):
    show_invoices(signed)
    show_engine(signed, 1)
    show_ledger(signed, 1)
    reconcile()
    for system in ("engine", "tryton"):
        for object in ("revenue", "deferred", "schedule"):
            signed.rows[system, object].clear()
    show_engine(signed, 2)
    show_ledger(signed, 2)

    runs = reconcile()

    assert {code: each.state for code, each in runs.items()} == dict.fromkeys(runs, "BALANCED")
    case = ExceptionCase.objects.get()
    assert case.state == "RESOLVED" and case.resolution.startswith("Resolved by later evidence")
    assert not Occurrence.objects.filter(cleared_at=None).exists()
    assert not Break.objects.filter(cleared_at=None).exists()


def test_amendment_on_its_way_to_the_engine_is_in_transit_and_no_case(signed):
    change = make.CanonicalChange.objects.get(business_key="contract:US01:C-1001:v2")
    record = records.contract(version=2, seats=15, added=5, effective=AMENDED)
    engine = make.Connection.objects.get(name="engine")
    posting = make.posting(change, record, engine, make.DocType.REVENUE_CONTRACT, None)
    make.Posting.objects.filter(pk=posting.pk).update(created_at=timezone.now())
    show_engine(signed, 1)

    assert Variance.objects.get(run=run("R6")).break_class == "IN_TRANSIT"
    assert not ExceptionCase.objects.exists()


def test_amendment_of_the_second_legal_entity_is_a_case_of_its_own(signed):
    crm = make.Connection.objects.get(name="salesforce")
    letter = make.letter(crm, "evt-2", "Order", {}, records.DAY_ONE)
    for record in (
        records.contract("C-2001", entity="UK01"),
        records.contract("C-2001", 2, entity="UK01", seats=15, added=5, effective=AMENDED),
    ):
        make.applied(record, letter)
    show_engine(signed, 1)
    signed.rows["engine", "schedule"].append(
        shown("schedule", "C-2001", "12000.00", entity="UK01", currency="GBP", state="active", version=1, day=AMENDED)
    )

    ended = run("R6", Window(start=YEAR.start, end=date(2026, 3, 1)))

    cells = {(cell.entity, cell.currency): cell.variance_minor for cell in Cell.objects.filter(run=ended)}
    assert cells == {("US01", "USD"): 527_671, ("UK01", "GBP"): 527_671}
    at_risk = dict(ExceptionCase.objects.values_list("currency", "amount_at_risk_minor"))
    assert at_risk == {"USD": 527_671, "GBP": 527_671}


def test_contract_the_engine_never_got_is_a_missing_schedule(signed):
    run("R6")
    case = ExceptionCase.objects.get()
    assert (case.code, case.amount_at_risk_minor) == ("REV_SCHEDULE_MISSING", 1_727_671)
    assert case.remedy == "Replay version 1 to the revenue engine."
