"""The same histories over real PostgreSQL: triggers, constraints and statements included."""

import pytest

from tests.faults.database import DatabaseStore, use_simulated_clock
from tests.faults.world import World, judge

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

SEEDS = 67  # of each class
POSTINGS, LANES, ROUGH_STEPS = 5, 3, 100


@pytest.mark.parametrize("idempotency", ["A", "B", "C"])
def test_over_postgresql_nothing_is_lost_and_nothing_posted_twice(
    idempotency: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_simulated_clock(monkeypatch)
    stale = 0
    for seed in range(SEEDS):
        name = f"sim-{idempotency.lower()}-{seed}"
        world = World(
            seed,
            idempotency,
            make_store=lambda clock, route, name=name: DatabaseStore(clock, route, POSTINGS, LANES, name),
        )
        world.rough(ROUGH_STEPS)
        world.ticks = world.settle()
        world.verify()
        verdict = judge(world)
        assert not verdict.bad, f"seed {seed}: {verdict}"
        stale += world.store.stale
    assert stale > 0, "the fence was never needed"
