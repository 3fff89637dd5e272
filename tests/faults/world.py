"""One seed, one history: workers that crash and freeze, a clock that jumps, an ERP that misbehaves.

Workers run the production steps (posting.machine) as generators; between any two steps the scheduler may kill one,
freeze it for longer than its lease, or let another run. The same seed replays the same history.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from connectors.contract import ConnectionConfig
from connectors.simulator.erp import SimERP
from connectors.simulator.faults import CALM, ROUGH, Menu, ReadFault
from connectors.simulator.in_process import InProcessTransport
from connectors.systems.simulated_erp.connector import SimulatedErp
from finsync.core import posting as rules
from finsync.core.posting import Route
from finsync.posting import machine
from tests.faults.memory import Memory

WORKERS = 3
POSTINGS = 8  # the last one is refused for ever
LANES = 5
ROUGH_STEPS = 250
HOURS_PASS_SECONDS = 5 * 3_600.0
TICK_SECONDS = 5.0
SETTLE_TICKS_MAX = 400
LEASE_SECONDS, QUIESCE_SECONDS, LAG_SECONDS = 180.0, 300.0, 60.0
# A request may arrive until quiesce after the lease's end; the guard lets it start a third into the lease at the latest.
DELAY_SECONDS_BOUND = QUIESCE_SECONDS + LEASE_SECONDS * 2 / 3
CONFIG = ConnectionConfig(name="sim", kind="simulated_erp", base_url="http://simulated")


def inside(idempotency: str) -> Menu:
    """Return the roughest weather in which a class promises exactly once."""
    longest = {"A": 6 * 3_600.0, "B": 7_200.0, "C": DELAY_SECONDS_BOUND}[idempotency]
    return replace(ROUGH, delay_seconds_max=longest)


def route(idempotency: str) -> Route:
    """Return how the simulated ERP is posted to."""
    return Route(
        idempotency=idempotency, key_window_seconds=24 * 3_600, lease_seconds=LEASE_SECONDS,
        quiesce_seconds=QUIESCE_SECONDS, lag_seconds=LAG_SECONDS,
    )  # fmt: skip


@dataclass
class Worker:
    """One process: what it is doing, and until when it is frozen."""

    steps: Iterator[None]
    frozen_until: float = 0.0


class World:
    """Everything of one history. ``store`` defaults to memory; ``rough`` runs it, ``settle`` ends it, ``verdict`` judges."""

    def __init__(self, seed: int, idempotency: str, menu: Menu | None = None, *, make_store: Any = None) -> None:
        self.random = random.Random(seed)
        self.now = 1_000.0
        self.erp = SimERP(
            idempotency, seed=seed + 1, menu=menu or inside(idempotency),
            lag_seconds=LAG_SECONDS if idempotency == "C" else 0.0,
        )  # fmt: skip
        self.connector = SimulatedErp(CONFIG, InProcessTransport(self.erp, self.clock))  # type: ignore[arg-type]
        made = make_store or (lambda clock, how: Memory(clock, how, POSTINGS, LANES))
        self.store = made(self.clock, route(idempotency))
        self.workers = [Worker(self.work()) for _ in range(WORKERS)]
        self.ticks = 0
        self.calm = False

    def clock(self) -> float:
        """Return simulated seconds."""
        return self.now

    # ---- what workers do, a step at a time -------------------------------------------------------------------

    def work(self) -> Iterator[None]:
        """Run rounds until the calm; a kill between two yields loses whatever is not in the store."""
        while not self.calm:
            job = self.random.random()
            if job < 0.5:
                yield from self.dispatch()
            elif job < 0.9:
                yield from self.janitor()
            else:
                self.person()
                yield

    def dispatch(self) -> Iterator[None]:
        """Claim, send, record: services.dispatch without its threads."""
        for claim in self.store.claim(1, 2, self.connector.build_body).claims:
            yield
            answer = machine.send(claim, self.connector, self.clock)
            yield
            machine.record(self.store, claim, answer, self.random.random())
        yield

    def janitor(self) -> Iterator[None]:
        """Expire, route, look up: services.janitor."""
        self.store.expire_leases(10)
        self.store.route_rejected()
        yield
        for doubt in self.store.take_doubts(2):
            yield
            sighting = machine.look_up(doubt, self.connector)
            yield
            machine.settle(self.store, doubt, sighting)
        yield

    def person(self) -> None:
        """Retry, or cancel, something on the desk."""
        desk = self.store.on_desk()
        if desk and not self.calm:  # in the end everybody waits for what the machine does by itself
            wish = rules.cancel_asked if self.random.random() < 0.2 else rules.retry_asked
            self.store.ask(self.random.choice(desk), wish)

    # ---- history ---------------------------------------------------------------------------------------------

    def rough(self, steps: int = ROUGH_STEPS) -> None:
        """Let things happen in a random order, with kills and freezes."""
        for _ in range(steps):
            worker = self.random.choice(self.workers)
            chance = self.random.random()
            if chance < 0.04:
                worker.steps, worker.frozen_until = self.work(), 0.0
            elif chance < 0.10:
                worker.frozen_until = self.now + self.random.choice((70.0, 185.0, 700.0, 4_000.0))
            elif chance < 0.11:
                self.search_breaks_or_heals()
            elif chance < 0.115:
                self.now += HOURS_PASS_SECONDS
            elif worker.frozen_until <= self.now:
                next(worker.steps)
            self.now += self.random.choice((0.0, 0.0, 0.5, 2.0, 5.0, 40.0))

    def search_breaks_or_heals(self) -> None:
        """Begin or end an outage of the target's search: doubt grows old and lands on the desk."""
        outage = {ReadFault.SILENCE: 1.0}
        menu = self.erp.weather.menu
        down = menu.reads == outage
        self.erp.weather.menu = replace(menu, reads=ROUGH.reads if down else outage)
        if down:
            self.store.wake_doubts()  # the governor's probe found it well again

    def settle(self) -> int:
        """Stop the faults and tick until every posting is terminal or on the desk; returns the ticks it took."""
        self.calm = True
        self.erp.weather.menu = CALM
        self.store.wake_doubts()
        began = self.now
        while self.now <= began + SETTLE_TICKS_MAX * TICK_SECONDS:
            for worker in self.workers:
                if worker.frozen_until <= self.now:
                    next(worker.steps, None)  # a zombie finishes what it had begun
            self.round()
            if self.settled():
                break
            self.now += self.ticks_until_due() * TICK_SECONDS
        return math.ceil((self.now - began) / TICK_SECONDS)

    def ticks_until_due(self) -> int:
        """Return how many ticks pass before anything can happen, at least one."""
        wakes = [worker.frozen_until for worker in self.workers if worker.frozen_until > self.now]
        wait = min([self.store.next_due(), *wakes]) - self.now
        return max(1, math.ceil(min(wait, SETTLE_TICKS_MAX * TICK_SECONDS) / TICK_SECONDS))

    def round(self) -> None:
        """One undisturbed pass of every job."""
        for _ in self.dispatch():
            pass
        for _ in self.janitor():
            pass

    def settled(self) -> bool:
        """Whether every posting is terminal or on the desk."""
        return all(state in ("POSTED", "CANCELLED", "EXCEPTION") for state, _, _ in self.store.standings().values())

    def verify(self) -> None:
        """Let every late request arrive and every verification happen (R8), over two days."""
        for seconds in (QUIESCE_SECONDS + LAG_SECONDS, 3 * 3_600.0, 24 * 3_600.0, 26 * 3_600.0):
            self.now += seconds
            for doubt in self.store.take_verifications(100):
                machine.verify(self.store, doubt, machine.look_up(doubt, self.connector))


