"""Overlaps and gaps are decided, not sampled: compared with brute force over every combination of facts."""

import itertools
from datetime import date, timedelta
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st

from finsync.core.mapping.document import (
    Condition,
    Constant,
    MappingRow,
    MappingSet,
    Operator,
    Rule,
    RuleLine,
    RuleSet,
    Side,
    parse_mapping_set,
)
from finsync.core.mapping.evaluate import holds
from finsync.core.mapping.overlap import FindingKind, find_in_mapping_set, find_in_rule_set

# Three kinds of facts of invoice.issued: open text, closed text, and an optional number with intervals.
ENTITIES = ["DE01", "UK01", "US01"]
TREATMENTS = ["deferred", "immediate", "mixed"]
VERSIONS = [1, 2, 3, 4, 5]
SPACE = [
    {"entity": e, "revenue_treatment": r, "contract_version": v, "taxed": t}
    for e, r, v, t in itertools.product(ENTITIES, TREATMENTS, [None, *VERSIONS], [True, False])
]
DOMAINS = {"entity": ENTITIES, "contract_version": VERSIONS}


def _in(fact, values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=len(values), unique=True).map(
        lambda chosen: Condition(fact, Operator.IN, tuple(chosen))
    )


conditions = st.one_of(
    _in("entity", ENTITIES),
    st.sampled_from(TREATMENTS).map(lambda value: Condition("revenue_treatment", Operator.EQ, (value,))),
    st.booleans().map(lambda value: Condition("taxed", Operator.EQ, (value,))),
    st.tuples(st.sampled_from(VERSIONS), st.sampled_from(VERSIONS)).map(
        lambda ends: Condition("contract_version", Operator.BETWEEN, tuple(sorted(ends)))
    ),
    _in("contract_version", VERSIONS),
    st.sampled_from([Operator.PRESENT, Operator.ABSENT]).map(lambda operator: Condition("contract_version", operator)),
)
LINES = (RuleLine(Side.DR, Constant("1"), "net"), RuleLine(Side.CR, Constant("2"), "net"))
rule_sets = st.lists(st.lists(conditions, max_size=4), max_size=5).map(
    lambda whens: RuleSet("invoice.issued", tuple(Rule(f"R{n}", tuple(when), LINES) for n, when in enumerate(whens)))
)


def hits(rule_set, facts):
    return [rule.id for rule in rule_set.rules if all(holds(condition, facts) for condition in rule.when)]


def rows_of(findings, kind):
    return {finding.rows for finding in findings if finding.kind is kind}


@settings(max_examples=400)
@given(rule_sets)
def test_overlap_is_found_exactly_when_some_facts_hit_two_rules(rule_set):
    findings = find_in_rule_set(rule_set, DOMAINS)
    truly = {pair for facts in SPACE for pair in itertools.combinations(hits(rule_set, facts), 2)}
    assert rows_of(findings, FindingKind.OVERLAP) == truly
    for finding in findings:
        if finding.kind is FindingKind.OVERLAP:
            assert set(finding.rows) <= set(
                hits(rule_set, {"revenue_treatment": "deferred", "taxed": True, **finding.witness})
            )


@settings(max_examples=400)
@given(rule_sets)
def test_gap_is_found_exactly_when_some_facts_hit_no_rule(rule_set):
    gaps = [finding for finding in find_in_rule_set(rule_set, DOMAINS) if finding.kind is FindingKind.GAP]
    uncovered = [facts for facts in SPACE if not hits(rule_set, facts)]
    assert bool(gaps) == bool(uncovered)
    for gap in gaps:
        assert [facts for facts in SPACE if facts.items() >= gap.witness.items()]
        assert not any(hits(rule_set, facts) for facts in SPACE if facts.items() >= gap.witness.items())


@given(rule_sets)
def test_dead_rule_is_found_exactly_when_no_facts_hit_it(rule_set):
    alive = {identifier for facts in SPACE for identifier in hits(rule_set, facts)}
    dead = {(rule.id,) for rule in rule_set.rules if rule.id not in alive}
    assert rows_of(find_in_rule_set(rule_set, DOMAINS), FindingKind.NEVER_HITS) == dead


def mapping_set(*rows, inputs=("entity", "jurisdiction")):
    return parse_mapping_set({
        "schema": "finsync.mapping-set/1", "name": "s", "inputs": list(inputs),
        "rows": [{"id": f"M{n}", "when": when, "value": "1"} for n, when in enumerate(rows)],
    })  # fmt: skip


def test_row_without_an_input_overlaps_the_row_with_it():
    findings = find_in_mapping_set(mapping_set({"entity": "US01"}, {"entity": "US01", "jurisdiction": "US-TX"}))
    overlap = next(finding for finding in findings if finding.kind is FindingKind.OVERLAP)
    assert overlap.rows == ("M0", "M1")
    assert overlap.witness == {"entity": "US01", "jurisdiction": "US-TX"}


def test_entity_that_exists_but_has_no_row_is_a_gap():
    findings = find_in_mapping_set(mapping_set({"entity": "US01"}, inputs=["entity"]), {"entity": ["US01", "UK01"]})
    assert [(finding.kind, finding.witness) for finding in findings] == [(FindingKind.GAP, {"entity": "UK01"})]


def test_complete_table_has_no_findings():
    assert find_in_mapping_set(mapping_set({"entity": "US01"}, {"entity": "UK01"}, inputs=["entity"])) == ()


def test_empty_table_covers_nothing():
    assert [finding.kind for finding in find_in_mapping_set(mapping_set())] == [FindingKind.GAP]


def test_hole_between_two_date_ranges_is_a_gap_with_its_first_day():
    findings = find_in_mapping_set(
        mapping_set({"document_date": {"between": ["2026-01-01", "2026-01-31"]}},
                    {"document_date": {"between": ["2026-02-02", "9999-12-31"]}}, inputs=["document_date"])
    )  # fmt: skip
    assert [(finding.kind, finding.witness) for finding in findings] == [
        (FindingKind.GAP, {"document_date": "2026-02-01"})
    ]


def test_adjoining_date_ranges_neither_overlap_nor_leave_a_gap():
    days = [date(2026, month, 1) for month in range(1, 6)]
    rows = [
        {"document_date": {"between": [start.isoformat(), (end - timedelta(days=1)).isoformat()]}}
        for start, end in itertools.pairwise(days)
    ]
    assert find_in_mapping_set(mapping_set(*rows, inputs=["document_date"])) == ()


def test_many_gaps_are_named_up_to_a_limit_and_then_said_to_be_more():
    entities = [f"E{n:03d}" for n in range(500)]
    findings = find_in_mapping_set(mapping_set({"entity": "E000"}, inputs=["entity"]), {"entity": entities})
    assert len(findings) == 51 and findings[-1].kind is FindingKind.NOT_PROVEN


def test_a_thousand_rows_are_checked_in_well_under_a_few_seconds():
    rows = [
        MappingRow(f"M{e}-{p}", (Condition("entity", Operator.EQ, (f"E{e}",)), Condition("product", Operator.EQ, (f"P{p}",))), "1")
        for e in range(20) for p in range(50)
    ]  # fmt: skip
    started = perf_counter()
    assert find_in_mapping_set(MappingSet("big", ("entity", "product"), tuple(rows))) == ()
    assert perf_counter() - started < 5
