"""One root cause is one case, whatever differs between its occurrences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.fingerprint import DIMENSIONS, fingerprint, normalise_error
from finsync.core.reasons import REASONS

texts = st.text(max_size=20)


def test_every_reason_has_root_cause_dimensions():
    assert set(DIMENSIONS) == set(REASONS)


def test_fingerprint_never_changes_between_releases():
    assert fingerprint("MDM_ACCOUNT_UNMAPPED", account="A1") == "28e358904b23e2dcde05e3526be2363a"


@given(st.dictionaries(texts, texts, max_size=5), st.randoms())
def test_order_of_inputs_does_not_matter(inputs, random):
    names = list(inputs)
    random.shuffle(names)
    turned = {name: inputs[name] for name in names}
    one = fingerprint("MAPPING_MISSING", mapping_set="ar_control", inputs=inputs)
    assert one == fingerprint("MAPPING_MISSING", inputs=turned, mapping_set="ar_control")


@given(texts, texts)
def test_different_causes_are_different_cases(one, other):
    same = fingerprint("MDM_ACCOUNT_UNMAPPED", account=one) == fingerprint("MDM_ACCOUNT_UNMAPPED", account=other)
    assert same == (one == other)


def test_boundary_between_values_counts():
    assert fingerprint("ERP_PERIOD_CLOSED", entity="US", period="012026-01") != fingerprint(
        "ERP_PERIOD_CLOSED", entity="US01", period="2026-01"
    )


def test_same_refusal_of_ten_thousand_invoices_is_one_case():
    found = {
        fingerprint(
            "ERP_POST_REJECTED",
            connection="tryton-us",
            error=f"Invoice INV-{n} of {n},712.04 USD on 2026-02-{n % 28 + 1:02d}: party #{n} has no account receivable.",
        )
        for n in range(1, 200)
    }
    assert len(found) == 1


def test_different_refusals_stay_apart():
    refusals = ["The period is closed.", "The party has no account receivable.", "The tax code is unknown."]
    assert len({fingerprint("ERP_POST_REJECTED", connection="tryton", error=text) for text in refusals}) == 3


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Closed at 2026-02-14T10:00:00Z", "closed at <date>"),
        ("id 3f2b8c1e-0000-4aaa-8bbb-123456789abc  gone", "id <id> gone"),
        ("ref fsab23cd not unique", "ref <id> not unique"),
        ("1.234,56 EUR over limit", "<n> eur over limit"),
        ("on 14.02.2026", "on <date>"),
    ],
)
def test_ids_amounts_and_dates_are_stripped(text, normal):
    assert normalise_error(text) == normal


@given(st.text(max_size=200))
def test_normalising_is_total(text):
    assert isinstance(normalise_error(text), str)


def test_missing_or_surplus_dimension_is_refused():
    with pytest.raises(TypeError, match="entity, period"):
        fingerprint("ERP_PERIOD_CLOSED", entity="US01")
    with pytest.raises(TypeError, match="account"):
        fingerprint("MDM_ACCOUNT_UNMAPPED", account="A1", invoice="INV-1")
    with pytest.raises(KeyError):
        fingerprint("NO_SUCH_CODE")
