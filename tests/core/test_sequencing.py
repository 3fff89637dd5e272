"""Whatever the order of arrival, an aggregate ends where in-order delivery would have brought it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.sequencing import MISSING_NAMED_MAX, Arrival, Decision, Verdict, VersionKind, decide, replay

CONTIGUOUS, MONOTONE, TIMESTAMP = VersionKind.CONTIGUOUS, VersionKind.MONOTONE, VersionKind.TIMESTAMP


def at(kind: VersionKind, current: int | None, ordinal: int, *, same: bool = False) -> Decision:
    current_hash = None if current is None else "old"
    return decide(
        kind, current_ordinal=current, current_hash=current_hash, ordinal=ordinal, content_hash="old" if same else "new"
    )


@pytest.mark.parametrize(
    ("kind", "current", "ordinal", "same", "verdict"),
    [
        (CONTIGUOUS, None, 1, False, Verdict.APPLY),
        (CONTIGUOUS, None, 2, False, Verdict.GAP),
        (CONTIGUOUS, 1, 2, False, Verdict.APPLY),
        (CONTIGUOUS, 1, 2, True, Verdict.APPLY),
        (CONTIGUOUS, 1, 3, False, Verdict.GAP),
        (CONTIGUOUS, 2, 2, True, Verdict.DUPLICATE),
        (CONTIGUOUS, 2, 2, False, Verdict.CONFLICT),
        (CONTIGUOUS, 2, 1, False, Verdict.STALE),
        (CONTIGUOUS, 2, 0, False, Verdict.CONFLICT),
        (MONOTONE, None, 77, False, Verdict.APPLY),
        (MONOTONE, 5, 9, False, Verdict.APPLY),
        (MONOTONE, 5, 5, True, Verdict.DUPLICATE),
        (MONOTONE, 5, 5, False, Verdict.CONFLICT),
        (MONOTONE, 5, 4, False, Verdict.STALE),
        (TIMESTAMP, None, 1_000, False, Verdict.APPLY),
        (TIMESTAMP, 1_000, 2_000, False, Verdict.APPLY),
        (TIMESTAMP, 1_000, 2_000, True, Verdict.DUPLICATE),
        (TIMESTAMP, 1_000, 1_000, True, Verdict.DUPLICATE),
        (TIMESTAMP, 1_000, 1_000, False, Verdict.REFETCH),
        (TIMESTAMP, 1_000, 500, False, Verdict.STALE),
    ],
)
def test_verdict_by_kind(kind, current, ordinal, same, verdict):
    decision = at(kind, current, ordinal, same=same)
    assert decision.verdict is verdict
    assert decision.explanation


def test_gap_names_the_missing_versions():
    assert at(CONTIGUOUS, 1, 4).missing == (2, 3)
    assert "versions 2 to 3 are missing" in at(CONTIGUOUS, 1, 4).explanation
    assert at(CONTIGUOUS, None, 2).missing == (1,)


def test_corrupt_ordinal_does_not_list_millions_of_versions():
    assert len(at(CONTIGUOUS, 1, 10**15).missing) == MISSING_NAMED_MAX


def test_half_known_current_state_is_a_programmer_error():
    with pytest.raises(ValueError, match="together"):
        decide(MONOTONE, current_ordinal=1, current_hash=None, ordinal=2, content_hash="x")


def test_unchanged_later_snapshot_still_outdates_what_lies_between():
    replayed = replay(TIMESTAMP, [Arrival(1, "A"), Arrival(5, "A"), Arrival(3, "B")])
    assert replayed.current == Arrival(5, "A")
    assert [arrival.content_hash for arrival in replayed.applied] == ["A"]


def test_day_45_amendment_before_its_contract_waits_for_it():
    held = replay(CONTIGUOUS, [Arrival(2, "expansion")])
    assert held.current is None and held.held == (Arrival(2, "expansion"),)
    healed = replay(CONTIGUOUS, [Arrival(2, "expansion"), Arrival(1, "new")])
    assert healed.applied == (Arrival(1, "new"), Arrival(2, "expansion")) and not healed.held


@st.composite
def shuffled(draw, ordinals):
    """Facts in order, and the same facts duplicated and shuffled."""
    facts = [Arrival(ordinal, f"content {ordinal % 3}") for ordinal in sorted(draw(ordinals))]
    copies = facts + draw(st.lists(st.sampled_from(facts), max_size=12))
    return facts, draw(st.permutations(copies))


@given(shuffled(st.integers(1, 12).map(lambda last: set(range(1, last + 1)))))
def test_any_permutation_with_duplicates_of_a_counted_sequence_applies_all_in_order(case):
    facts, arrivals = case
    replayed = replay(CONTIGUOUS, arrivals)
    assert list(replayed.applied) == facts
    assert not replayed.held and not replayed.refused


@given(shuffled(st.sets(st.integers(1, 500), min_size=1, max_size=12)))
def test_any_permutation_with_duplicates_of_a_growing_sequence_ends_at_the_newest(case):
    facts, arrivals = case
    for kind in (MONOTONE, TIMESTAMP):
        replayed = replay(kind, arrivals)
        assert replayed.current == facts[-1]
        assert not replayed.refused
        ordinals = [arrival.ordinal for arrival in replayed.applied]
        assert ordinals == sorted(ordinals)


@given(shuffled(st.integers(2, 10).map(lambda last: set(range(1, last + 1)))), st.data())
def test_a_lost_version_holds_back_exactly_what_follows_it(case, data):
    facts, arrivals = case
    lost = data.draw(st.sampled_from(facts))
    replayed = replay(CONTIGUOUS, [arrival for arrival in arrivals if arrival != lost])
    assert list(replayed.applied) == facts[: lost.ordinal - 1]
    assert list(replayed.held) == facts[lost.ordinal :]
