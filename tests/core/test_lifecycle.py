"""The one table of states: closed, reachable, and exactly the posting machine that was proven."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsync.core.lifecycle import (
    EDGES,
    INITIAL,
    SETTLED,
    STATES,
    TERMINAL,
    TRANSITIONS,
    Actor,
    IllegalTransition,
    allowed,
    allowed_by,
    check,
    edge,
)

machines = st.sampled_from(sorted(STATES))


@given(machines, st.data())
def test_every_walk_stays_inside_the_states_and_stops_only_at_terminal_ones(machine, data):
    state = data.draw(st.sampled_from(sorted(INITIAL[machine])))
    for _ in range(12):
        assert state in STATES[machine].__members__
        ways = sorted(to for frm, to in TRANSITIONS[machine] if frm == state)
        if not ways:
            assert state in TERMINAL[machine]
            return
        state = data.draw(st.sampled_from(ways))


@pytest.mark.parametrize("machine", sorted(STATES))
def test_every_state_can_be_reached_and_can_come_to_rest(machine):
    names = set(STATES[machine].__members__)
    moves = TRANSITIONS[machine]
    reached, resting = set(INITIAL[machine]), set(SETTLED[machine])
    for _ in names:
        reached |= {to for frm, to in moves if frm in reached}
        resting |= {frm for frm, to in moves if to in resting}
    assert reached == names
    assert resting == names
    assert TERMINAL[machine] <= SETTLED[machine]


@pytest.mark.parametrize("machine", sorted(STATES))
def test_no_move_is_listed_twice_or_leads_nowhere(machine):
    listed = [(move.frm, move.to) for move in EDGES[machine]]
    assert len(listed) == len(set(listed))
    assert all(frm != to and {frm, to} <= set(STATES[machine].__members__) for frm, to in listed)
    assert all(move.actors and move.when for move in EDGES[machine])


def test_posting_moves_are_exactly_the_proven_ones():
    expected = {
        "HELD": "READY EXCEPTION CANCELLED",
        "READY": "SENDING EXCEPTION CANCELLED",
        "SENDING": "POSTED ACCEPTED READY REJECTED UNKNOWN",
        "ACCEPTED": "POSTED REJECTED UNKNOWN",
        "UNKNOWN": "POSTED EXCEPTION READY CANCELLED",
        "REJECTED": "EXCEPTION",
        "EXCEPTION": "UNKNOWN READY CANCELLED POSTED",
    }
    assert TRANSITIONS["posting"] == {(frm, to) for frm, tos in expected.items() for to in tos.split()}
    assert TERMINAL["posting"] == {"POSTED", "CANCELLED"}


def test_only_the_janitor_settles_doubt():
    out_of_doubt = [move for move in EDGES["posting"] if move.frm == "UNKNOWN"]
    assert {actor for move in out_of_doubt for actor in move.actors} == {Actor.JANITOR}


def test_a_person_never_sends_again_what_may_exist():
    for to in ("READY", "CANCELLED"):
        assert edge("posting", "EXCEPTION", to).never_sent_only
    assert allowed_by("posting", "EXCEPTION", "UNKNOWN", Actor.HUMAN)
    assert edge("posting", "EXCEPTION", "POSTED").four_eyes


def test_only_the_poster_sends():
    assert edge("posting", "READY", "SENDING").actors == {Actor.POSTER}
    assert not allowed_by("posting", "READY", "SENDING", Actor.HUMAN)


def test_quarantined_message_can_be_replayed_and_resolved_case_can_regress():
    assert allowed("inbox", "QUARANTINED", "RECEIVED")
    assert allowed("case", "RESOLVED", "OPEN")


def test_mapping_needs_a_second_signature_before_it_acts():
    assert edge("mapping", "SUBMITTED", "APPROVED").four_eyes
    assert not allowed("mapping", "DRAFT", "ACTIVE")
    assert not allowed("mapping", "SUBMITTED", "ACTIVE")


def test_illegal_move_names_both_states_and_what_would_be_legal():
    with pytest.raises(IllegalTransition, match=r"posting: HELD to POSTED .* CANCELLED, EXCEPTION, READY"):
        check("posting", "HELD", "POSTED")
    with pytest.raises(IllegalTransition, match="terminal"):
        check("posting", "POSTED", "READY")


def test_unknown_state_is_an_error_and_not_a_silent_no():
    with pytest.raises(KeyError, match="SENT"):
        allowed("posting", "READY", "SENT")
