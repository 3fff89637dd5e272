"""From facts and amounts to a balanced journal, or to a refusal that names what is missing; never a guess."""

from hypothesis import given
from hypothesis import strategies as st

from finsync.core.mapping.document import parse_mapping_set, parse_rule_set
from finsync.core.mapping.evaluate import Evaluated, Item, Refused, evaluate, lookup
from finsync.core.mapping.vocabulary import Per
from finsync.core.money import Money
from finsync.core.reasons import REASONS

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
FACTS = {
    "entity": "US01", "currency": "USD", "account_id": "A-1", "billing_system": "stripe",
    "revenue_treatment": "deferred", "document_date": "2026-02-14", "taxed": True,
}  # fmt: skip


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def expansion(**changed_facts):
    """The day-45 invoice of the worked example: 5,276.71 net, 435.33 tax."""
    lines = [
        Item(Per.LINE, "il_1", {"product": "SEAT"}, {"net": usd("5276.71")}),
        Item(Per.TAX, "tx_1", {"product": "SEAT", "jurisdiction": "US-TX"}, {"tax": usd("435.33")}),
    ]
    amounts = {"gross": usd("5712.04"), "net": usd("5276.71"), "tax": usd("435.33")}
    return evaluate(parse_rule_set(RULES), SETS, {**FACTS, **changed_facts}, amounts, lines)


def test_day_45_invoice_makes_the_journal_of_the_worked_example():
    result = expansion()
    assert isinstance(result, Evaluated)
    assert [(line.side.value, line.account, line.amount) for line in result.lines] == [
        ("DR", "1100", usd("5712.04")),
        ("CR", "2100", usd("5276.71")),
        ("CR", "2200", usd("435.33")),
    ]
    assert [(line.mapping_set, line.row_id) for line in result.lines] == [
        ("ar_control", "M001"),
        ("", ""),
        ("tax_payable", "T001"),
    ]
    assert [line.source_line for line in result.lines] == ["", "il_1", "tx_1"]
    assert result.lines[1].dimensions == (("product", "SEAT"),)
    assert "R010" in result.explanation and "M001" in result.explanation


def test_unknown_entity_is_refused_and_named_and_no_default_account_is_used():
    result = expansion(entity="DE01")
    assert isinstance(result, Refused)
    assert (result.code, result.missing_input, result.mapping_set) == ("MAPPING_MISSING", "entity", "invoice.issued")
    assert result.inputs["entity"] == "DE01"
    assert "DE01" in result.detail and "R010 wants entity in US01, UK01" in result.detail


def test_missing_tax_row_is_refused_with_the_inputs_that_lack_it():
    sets = {**SETS, "tax_payable": parse_mapping_set({**TAX, "rows": TAX["rows"][1:]})}
    lines = [
        Item(Per.LINE, "l", {"product": "S"}, {"net": usd("1")}),
        Item(Per.TAX, "t", {"jurisdiction": "US-TX"}, {"tax": usd("1")}),
    ]
    result = evaluate(parse_rule_set(RULES), sets, FACTS, {"gross": usd("2"), "net": usd("1"), "tax": usd("1")}, lines)
    assert isinstance(result, Refused)
    assert (result.code, result.mapping_set) == ("MAPPING_MISSING", "tax_payable")
    assert result.inputs == {"entity": "US01", "jurisdiction": "US-TX"}


def test_two_rules_that_hit_are_ambiguous():
    second = {**RULES["rules"][0], "id": "R020", "when": [["entity", "eq", "US01"]]}
    both = parse_rule_set({**RULES, "rules": [*RULES["rules"], second]})
    result = evaluate(both, SETS, FACTS, {})
    assert isinstance(result, Refused) and result.code == "MAPPING_AMBIGUOUS" and "R010, R020" in result.detail


def test_two_rows_that_hit_are_ambiguous_even_with_equal_values():
    rows = [*AR["rows"], {"id": "M003", "when": {}, "value": "1100"}]
    result = lookup(parse_mapping_set({**AR, "rows": rows}), {"entity": "US01"})
    assert isinstance(result, Refused) and result.code == "MAPPING_AMBIGUOUS"


def test_untaxed_document_needs_no_tax_mapping():
    zero, hundred = usd("0"), usd("100")
    lines = [
        Item(Per.LINE, "l", {"product": "S"}, {"net": hundred}),
        Item(Per.TAX, "t", {"jurisdiction": "MOON"}, {"tax": zero}),
    ]
    result = evaluate(parse_rule_set(RULES), SETS, FACTS, {"gross": hundred, "net": hundred, "tax": zero}, lines)
    assert isinstance(result, Evaluated) and [line.account for line in result.lines] == ["1100", "2100"]