@dataclass(frozen=True)
class Verdict:
    """What was wrong at the end of a history; all empty in a good one.

    ``overtaken`` are cancelled postings whose document arrived later than quiesce allows: possible in every class
    outside that assumption, and then detected.
    """

    lost: list[str]
    duplicated: list[str]
    overtaken: list[str]
    undetected: list[str]
    unsettled: list[str]

    @property
    def bad(self) -> bool:
        """Whether a promise was broken: a lost, duplicated or unsettled posting."""
        return bool(self.lost or self.duplicated or self.undetected or self.unsettled)


def judge(world: World) -> Verdict:
    """Compare what the store believes with what the ERP holds."""
    held = Counter(document.reference for document in world.erp.documents)
    complete = {document.id for document in world.erp.documents if document.complete}
    lost, duplicated, cancelled, undetected, unsettled = [], [], [], [], []
    for reference, (state, document_id, cases) in world.store.standings().items():
        if state not in ("POSTED", "CANCELLED", "EXCEPTION"):
            unsettled.append(f"{reference} {state}")
        if state == "POSTED" and document_id not in complete:
            lost.append(f"{reference} is POSTED without a complete document")
        if state == "EXCEPTION" and not cases:
            lost.append(f"{reference} is parked without a case")
        overtaken = state == "CANCELLED" and held[reference] > 0
        if overtaken:
            cancelled.append(f"{reference} was cancelled and has a document")
        if held[reference] > 1:
            duplicated.append(f"{reference} {state} has {held[reference]} documents")
        seen = {"ERP_DUPLICATE_POST", "ERP_CONTENT_MISMATCH"} & set(cases)
        if (overtaken or held[reference] > 1) and not seen:
            undetected.append(reference)
    return Verdict(lost, duplicated, cancelled, undetected, unsettled)


def live(seed: int, idempotency: str, menu: Menu | None = None, **options: Any) -> tuple[World, Verdict]:
    """Live one whole history and judge it."""
    world = World(seed, idempotency, menu, **options)
    world.rough()
    world.ticks = world.settle()
    world.verify()
    return world, judge(world)
