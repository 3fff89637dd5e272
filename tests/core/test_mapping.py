"""Posting rules as data: read strictly, checked before approval, compared field by field."""

import copy

import pytest

from finsync.core.mapping.diff import diff_mapping_sets, diff_rule_sets
from finsync.core.mapping.document import (
    mapping_set_to_json,
    parse_mapping_set,
    parse_rule_set,
    rule_set_to_json,
)
from finsync.core.mapping.reading import DocumentError
from finsync.core.mapping.validate import Problem, validate_mapping_set, validate_rule_set

RULES = {
    "schema": "finsync.rules/1", "event": "invoice.issued", "hit_policy": "UNIQUE",
    "rules": [
        {"id": "R010", "when": [["entity", "in", ["US01", "UK01"]], ["revenue_treatment", "eq", "deferred"]],
         "lines": [
             {"side": "DR", "account": {"mapping_set": "ar_control", "by": ["entity"]}, "amount": "gross"},
             {"side": "CR", "account": "2100", "amount": "net", "per": "line", "dimensions": {"product": {"fact": "product"}}},
             {"side": "CR", "account": {"mapping_set": "tax_payable", "by": ["entity", "jurisdiction"]}, "amount": "tax", "per": "tax"},
         ]},
    ],
}  # fmt: skip
AR = {
    "schema": "finsync.mapping-set/1", "name": "ar_control", "inputs": ["entity"],
    "rows": [{"id": "M001", "when": {"entity": "US01"}, "value": "1100"},
             {"id": "M002", "when": {"entity": "UK01"}, "value": "1105"}],
}  # fmt: skip
TAX = {
    "schema": "finsync.mapping-set/1", "name": "tax_payable", "inputs": ["entity", "jurisdiction"],
    "rows": [{"id": "T001", "when": {"entity": "US01", "jurisdiction": ["US-TX", "US-NY"]}, "value": "2200"},
             {"id": "T002", "when": {"entity": "UK01"}, "value": "2210"}],
}  # fmt: skip
SETS = {"ar_control": parse_mapping_set(AR), "tax_payable": parse_mapping_set(TAX)}


def with_change(document, path, value):
    """A copy of a document with one value replaced, or removed where the value is None."""
    changed = copy.deepcopy(document)
    *parents, last = path
    target = changed
    for key in parents:
        target = target[key]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return changed


# --- reading


def test_document_survives_reading_and_writing():
    assert rule_set_to_json(parse_rule_set(RULES)) == RULES
    assert mapping_set_to_json(SETS["tax_payable"]) == TAX


def test_content_hash_ignores_key_order_and_sees_every_value():
    turned = dict(reversed(list(RULES.items())))
    assert parse_rule_set(turned).content_hash == parse_rule_set(RULES).content_hash
    other = with_change(RULES, ["rules", 0, "lines", 1, "account"], "2101")
    assert parse_rule_set(other).content_hash != parse_rule_set(RULES).content_hash


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["schema"], "finsync.rules/2", "schema"),
        (["hit_policy"], "FIRST", "hit_policy"),
        (["default_account"], "9999", r"\$\.default_account"),
        (["rules", 0, "whenn"], [], r"rules\[0\]\.whenn"),
        (["rules", 0, "when", 0, 1], "like", r"rules\[0\]\.when\[0\]\[1\]"),
        (["rules", 0, "when", 0, 2], [], r"rules\[0\]\.when\[0\]\[2\]"),
        (["rules", 0, "when", 0, 2], ["US01", 1], "one kind only"),
        (["rules", 0, "when", 1], ["country", "present", "x"], "takes no value"),
        (["rules", 0, "when", 1, 2], 1.5, "whole number"),
        (["rules", 0, "when", 1, 2], "", "non-empty"),
        (["rules", 0, "lines", 0, "side"], "DEBIT", r"lines\[0\]\.side"),
        (["rules", 0, "lines", 0, "amount"], None, r"lines\[0\]\.amount: missing"),
        (["rules", 0, "lines", 0, "account"], {"mapping_set": "ar_control"}, r"account\.by: missing"),
        (["rules", 0, "lines", 1, "per"], "cent", r"lines\[1\]\.per"),
        (["rules", 0, "lines"], [], "at least one line"),
    ],
)
def test_unreadable_document_is_refused_with_its_path(path, value, named):
    with pytest.raises(DocumentError, match=named):
        parse_rule_set(with_change(RULES, path, value))


def test_rule_id_used_twice_is_refused():
    twice = {**RULES, "rules": RULES["rules"] * 2}
    with pytest.raises(DocumentError, match=r"rules\[1\]\.id: 'R010' is used twice"):
        parse_rule_set(twice)


def test_mapping_row_naming_a_foreign_input_is_refused():
    with pytest.raises(DocumentError, match=r"rows\[0\]\.when\.entitty"):
        parse_mapping_set(with_change(AR, ["rows", 0, "when"], {"entitty": "US01"}))


# --- validating


