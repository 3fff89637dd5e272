"""Reading reconciliation: the matrix of the newest runs, their history, and both sides of one cell."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum

from exceptions_queue.models import Occurrence
from finsync.core.lifecycle import RunState
from finsync.kit.keyset import PAGE_ROWS
from reconciliation.models import Cell, Item, Run, Variance

RUNS_SHOWN_MAX = 30
# Open at sign-off without harm; everything else stands between a cell and its tick (core.matching.variance).
HARMLESS = ("MATCHED", "ROUNDING", "IN_TRANSIT", "TIMING_CUTOFF")
_RANK = {"VARIANCE": 3, "IN_TRANSIT": 2, "TOLERANCE": 1, "TIED": 0}
_CLASS = {"VARIANCE": "var", "IN_TRANSIT": "run", "TOLERANCE": "tol", "TIED": "tie"}


@dataclass
class Square:
    """One control for one entity and currency, over all periods of its run."""

    run: Run
    entity: str
    currency: str
    count_a: int = 0
    count_b: int = 0
    total_a: int = 0
    total_b: int = 0
    open_variances: int = 0
    variance: int = 0
    verdict: str = "TIED"

    def add(self, cell: Cell) -> None:
        """Take one period in; the worst verdict stands."""
        self.count_a += cell.count_a
        self.count_b += cell.count_b
        self.total_a += cell.total_a_minor
        self.total_b += cell.total_b_minor
        self.open_variances += cell.open_variances
        self.variance += abs(cell.variance_minor)
        if _RANK.get(cell.verdict, 4) > _RANK.get(self.verdict, 4):
            self.verdict = cell.verdict

    @property
    def tone(self) -> str:
        """The matrix's class for this verdict."""
        return _CLASS.get(self.verdict, "var")


@dataclass
class Line:
    """One control with its squares in the order of the matrix's columns; ``running`` while a newer run is under way."""

    control: str
    title: str
    sides: str
    run: Run | None = None
    running: Run | None = None
    squares: list[Square | None] = field(default_factory=list)


@dataclass
class Matrix:
    """All controls against every entity and currency they met. Controls overlap, so no column is summed."""

    columns: list[tuple[str, str]]
    lines: list[Line]


def matrix(titles: dict[str, tuple[str, str]], entity: str = "") -> Matrix:
    """Build the matrix of the newest finished run of every control; two queries.

    ``titles`` maps a control to its name and its two sides, in the order to show them.
    """
    lines = {control: Line(control, title, sides) for control, (title, sides) in titles.items()}
    for run in _latest(list(titles)):
        line = lines[run.control]
        if run.finished_at is not None and run.state != RunState.FAILED:
            line.run, line.running = run, None
        else:
            line.running = run
    runs = {line.run.pk: line.run for line in lines.values() if line.run}
    squares = _squares(Cell.objects.filter(run__in=runs, **({"entity": entity} if entity else {})), runs)
    columns = sorted({(square.entity, square.currency) for square in squares.values()})
    for line in lines.values():
        line.squares = [squares.get((line.run.pk, *column)) if line.run else None for column in columns]
    return Matrix(columns, list(lines.values()))


def _latest(controls: list[str]) -> list[Run]:
    """Return per control the newest run and the newest one that came to an end, oldest first.

    One small index look-up each, in one statement: however long the history is, it costs the same.
    """
    parts = []
    for control in controls:
        newest = Run.objects.filter(control=control).order_by("-id")
        parts += [newest[:1], newest.filter(finished_at__isnull=False).exclude(state=RunState.FAILED)[:1]]
    return sorted(parts[0].union(*parts[1:]), key=lambda run: run.pk) if parts else []


def _squares(cells: Iterable[Cell], runs: dict[int, Run]) -> dict[tuple[int, str, str], Square]:
    squares: dict[tuple[int, str, str], Square] = {}
    for cell in cells:
        key = (cell.run_id, cell.entity, cell.currency)
        squares.setdefault(key, Square(runs[cell.run_id], cell.entity, cell.currency)).add(cell)
    return squares


