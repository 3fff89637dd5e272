"""One figure: what ours took, what the bare side took, and the ratio to reach."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

RATES = ("/s",)  # units in which more is better


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is measured: ``rounds`` per figure, and how many letters, events, posts … a round takes."""

    rounds: int
    letters: int
    events: int
    posts: int
    pending: Sequence[int]
    entities: int
    sides: Sequence[int]


QUICK = Scale(rounds=3, letters=3_000, events=400, posts=240, pending=(10_000, 100_000), entities=500, sides=(20_000,))
FULL = Scale(
    rounds=3, letters=10_000, events=2_000, posts=1_000, pending=(10_000, 100_000, 1_000_000), entities=2_000,
    sides=(100_000,),
)  # fmt: skip
LARGE = Scale(
    rounds=5, letters=20_000, events=5_000, posts=2_000, pending=(10_000, 100_000, 1_000_000), entities=10_000,
    sides=(100_000, 1_000_000),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Medians of several rounds. ``reach`` is the ratio to reach: at least for rates, at most for times.

    ``spread`` is the range of the ratio over the rounds, as far as they were paired; ``note`` says what one must know
    to read the figure.
    """

    job: str
    against: str
    unit: str
    ours: float
    bare: float
    reach: float | None = None
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours by bare."""
        return self.ours / self.bare if self.bare else float("inf")

    @property
    def met(self) -> bool | None:
        """Whether the bar is reached; None where there is none."""
        if self.reach is None:
            return None
        return self.ratio >= self.reach if self.unit.endswith(RATES) else self.ratio <= self.reach

    @property
    def bar(self) -> str:
        """The bar as a person reads it."""
        if self.reach is None:
            return ""
        return f"{'≥' if self.unit.endswith(RATES) else '≤'} {self.reach:g}×"

    def as_json(self) -> dict[str, Any]:
        """Return the figure as plain values, the ratio among them."""
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


@dataclass
class Measured:
    """What one room of the benchmark found; memory is the peak of its process and of the processes it started."""

    figures: list[Figure] = field(default_factory=list)
    memory_mb: float = 0.0
    servers_memory_mb: float = 0.0
    seconds: float = 0.0


def paired(rounds: int, ours: Callable[[], float], bare: Callable[[], float], **what: Any) -> Figure:
    """Measure both sides in turn, ``rounds`` times each, so that a slow minute of the machine hits both."""
    pairs = []
    for number in range(rounds):
        first, second = (ours, bare) if number % 2 == 0 else (bare, ours)
        one, other = first(), second()
        pairs.append((one, other) if number % 2 == 0 else (other, one))
    ratios = sorted(mine / theirs for mine, theirs in pairs)
    return Figure(
        ours=statistics.median(mine for mine, _ in pairs),
        bare=statistics.median(theirs for _, theirs in pairs),
        spread=(ratios[0], ratios[-1]),
        **what,
    )


def seconds(work: Callable[[], Any]) -> float:
    """Return how long ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def per_second(count: int, work: Callable[[], Any]) -> float:
    """Return how many of ``count`` things ``work`` does in a second."""
    return count / seconds(work)


def table(figures: Sequence[Figure]) -> str:
    """Return the figures side by side for a terminal."""
    rows = [("job", "finsync", "bare", "unit", "ratio", "of rounds", "bar", "")]
    for one in figures:
        spread = f"{one.spread[0]:.2f} to {one.spread[1]:.2f}" if one.spread else ""
        verdict = {None: "", True: "reached", False: "MISSED"}[one.met]
        rows.append(
            (one.job, _number(one.ours), _number(one.bare), one.unit, f"{one.ratio:.2f}×", spread, one.bar, verdict)
        )
        rows.append((f"  against {one.against}", *[""] * 7))
        if one.note:
            rows.append((f"  {one.note}", *[""] * 7))
    counted = [row for row in rows if any(row[1:])]  # explanations may be longer than the first column
    widths = [max(len(row[column]) for row in counted) for column in range(8)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    right = (1, 2, 4)
    cells = [
        cell.rjust(width) if n in right else cell.ljust(width)
        for n, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
