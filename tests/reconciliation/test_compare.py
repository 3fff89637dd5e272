"""The comparison inside PostgreSQL says what the pure decision says, pair by pair, and its sums are right."""

import dataclasses
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finsync.audit.services import recording
from finsync.core.matching.variance import VarianceClass, classify
from finsync.core.money import Money
from reconciliation.controls import ByHand, Control, Held, Measure
from reconciliation.models import Cell, Item, Run, Variance
from reconciliation.services.compare import compare
from reconciliation.services.store import store
from tests.reconciliation.sides import shown

pytestmark = pytest.mark.django_db

TRANSIT, YOUNG, OLD = timedelta(hours=4), timedelta(hours=1), timedelta(hours=9)
NET, TAX = Measure.NET, Measure.TAX
FIGURES = st.integers(-30, 30)

sides = st.fixed_dictionaries({
    "amount": FIGURES, "currency": st.sampled_from(["USD", "USD", "USD", "JPY"]), "period": st.sampled_from(["2026-01", "2026-02"]),
    "state": st.sampled_from(["open", "open", "paid", "void", "draft"]), "version": st.integers(0, 2),
    "net": st.none() | FIGURES, "tax": st.none() | FIGURES, "copies": st.sampled_from([1, 1, 1, 1, 2]),
})  # fmt: skip
# Mostly equal sides: what differs then differs in little.
equal = sides.map(lambda side: (side, side))
close = st.tuples(
    sides, st.dictionaries(st.sampled_from(["amount", "state", "version", "period"]), st.none(), max_size=1)
).map(
    lambda pair: (
        pair[0],
        pair[0]
        | {
            name: {"amount": pair[0]["amount"] + 1, "state": "paid", "version": 1, "period": "2026-01"}[name]
            for name in pair[1]
        },
    )
)
pairs = st.tuples(
    equal | close | st.tuples(st.none() | sides, sides) | st.tuples(sides, st.none()), st.sampled_from([YOUNG, OLD])
)
controls = st.builds(
    Control,
    code=st.just("T1"), title=st.just("Test"), question=st.just("?"), a=st.just(Held(name="A", query="")),
    b=st.just(Held(name="B", query="")), compares=st.frozensets(st.sampled_from(Measure)), transit=st.just(TRANSIT),
    must_be_absent=st.sampled_from([frozenset(), frozenset({"draft"})]),
    may_be_absent=st.sampled_from([frozenset(), frozenset({"void"})]),
    tolerance=st.sampled_from([Decimal(0), Decimal("0.02")]), tolerance_cap=st.just(Decimal(100)),
    by_hand=st.sampled_from([ByHand.NOTHING, ByHand.EVERYTHING_ELSE]), amount_may_lag=st.booleans(),
)  # fmt: skip


def load(control, rows):
    """A run with items: (key, side A or None, side B or None, age) per pair."""
    now = timezone.now()
    with recording("test"):
        run = Run.objects.create(
            control=control.code, window_start=date(2026, 1, 1), window_end=date(2027, 1, 1), requested_by="test"
        )
    items = []
    for key, a, b, age in rows:
        for letter, side in (("A", a), ("B", b)):
            if side is not None:
                items += [item(run, letter, key, side, now - age) for _ in range(side["copies"])]
    Item.objects.bulk_create(items)
    run.items_a, run.items_b = (sum(each.side == letter for each in items) for letter in "AB")
    return run


def item(run, letter, key, side, seen_at):
    return Item(
        run=run, side=letter, system=letter.lower(), key=key, entity="US01", currency=side["currency"], period=side["period"],
        state=side["state"], version=side["version"], amount_minor=side["amount"], net_minor=side["net"], tax_minor=side["tax"],
        seen_at=seen_at,
    )  # fmt: skip


