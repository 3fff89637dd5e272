"""Every history of one posting, three workers and three sends: an exhaustive search instead of chance.

The model has no clock. What timing guarantees is stated as a condition: the send guard means that nothing starts once
the lease is over, quiesce means that a negative counts only when nothing is in flight any more. Class B needs neither.
Source: reliability.md 3.5, the model check.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from finsync.core.lifecycle import allowed

pytestmark = pytest.mark.faults

WORKERS, SENDS_MAX, DOCUMENTS_MAX, IN_FLIGHT_MAX = 3, 3, 2, 3
TERMINAL = ("POSTED", "EXCEPTION")


class State(NamedTuple):
    """A worker is (holds the newest fence, what it knows): '' idle, claimed, waiting, ok, unknown, notsent."""

    status: str = "READY"
    sends: int = 0
    leased: bool = False
    in_flight: int = 0
    documents: int = 0
    workers: tuple[tuple[bool, str], ...] = ((False, ""),) * WORKERS


@dataclass(frozen=True)
class Rules:
    """Which guards hold, and what the target is."""

    unique: bool = False  # class B
    write_ahead: bool = True
    fence: bool = True
    guard: bool = True
    quiesce: bool = True
    proxy_resends: bool = False


def moves(state: State, rules: Rules) -> Iterator[State]:
    """Yield every state one step away."""
    yield from _network(state, rules)
    yield from _janitor(state, rules)
    for number, worker in enumerate(state.workers):
        for changed, after in _worker(state, worker, rules):
            workers = list(changed.workers)
            workers[number] = after
            yield changed._replace(workers=tuple(sorted(workers)))


def _worker(state: State, worker: tuple[bool, str], rules: Rules) -> Iterator[tuple[State, tuple[bool, str]]]:
    newest, knows = worker
    if not knows:
        if state.status == "READY" and state.sends < SENDS_MAX:
            claimed = _older(state)._replace(sends=state.sends + 1)
            if rules.write_ahead:
                claimed = claimed._replace(status="SENDING", leased=True)
            yield claimed, (True, "claimed")
        return
    yield state, (False, "")  # crash
    if knows == "claimed":
        yield state, (newest, "notsent")  # unreachable, or held back
        if not rules.guard or not rules.write_ahead or (newest and state.leased):
            yield state._replace(in_flight=state.in_flight + 1), (newest, "waiting")
    elif knows == "waiting":
        yield state, (newest, "unknown")
        if state.in_flight and state.in_flight <= IN_FLIGHT_MAX:
            yield _landed(state, rules), (newest, "ok")
    else:
        yield _recorded(state, newest, knows, rules), (False, "")


def _recorded(state: State, newest: bool, knows: str, rules: Rules) -> State:
    expected = "SENDING" if rules.write_ahead else "READY"
    if state.status != expected or (rules.fence and not newest and rules.write_ahead):
        return state
    to = {"ok": "POSTED", "unknown": "UNKNOWN", "notsent": "READY"}[knows]
    if knows == "notsent" and not state.leased and rules.write_ahead:
        to = "UNKNOWN"  # R3
    return state._replace(status=to, leased=False)


def _network(state: State, rules: Rules) -> Iterator[State]:
    if state.in_flight:
        yield state._replace(in_flight=state.in_flight - 1)  # lost
        yield _landed(state, rules)
        if rules.proxy_resends and state.in_flight < IN_FLIGHT_MAX:
            yield state._replace(in_flight=state.in_flight + 1)


def _janitor(state: State, rules: Rules) -> Iterator[State]:
    if state.status == "SENDING" and state.leased:
        yield state._replace(leased=False)  # time passes
    if state.status == "SENDING" and not state.leased:
        yield _older(state)._replace(status="UNKNOWN")
    if state.status == "UNKNOWN":
        if state.documents > 1:
            yield state._replace(status="EXCEPTION")
        elif state.documents == 1:
            yield state._replace(status="POSTED")
        elif rules.unique or not rules.quiesce or not state.in_flight:
            yield _older(state)._replace(status="READY")
    if state.status == "READY" and state.sends >= SENDS_MAX:
        yield state._replace(status="EXCEPTION")


def _landed(state: State, rules: Rules) -> State:
    documents = 1 if rules.unique else min(state.documents + 1, DOCUMENTS_MAX)
    return state._replace(in_flight=state.in_flight - 1, documents=documents)


def _older(state: State) -> State:
    """The fence grows: no worker holds the newest one any more."""
    return state._replace(workers=tuple(sorted((False, knows) for _, knows in state.workers)))


def explore(rules: Rules) -> tuple[dict[State, State | None], State | None]:
    """Return all reachable states with how they are reached, and the first one with two documents."""
    start = State()
    reached: dict[State, State | None] = {start: None}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        if state.documents > 1:
            return reached, state
        for following in moves(state, rules):
            if following not in reached:
                kept = following.status == state.status or not rules.write_ahead
                assert kept or allowed("posting", state.status, following.status)
                reached[following] = state
                queue.append(following)
    return reached, None


def steps_to(state: State | None, reached: dict[State, State | None]) -> int:
    """Return the length of the shortest history that leads to a state."""
    steps = -1
    while state is not None:
        state, steps = reached[state], steps + 1
    return steps


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("class B without any assumption on time", Rules(unique=True, guard=False, quiesce=False, proxy_resends=True)),
        ("class C with guard and quiesce", Rules()),
    ],
)
def test_no_history_makes_two_documents_and_every_one_can_end(name: str, rules: Rules) -> None:
    reached, broken = explore(rules)
    assert broken is None, f"{name}: {broken}"
    assert len(reached) > 500
    before: dict[State, list[State]] = {}
    for state in reached:
        for following in moves(state, rules):
            before.setdefault(following, []).append(state)
    ends = {state for state in reached if state.status in TERMINAL}
    queue = deque(ends)
    while queue:
        for earlier in before.get(queue.popleft(), ()):
            if earlier not in ends:
                ends.add(earlier)
                queue.append(earlier)
    assert ends == set(reached), f"{name}: {len(reached) - len(ends)} states can never end"
    assert all(state.documents >= 1 for state in reached if state.status == "POSTED")


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("no send guard", Rules(guard=False)),
        ("naive lookup-then-post", Rules(quiesce=False)),
        ("no fence", Rules(fence=False)),
        ("no write-ahead", Rules(write_ahead=False)),
        ("a proxy that re-sends", Rules(proxy_resends=True)),
    ],
)
def test_taking_out_one_guard_has_a_short_counter_example(name: str, rules: Rules) -> None:
    reached, broken = explore(rules)
    assert broken is not None, f"{name} does no harm in the model: the model is too weak"
    assert steps_to(broken, reached) <= 12
