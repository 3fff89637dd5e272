"""Runs of controls: asked for by schedule or by hand, executed by whichever worker claims them."""

from datetime import date, timedelta

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connectors.contract import Window
from connectors.models import Connection
from connectors.models.connection import ConnectionState
from finsync.audit.services import current_actor, recording
from finsync.core.lifecycle import RunState
from finsync.core.periods import add_months
from finsync.kit.clock import business_date
from reconciliation.controls import CONTROLS, Control, Held, Span
from reconciliation.models import Item, Run
from reconciliation.services import cases
from reconciliation.services.collect import CannotRead, TakenOver, check_fence, collect
from reconciliation.services.compare import compare
from reconciliation.services.store import prune, store

ACTOR = "system:reconcile"
WINDOW_MONTHS = 12  # whole months before the current one that a run looks at unless told otherwise
RUN_STALE_SECONDS = 300  # well beyond a task's hard limit: whoever started it is gone
RUN_ATTEMPTS_MAX = 3
ANALYSED_FROM_ROWS = 5_000  # from here on PostgreSQL needs fresh statistics to choose the right join

_CLAIM = """
UPDATE recon_run SET started_at = clock_timestamp(), attempts = attempts + 1
 WHERE id = (SELECT id FROM recon_run WHERE state = 'RUNNING'
                AND (started_at IS NULL OR started_at < clock_timestamp() - make_interval(secs => %s))
              ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""


def default_window(control: Control) -> Window:
    """Return the window of a control: the current month and WINDOW_MONTHS before it, or only those that have ended."""
    today = business_date()
    first = today.replace(day=1)
    end = first if control.span is Span.ENDED_MONTHS else today + timedelta(days=1)
    return Window(start=add_months(first, -WINDOW_MONTHS), end=end)


def request(control: str, requested_by: str = "", window: Window | None = None) -> Run:
    """Ask for a run of a control; a worker executes it. Without ``window`` the control's own is taken.

    ``requested_by`` is who asks (default: the current actor). Raises KeyError for a control that is not declared.
    """
    asked, who = window or default_window(CONTROLS[control]), requested_by or current_actor() or ACTOR
    with recording(who):
        return Run.objects.create(
            control=control, window_start=asked.start, window_end=_whole_months(CONTROLS[control], asked.end),
            requested_by=who,
        )  # fmt: skip


def _whole_months(control: Control, end: date) -> date:
    return end.replace(day=1) if control.span is Span.ENDED_MONTHS else end


def request_all() -> int:
    """Ask for every control that is neither asked for nor running and whose sides exist; returns how many.

    Timed job. Runs whose worker died are made due again.
    """
    with recording(ACTOR):
        stale = timezone.now() - timedelta(seconds=RUN_STALE_SECONDS)
        Run.objects.filter(state=RunState.RUNNING, started_at__lt=stale).update(started_at=None)
        busy = set(Run.objects.filter(state=RunState.RUNNING).values_list("control", flat=True))
    wanted = [control for control in CONTROLS.values() if control.code not in busy and _ready(control)]
    for control in wanted:
        request(control.code, ACTOR)
    return len(wanted)


def _ready(control: Control) -> bool:
    """Whether every side is set up; an ERP still being installed has nothing to compare yet."""
    for side in control.sides:
        if isinstance(side, Held):
            continue
        states = set(Connection.objects.filter(roles__contains=[side.role]).values_list("state", flat=True))
        if not states or ConnectionState.WAITING in states:
            return False
    return True


def run_requested() -> int:
    """Claim and execute one requested run; returns how many were executed (0 where none was due)."""
    run = _claim()
    if run is None:
        return 0
    control = CONTROLS.get(run.control)
    if control is None:
        _fail(run, f"{run.control} is not declared as a control any more.")
    elif run.attempts > RUN_ATTEMPTS_MAX:
        _fail(run, f"Given up: {RUN_ATTEMPTS_MAX} workers started it and none came to an end.")
    else:
        _execute(run, control)
    return 1


def _claim() -> Run | None:
    with recording(ACTOR), database.cursor() as cursor:
        cursor.execute(_CLAIM, [RUN_STALE_SECONDS])
        row = cursor.fetchone()
        return Run.objects.get(pk=row[0]) if row else None


def _execute(run: Run, control: Control) -> None:
    try:
        with transaction.atomic():
            check_fence(run)
            Item.objects.filter(run=run).delete()  # of a worker that died half-way
        collect(run, control)
        if run.items_a + run.items_b >= ANALYSED_FROM_ROWS:
            with database.cursor() as cursor:
                cursor.execute("ANALYZE recon_item")
        with recording(ACTOR):
            check_fence(run)
            conclude(run, control)
    except CannotRead as problem:
        _fail(run, str(problem))
    except TakenOver:
        return


def conclude(run: Run, control: Control) -> None:
    """Compare the collected items, keep the outcome, tell the desk. Inside ``recording``."""
    compare(run, control)
    cleared = store(run, control)
    cases.clear(run, cleared)
    cases.raise_all(run, control)
    run.state = RunState.OPEN_ITEMS if run.variances else RunState.BALANCED
    run.finished_at = timezone.now()
    run.save(update_fields=["items_a", "items_b", "variances", "state", "finished_at"])
    prune(control)


def _fail(run: Run, problem: str) -> None:
    with recording(ACTOR):
        changed = Run.objects.filter(pk=run.pk, started_at=run.started_at, state=RunState.RUNNING)
        if changed.update(state=RunState.FAILED, problem=problem, finished_at=timezone.now()):
            Item.objects.filter(run=run).delete()