def expected(control, a, b, age):
    """What the pure decision says of a pair, each measure looked at as an amount of its own; the worst stands."""

    def view(side, figure):
        return side and dataclasses.replace(
            shown("invoice", "k", "0", currency=side["currency"], period=side["period"], state=side["state"] if Measure.STATE in control.compares else "",
                  version=side["version"] if Measure.VERSION in control.compares else 0),
            amount=Money(figure, side["currency"]),
        )  # fmt: skip

    figures = [(a and a["amount"], b and b["amount"])]
    for measure in (NET, TAX):
        if measure in control.compares and a and b and None not in (a[measure], b[measure]):
            figures.append((a[measure], b[measure]))
    currency = (a or b)["currency"]
    tolerance = Money(int(control.tolerance * (100 if currency == "USD" else 1)), currency)
    absent = control.must_be_absent if b else control.must_be_absent | control.may_be_absent
    kinds = [
        classify(view(a, left), view(b, right), age=age, sla=control.transit, tolerance=tolerance,
                 count_a=a["copies"] if a else 0, count_b=b["copies"] if b else 0,
                 manual=control.by_hand is ByHand.EVERYTHING_ELSE and b is not None,
                 a_expects_b=not (a and a["state"] in absent), amount_may_lag=control.amount_may_lag).kind
        for left, right in figures
    ]  # fmt: skip
    apart = [kind for kind, (left, right) in zip(kinds, figures, strict=True)
             if left is not None and right is not None and abs(left - right) > tolerance.minor]  # fmt: skip
    rounded = [kind for kind in kinds if kind is VarianceClass.ROUNDING]
    return (apart or rounded or kinds)[0]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(control=controls, drawn=st.lists(pairs, min_size=1, max_size=25))
def test_database_and_pure_decision_give_every_pair_the_same_class(control, drawn):
    rows = [(f"K{number}", a, b, age) for number, ((a, b), age) in enumerate(drawn) if a or b]
    with transaction.atomic():
        run = load(control, rows)
        compare(run, control)
        with database.cursor() as cursor:
            cursor.execute("SELECT key, kind FROM recon_judged")
            found = dict(cursor.fetchall())
        wanted = {key: str(expected(control, a, b, age)) for key, a, b, age in rows}
        assert found == {key: kind for key, kind in wanted.items() if kind != "MATCHED"}
        transaction.set_rollback(True)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(control=controls, drawn=st.lists(pairs, min_size=1, max_size=25))
def test_cells_count_and_sum_what_each_side_shows_per_currency_and_period(control, drawn):
    rows = [(f"K{number}", a, b, age) for number, ((a, b), age) in enumerate(drawn) if a or b]
    uncounted = control.must_be_absent | control.may_be_absent
    counts, totals = defaultdict(lambda: [0, 0]), defaultdict(lambda: [0, 0])
    for _, *pair, _ in rows:
        # A state that is not compared is no state of the pair; the declared controls never mix the two.
        for number, side in enumerate(pair):
            if side and side["state"] not in uncounted:
                counts[side["currency"], side["period"]][number] += side["copies"]
                totals[side["currency"], side["period"]][number] += side["copies"] * side["amount"]
    control = dataclasses.replace(control, compares=control.compares | {Measure.STATE})
    with transaction.atomic(), recording("test"):
        run = load(control, rows)
        compare(run, control)
        store(run, control)
        cells = {(cell.currency, cell.period): cell for cell in Cell.objects.filter(run=run)}
        for place, both in counts.items():
            cell = cells[place]
            assert [cell.count_a, cell.count_b] == both
            assert [cell.total_a_minor, cell.total_b_minor] == totals[place]
            assert cell.variance_minor == totals[place][0] - totals[place][1]
            tied = cell.verdict in ("TIED", "TOLERANCE")
            assert not tied or cell.count_a == cell.count_b, "a tolerance hides no count"
        assert set(cells) >= set(counts)
        transaction.set_rollback(True)


def side(amount, **more):
    plain = {
        "currency": "USD",
        "period": "2026-02",
        "state": "open",
        "version": 0,
        "net": None,
        "tax": None,
        "copies": 1,
    }
    return plain | {"amount": amount} | more


