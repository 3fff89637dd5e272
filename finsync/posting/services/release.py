"""Releasing: a held posting becomes ready when everything it waits for is there (the sequencer)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from django.db import connection as database
from django.utils import timezone

from exceptions_queue.models import Occurrence
from exceptions_queue.services import clear_subject, on_desk, raise_case
from finsync.audit.services import recording
from finsync.canonical.selectors import customer_name
from finsync.core.lifecycle import PostingState
from finsync.core.records import from_json
from finsync.core.records.document import DocType
from finsync.kit.clock import business_date
from finsync.mappings.services import ActiveTables, active_tables
from finsync.posting.documents import Draft, plan_documents
from finsync.posting.models import AccountingPeriod, Lane, Need, Posting
from finsync.posting.services.plan import raise_mapping_case, subject_of
from finsync.posting.services.recognise import journal_again
from finsync.posting.services.render import FOR_MAPPING, render

RECHECK_SECONDS = 60  # what is missing normally wakes the posting itself
MAPPING_RECHECK_SECONDS = 10
PERIOD_RECHECK_SECONDS = 300
OVERDUE_SECONDS = 1_800

CLAIM = """
SELECT id FROM posting WHERE status = 'HELD' AND next_action_at <= clock_timestamp()
 ORDER BY next_action_at, id LIMIT %s FOR UPDATE SKIP LOCKED
"""
LOOKED_AT_COLUMNS = (
    "id", "status", "held_for", "status_reason", "next_action_at", "accounting_date", "original_period",
)  # fmt: skip
LOOKED_AT = """
UPDATE posting p SET status = new.status, held_for = new.held_for, status_reason = new.status_reason,
       next_action_at = new.next_action_at, accounting_date = new.accounting_date, original_period = new.original_period
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::date[], %s::text[])
    AS new(id, status, held_for, status_reason, next_action_at, accounting_date, original_period) WHERE p.id = new.id
"""


def release_due(batch: int = 200) -> int:
    """Look at up to ``batch`` held postings and release those that may go; returns how many were released."""
    with recording("system:release"):
        with database.cursor() as cursor:
            cursor.execute(CLAIM, [batch])
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return 0
        found = Posting.objects.filter(pk__in=ids).defer("document").prefetch_related("connection")
        postings = list(found.order_by("pk"))
        needs, view = _open_needs(postings), _View(postings)
        released = [posting for posting in postings if _release(posting, needs.get(posting.pk, []), view)]
        with database.cursor() as cursor:
            cursor.execute(LOOKED_AT, [[getattr(posting, name) for posting in postings] for name in LOOKED_AT_COLUMNS])
        for posting_id in _on_the_desk(released):
            clear_subject("posting", posting_id, evidence="released: everything it waited for is there")
        _wake_lanes(released)
    return len(released)


class _View:
    """What a batch of postings is judged by: the business date, the active mapping, the accounting periods."""

    def __init__(self, postings: Sequence[Posting]) -> None:
        self.today = business_date()
        remap = any(posting.held_for == FOR_MAPPING for posting in postings)
        self.tables = active_tables() if remap else None
        self._periods: dict[tuple[int, str], list[AccountingPeriod]] = defaultdict(list)
        owners = {posting.connection_id for posting in postings}
        for period in AccountingPeriod.objects.filter(connection__in=owners).order_by("start"):
            self._periods[period.connection_id, period.entity].append(period)

    def periods(self, posting: Posting) -> list[AccountingPeriod]:
        """Return the periods of a posting's target and entity, oldest first; none where the target has none."""
        return self._periods[posting.connection_id, posting.entity]


def _on_the_desk(postings: Sequence[Posting]) -> list[int]:
    ids = [posting.pk for posting in postings]
    standing = Occurrence.objects.filter(subject_type="posting", subject_id__in=ids, cleared_at=None)
    return list(standing.order_by("subject_id").values_list("subject_id", flat=True).distinct())


def _open_needs(postings: Sequence[Posting]) -> dict[int, list[Need]]:
    """Meet every need whose document is posted by now; return what is still open, by posting."""
    ids = [posting.pk for posting in postings]
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE posting_need n SET met_at = clock_timestamp(), document_id = p.erp_document_id"
            " FROM posting mine, posting p WHERE n.posting_id = mine.id AND n.met_at IS NULL AND mine.id = ANY(%s)"
            " AND p.connection_id = mine.connection_id AND p.doc_type = n.doc_type"
            " AND p.business_key = n.business_key AND p.status = 'POSTED'",
            [ids],
        )
    still_open: dict[int, list[Need]] = {}
    for need in Need.objects.filter(posting_id__in=ids, met_at=None):
        still_open.setdefault(need.posting_id, []).append(need)
    return still_open