def test_good_documents_have_no_findings():
    assert validate_rule_set(parse_rule_set(RULES), SETS) == ()
    assert [validate_mapping_set(mapping_set) for mapping_set in SETS.values()] == [(), ()]


@pytest.mark.parametrize(
    ("path", "value", "problem", "where"),
    [
        (["event"], "invoice.isued", Problem.UNKNOWN_EVENT, "event"),
        (["rules", 0, "when", 0, 0], "entitty", Problem.UNKNOWN_FACT, "rules[0].when[0]"),
        (["rules", 0, "when", 0, 0], "jurisdiction", Problem.UNKNOWN_FACT, "rules[0].when[0]"),
        (["rules", 0, "when", 1, 2], "defered", Problem.WRONG_VALUE, "rules[0].when[1]"),
        (["rules", 0, "when", 1], ["taxed", "eq", "yes"], Problem.WRONG_VALUE, "rules[0].when[1]"),
        (["rules", 0, "when", 1], ["document_date", "eq", "2026-2-1"], Problem.WRONG_VALUE, "rules[0].when[1]"),
        (["rules", 0, "when", 1], ["entity", "between", ["A", "B"]], Problem.WRONG_OPERATOR, "rules[0].when[1]"),
        (["rules", 0, "when", 1], ["entity", "absent"], Problem.WRONG_OPERATOR, "rules[0].when[1]"),
        (["rules", 0, "lines", 0, "amount"], "gros", Problem.UNKNOWN_AMOUNT, "rules[0].lines[0].amount"),
        (
            ["rules", 0, "lines", 0, "account", "mapping_set"],
            "ar",
            Problem.UNKNOWN_MAPPING_SET,
            "rules[0].lines[0].account",
        ),
        (["rules", 0, "lines", 0, "account", "by"], ["currency"], Problem.INPUTS_DIFFER, "rules[0].lines[0].account"),
        (["rules", 0, "lines", 2, "per"], "line", Problem.UNKNOWN_FACT, "rules[0].lines[2].account"),
        (["rules", 0, "lines", 2], None, Problem.UNBALANCED, "rules[0].lines"),
        (["rules", 0, "lines", 1, "side"], "DR", Problem.UNBALANCED, "rules[0].lines"),
        (["rules", 0, "lines", 0, "amount"], "net", Problem.UNBALANCED, "rules[0].lines"),
    ],
)
def test_typo_or_imbalance_is_a_finding_with_its_path(path, value, problem, where):
    findings = validate_rule_set(parse_rule_set(with_change(RULES, path, value)), SETS)
    assert (problem, where) in [(finding.problem, finding.path) for finding in findings]


def test_imbalance_names_the_part_that_is_too_much():
    findings = validate_rule_set(parse_rule_set(with_change(RULES, ["rules", 0, "lines", 2], None)), SETS)
    assert [finding.message for finding in findings] == ["debits exceed credits by tax"]


def test_payment_settled_net_balances_because_gross_is_net_plus_fee():
    rules = {"schema": "finsync.rules/1", "event": "payment.captured", "hit_policy": "UNIQUE", "rules": [
        {"id": "P1", "when": [], "lines": [
            {"side": "DR", "account": "1050", "amount": "net"}, {"side": "DR", "account": "6100", "amount": "fee"},
            {"side": "CR", "account": "2300", "amount": "gross"}]}]}  # fmt: skip
    assert validate_rule_set(parse_rule_set(rules), {}) == ()


def test_mapping_set_with_an_undeclared_input_is_a_finding():
    findings = validate_mapping_set(parse_mapping_set({**AR, "inputs": ["entity", "colour"]}))
    assert [(finding.problem, finding.path) for finding in findings] == [(Problem.UNKNOWN_FACT, "inputs[1]")]


# --- comparing


def test_difference_names_added_removed_and_changed_rules_by_field():
    other = with_change(RULES, ["rules", 0, "lines", 1, "account"], "2101")
    other["rules"].append({**RULES["rules"][0], "id": "R020"})
    diff = diff_rule_sets(parse_rule_set(RULES), parse_rule_set(other))
    assert (diff.added, diff.removed) == (("R020",), ())
    assert [(change.id, [(f.path, f.before, f.after) for f in change.fields]) for change in diff.changed] == [
        ("R010", [("lines[1].account", "2100", "2101")])
    ]


def test_order_of_rows_is_no_difference():
    turned = {**AR, "rows": AR["rows"][::-1]}
    assert diff_mapping_sets(SETS["ar_control"], parse_mapping_set(turned)).is_empty


def test_new_input_of_a_row_is_a_difference_with_nothing_before():
    other = with_change(TAX, ["rows", 1, "when"], {"entity": "UK01", "jurisdiction": "GB"})
    diff = diff_mapping_sets(SETS["tax_payable"], parse_mapping_set(other))
    assert [(f.path, f.before, f.after) for f in diff.changed[0].fields] == [("when.jurisdiction", None, "GB")]