def judge(control, *rows):
    with recording("test"):
        run = load(control, [(f"K{number}", a, b, OLD) for number, (a, b) in enumerate(rows)])
        compare(run, control)
        store(run, control)
    return run


PLAIN = Control(code="T1", title="Test", question="?", a=Held(name="Billing", query=""), b=Held(name="ERP", query=""))
ROUNDED = dataclasses.replace(PLAIN, tolerance=Decimal("0.02"), tolerance_cap=Decimal("0.05"))


def test_drift_up_and_down_are_both_found_even_where_they_cancel_out():
    run = judge(PLAIN, (side(1000), side(900)), (side(1000), side(1100)))
    assert {row.key: row.difference_minor for row in Variance.objects.filter(run=run)} == {"K0": 100, "K1": -100}
    cell = Cell.objects.get(run=run)
    assert (cell.variance_minor, cell.open_variances, cell.verdict) == (0, 2, "VARIANCE")


def test_rounding_within_its_tolerance_is_listed_and_balances():
    run = judge(ROUNDED, (side(1000), side(998)), (side(500), side(500)))
    assert run.variances == 0
    assert (Cell.objects.get(run=run).verdict, Variance.objects.get(run=run).break_class) == ("TOLERANCE", "ROUNDING")


def test_tolerated_differences_beyond_the_cap_of_the_control_are_amounts_that_differ():
    run = judge(ROUNDED, *[(side(1000), side(998))] * 3)
    assert set(Variance.objects.filter(run=run).values_list("break_class", flat=True)) == {"AMOUNT"}
    assert "exceed their cap" in Variance.objects.filter(run=run).first().explanation


def test_currencies_are_never_summed_together():
    run = judge(PLAIN, (side(1000), side(1000, currency="JPY")))
    cells = {
        cell.currency: (cell.total_a_minor, cell.total_b_minor, cell.verdict) for cell in Cell.objects.filter(run=run)
    }
    assert cells == {"USD": (1000, 0, "VARIANCE"), "JPY": (0, 1000, "VARIANCE")}
    assert Variance.objects.get(run=run).explanation == "Billing says USD 10.00, ERP JPY 1,000"


def test_copies_on_both_sides_are_duplicates_although_counts_and_totals_agree():
    run = judge(PLAIN, (side(1000, copies=2), side(1000, copies=2)))
    row = Variance.objects.get(run=run)
    assert (row.break_class, row.explanation) == ("DUPLICATE", "Billing has 2, ERP has 2")
    cell = Cell.objects.get(run=run)
    assert (cell.count_a, cell.count_b, cell.total_a_minor, cell.verdict) == (2, 2, 2000, "VARIANCE")


def test_dates_that_straddle_a_period_end_are_a_cutoff_item_in_both_cells():
    run = judge(PLAIN, (side(1000, period="2026-01"), side(1000)))
    assert Variance.objects.get(run=run).explanation == "Billing has it in 2026-01, ERP in 2026-02"
    assert set(Cell.objects.filter(run=run).values_list("period", "verdict")) == {
        ("2026-01", "IN_TRANSIT"),
        ("2026-02", "IN_TRANSIT"),
    }


def test_net_and_tax_that_differ_under_one_total_are_found():
    control = dataclasses.replace(PLAIN, compares=frozenset({NET, TAX}))
    run = judge(control, (side(1200, net=1000, tax=200), side(1200, net=1100, tax=100)))
    row = Variance.objects.get(run=run)
    assert (row.break_class, row.explanation) == (
        "AMOUNT",
        "Billing says USD 12.00, ERP USD 12.00: the totals agree, net and tax do not",
    )
    assert row.standing.at_risk_minor == 100


def test_system_that_keeps_no_versions_differs_in_none():
    control = dataclasses.replace(PLAIN, compares=frozenset({Measure.VERSION}))
    run = judge(control, (side(1000, version=2, period="2026-01"), side(1000, version=0)))
    assert Variance.objects.get(run=run).break_class == "TIMING_CUTOFF"