def _release(posting: Posting, needs: Sequence[Need], view: _View) -> bool:
    """Decide about one posting and set its columns; the caller writes them."""
    if posting.held_for == FOR_MAPPING and view.tables is not None and not _map_again(posting, view.tables):
        return False
    if posting.not_before is not None and posting.not_before > view.today:
        _hold(posting, "DATE", f"not before {posting.not_before.isoformat()}", PERIOD_RECHECK_SECONDS)
        return False
    if needs:
        names = ", ".join(f"{need.doc_type} {need.business_key}" for need in needs)
        _hold(posting, "DEPENDENCY", f"waits for {names}", RECHECK_SECONDS)
        if (timezone.now() - posting.created_at).total_seconds() > OVERDUE_SECONDS:
            _overdue(posting, needs[0])
        return False
    if not _fits_period(posting, view.periods(posting)):
        return False
    posting.status, posting.held_for, posting.next_action_at = PostingState.READY, "", timezone.now()
    posting.status_reason = "everything it waits for is there"
    return True


def _hold(posting: Posting, held_for: str, why: str, seconds: int) -> None:
    posting.held_for, posting.status_reason = held_for, why
    posting.next_action_at = timezone.now() + timedelta(seconds=seconds)


def _map_again(posting: Posting, tables: ActiveTables) -> bool:
    """Render a posting with the mapping active now; True when it has its journal."""
    known = posting.status_reason
    refusal = render(posting, draft_of(posting), tables)
    if refusal is not None:
        if refusal.detail != known or not on_desk("posting", posting.pk):
            raise_mapping_case(posting, refusal)
        _hold(posting, FOR_MAPPING, refusal.detail, MAPPING_RECHECK_SECONDS)
        return False
    posting.save(update_fields=["mapping_version", "held_for"])
    posting.save_lines()
    return True


def look_again(posting_id: int, actor: str) -> str:
    """Look at a held posting now instead of at its next turn. Returns what happens now."""
    with recording(actor):
        posting = Posting.objects.select_for_update().get(pk=posting_id)
        posting.next_action_at = timezone.now()
        posting.save(update_fields=["next_action_at"])
    return f"It is looked at again; so far it {posting.status_reason or 'waits'}."


def draft_of(posting: Posting) -> Draft:
    """Return the draft a posting was planned from, worked out again from its frozen record."""
    record = from_json(posting.document["record_type"], posting.document["record"])
    if posting.doc_type == DocType.JOURNAL:
        return journal_again(posting, record)
    return next(draft for draft in plan_documents(record).drafts if draft.doc_type == posting.doc_type)


def _fits_period(posting: Posting, periods: Sequence[AccountingPeriod]) -> bool:
    """Move a document of a closed period to the first day of the next open one, keeping its original period.

    Policy: domain.md 1.1. A connection that does not know its periods accepts any date, and master data has none.
    """
    if posting.amount_minor is None:
        return True
    mine = next((period for period in periods if period.start <= posting.accounting_date < period.end), None)
    if mine is None or mine.open:
        return True
    open_from = _next_open(posting, periods)
    if open_from is None:
        _hold(posting, "PERIOD", f"period {mine.label} is closed and no later one is open", PERIOD_RECHECK_SECONDS)
        raise_case(
            "ERP_PERIOD_CLOSED",
            dimensions={"entity": posting.entity, "period": mine.label},
            subject=subject_of(posting, f"period {mine.label} is closed and no later one is open"),
            entity=posting.entity,
            target=posting.connection.name,
        )
        return False
    posting.original_period = posting.original_period or f"{posting.accounting_date:%Y-%m}"
    posting.accounting_date = open_from
    return True


def next_open_date(posting: Posting) -> date | None:
    """Return when the ledger's next open period after a posting's accounting date starts, None without one."""
    known = AccountingPeriod.objects.filter(connection=posting.connection, entity=posting.entity)
    return _next_open(posting, known.order_by("start"))


def _next_open(posting: Posting, periods: Iterable[AccountingPeriod]) -> date | None:
    return next((p.start for p in periods if p.open and p.start > posting.accounting_date), None)


def _overdue(posting: Posting, need: Need) -> None:
    raise_case(
        "DEPENDENCY_OVERDUE",
        dimensions={"waits_for": need.business_key},
        subject=subject_of(posting, posting.status_reason),
        entity=posting.entity,
        target=posting.connection.name,
        customer=customer_name(posting.customer_key),
        explanation=f"Documents wait for {need.doc_type} {need.business_key}, which is not posted yet.",
    )


def _wake_lanes(released: Sequence[Posting]) -> None:
    lanes = sorted({(posting.connection_id, posting.lane) for posting in released})
    if not lanes:
        return
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Lane._meta.db_table} (connection_id, key, next_action_at)"  # noqa: S608
            " SELECT c, k, clock_timestamp() FROM unnest(%s::bigint[], %s::text[]) AS t(c, k) ORDER BY c, k"
            " ON CONFLICT (connection_id, key) DO UPDATE"
            " SET next_action_at = least(posting_lane_head.next_action_at, excluded.next_action_at)",
            [[connection_id for connection_id, _ in lanes], [key for _, key in lanes]],
        )