def recent_runs() -> list[Run]:
    """Return the newest runs of all controls; one query."""
    return list(Run.objects.order_by("-id")[:RUNS_SHOWN_MAX])


@dataclass(frozen=True)
class Pair:
    """One key with both sides, and its variance where they do not tie."""

    key: str
    a: int | None
    b: int | None
    difference: int
    state_a: str
    state_b: str
    variance: Variance | None
    case: str = ""  # the label of the exception that stands for it


@dataclass(frozen=True)
class Drill:
    """Both sides of one square, item by item."""

    square: Square
    cells: list[Cell]
    classes: list[tuple[str, int]]
    pairs: list[Pair]
    next: str


def drill(run_id: int, entity: str, currency: str, show: str = "open", after: str = "") -> Drill | None:
    """Read one square; None where it does not exist. At most five queries.

    ``show``: open (what stands against a tick), all (every item) or a break class. ``after`` continues behind a key.
    """
    found = Cell.objects.filter(run=run_id, entity=entity, currency=currency).select_related("run")
    cells = list(found.order_by("period"))
    if not cells:
        return None
    square = Square(cells[0].run, entity, currency)
    for cell in cells:
        square.add(cell)
    variances = Variance.objects.filter(cell__in=cells)
    counted = variances.values("break_class").annotate(n=Count("pk")).order_by("break_class")
    classes = [(row["break_class"], row["n"]) for row in counted]
    pairs = _all_pairs(square, variances, after) if show == "all" else _broken_pairs(variances, show, after)
    pairs = _with_cases(pairs)
    more = len(pairs) > PAGE_ROWS
    return Drill(square, cells, classes, pairs[:PAGE_ROWS], pairs[PAGE_ROWS - 1].key if more else "")


def _with_cases(pairs: list[Pair]) -> list[Pair]:
    """Name the open case of every break; one query."""
    breaks = [pair.variance.standing_id for pair in pairs if pair.variance and pair.variance.standing_id]
    rows = Occurrence.objects.filter(subject_type="variance", subject_id__in=breaks, cleared_at=None)
    labels = {row.subject_id: f"EXC-{row.case_id}" for row in rows} if breaks else {}
    return [
        replace(pair, case=labels.get(pair.variance.standing_id or 0, "")) if pair.variance else pair for pair in pairs
    ]


def _broken_pairs(variances: QuerySet[Variance], show: str, after: str) -> list[Pair]:
    rows = variances.exclude(break_class__in=HARMLESS) if show == "open" else variances.filter(break_class=show)
    return [
        Pair(row.key, row.amount_a_minor, row.amount_b_minor, row.difference_minor, row.state_a, row.state_b, row)
        for row in rows.filter(key__gt=after).order_by("key", "pk")[: PAGE_ROWS + 1]
    ]


def _all_pairs(square: Square, variances: QuerySet[Variance], after: str) -> list[Pair]:
    items = Item.objects.filter(run=square.run, entity=square.entity, currency=square.currency, key__gt=after)
    rows: list[dict[str, Any]] = list(
        items.values("key")
        .annotate(
            a=Sum("amount_minor", filter=Q(side="A")),
            b=Sum("amount_minor", filter=Q(side="B")),
            state_a=Max("state", filter=Q(side="A")),
            state_b=Max("state", filter=Q(side="B")),
        )
        .order_by("key")[: PAGE_ROWS + 1]
    )
    known = {row.key: row for row in variances.filter(key__in=[row["key"] for row in rows])}
    return [
        Pair(
            row["key"],
            row["a"],
            row["b"],
            (row["a"] or 0) - (row["b"] or 0),
            row["state_a"] or "",
            row["state_b"] or "",
            known.get(row["key"]),
        )
        for row in rows
    ]