def test_negative_proration_line_turns_its_side_round():
    lines = [
        Item(Per.LINE, "credit", {"product": "S"}, {"net": usd("-40")}),
        Item(Per.LINE, "charge", {"product": "S"}, {"net": usd("100")}),
    ]
    result = evaluate(
        parse_rule_set(RULES), SETS, FACTS, {"gross": usd("60"), "net": usd("60"), "tax": usd("0")}, lines
    )
    assert isinstance(result, Evaluated)
    assert [(line.side.value, line.amount) for line in result.lines] == [
        ("DR", usd("60")),
        ("DR", usd("40")),
        ("CR", usd("100")),
    ]


def test_lines_that_do_not_sum_to_the_document_are_refused_as_unbalanced():
    lines = [Item(Per.LINE, "l", {"product": "S"}, {"net": usd("99")})]
    result = evaluate(
        parse_rule_set(RULES), SETS, FACTS, {"gross": usd("100"), "net": usd("100"), "tax": usd("0")}, lines
    )
    assert isinstance(result, Refused) and result.code == "ERP_UNBALANCED_JE" and "1.00" in result.detail


def test_amount_the_document_does_not_state_is_refused():
    result = evaluate(parse_rule_set(RULES), SETS, FACTS, {})
    assert isinstance(result, Refused) and (result.code, result.missing_input) == ("MAPPING_MISSING", "gross")


def test_absent_fact_in_a_dimension_is_refused():
    lines = [Item(Per.LINE, "l", {}, {"net": usd("1")})]
    result = evaluate(parse_rule_set(RULES), SETS, FACTS, {"gross": usd("1"), "net": usd("1"), "tax": usd("0")}, lines)
    assert isinstance(result, Refused) and result.missing_input == "product"


def test_mapping_set_without_approved_version_is_refused():
    result = evaluate(parse_rule_set(RULES), {}, FACTS, {"gross": usd("1")})
    assert isinstance(result, Refused) and (result.code, result.mapping_set) == ("MAPPING_MISSING", "ar_control")


def test_text_one_number_one_and_true_are_three_things():
    mapping_set = parse_mapping_set({**AR, "inputs": ["x"], "rows": [
        {"id": "text", "when": {"x": "1"}, "value": "t"}, {"id": "number", "when": {"x": 1}, "value": "n"},
        {"id": "truth", "when": {"x": True}, "value": "b"}]})  # fmt: skip
    assert [lookup(mapping_set, {"x": value}).row_id for value in ("1", 1, True)] == ["text", "number", "truth"]


minor = st.integers(-10_000, 10_000)
amount_names = st.sampled_from(["gross", "net", "tax"])
rule_lines = st.lists(
    st.fixed_dictionaries({
        "side": st.sampled_from(["DR", "CR"]),
        "account": st.sampled_from(["1", {"fact": "entity"}, {"mapping_set": "ar_control", "by": ["entity"]}]),
        "amount": amount_names,
        "per": st.sampled_from(["document", "line", "tax"]),
    }),
    min_size=1, max_size=6,
)  # fmt: skip


@given(
    rule_lines,
    st.fixed_dictionaries({n: minor for n in ("gross", "net", "tax")}),
    st.lists(st.tuples(st.sampled_from([Per.LINE, Per.TAX]), minor), max_size=4),
)
def test_whatever_the_rules_the_lines_made_balance(lines, amounts, items):
    rules = parse_rule_set({**RULES, "rules": [{"id": "R", "when": [], "lines": lines}]})
    stated = {name: Money(value, "USD") for name, value in amounts.items()}
    parts = [
        Item(per, str(n), {}, dict.fromkeys(("gross", "net", "tax"), Money(v, "EUR" if n % 2 else "USD")))
        for n, (per, v) in enumerate(items)
    ]
    result = evaluate(rules, SETS, FACTS, stated, parts)
    if isinstance(result, Refused):
        assert result.code in REASONS
        return
    for currency in ("USD", "EUR"):
        sums = {
            side: sum(
                line.amount.minor for line in result.lines if (line.side, line.amount.currency) == (side, currency)
            )
            for side in ("DR", "CR")
        }
        assert sums["DR"] == sums["CR"]
    assert all(line.amount.minor > 0 for line in result.lines)


parts_of = st.lists(st.tuples(minor, st.lists(minor, max_size=3)), min_size=1, max_size=4)


@given(parts_of)
def test_rules_that_pass_the_static_check_balance_for_any_consistent_document(document):
    """The promise of the static balance check: it speaks for every document whose identities hold."""
    items, net, tax = [], 0, 0
    for number, (line_net, taxes) in enumerate(document):
        items.append(Item(Per.LINE, f"l{number}", {"product": "S"}, {"net": Money(line_net, "USD")}))
        items += [
            Item(Per.TAX, f"t{number}-{n}", {"jurisdiction": "US-TX"}, {"tax": Money(t, "USD")})
            for n, t in enumerate(taxes)
        ]
        net, tax = net + line_net, tax + sum(taxes)
    amounts = {"gross": Money(net + tax, "USD"), "net": Money(net, "USD"), "tax": Money(tax, "USD")}
    assert isinstance(evaluate(parse_rule_set(RULES), SETS, FACTS, amounts, items), Evaluated)
