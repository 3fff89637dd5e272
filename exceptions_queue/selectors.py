"""Reading the desk: views with their counts, a page of cases, one case with everything about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import BigIntegerField, Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from exceptions_queue.models import CaseEvent, ExceptionCase, Occurrence
from exceptions_queue.services import action_for
from finsync.core.lifecycle import CaseState
from finsync.core.money import exponent
from finsync.core.reasons import REASONS, Reason
from finsync.kit.facets import count_each
from finsync.kit.keyset import Order
from finsync.kit.permissions import HOLDERS, Ability

OCCURRENCES_SHOWN_MAX = 100
EVENTS_SHOWN_MAX = 200
SLA_SOON = timedelta(hours=4)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
# Currencies whose minor unit is not a hundredth; figures are compared in thousandths so that 0.003 KWD sorts true.
_NOT_HUNDREDTHS = (
    "BHD",
    "CLP",
    "IQD",
    "ISK",
    "JOD",
    "JPY",
    "KRW",
    "KWD",
    "LYD",
    "OMR",
    "PYG",
    "TND",
    "UGX",
    "VND",
    "XAF",
    "XOF",
)

VIEWS = (
    ("mine", "My queue"),
    ("unassigned", "Unassigned"),
    ("sla", "SLA under 4 h"),
    ("erp", "ERP rejects"),
    ("all", "All open"),
    ("resolved", "Resolved"),
)
SORTS: Mapping[str, Order] = {
    "severity": Order("severity_score"),
    "risk": Order("figure"),
    "age": Order("opened_at", descending=False),
    "sla": Order("due", descending=False),
}


def in_view(view: str, user: User) -> Q:
    """Return the condition of a saved view."""
    standing = ~Q(state=CaseState.RESOLVED)
    return {
        "mine": standing & Q(assignee=user),
        "unassigned": standing & Q(assignee=None),
        "sla": standing & ~Q(state=CaseState.SNOOZED) & Q(sla_due_at__lt=timezone.now() + SLA_SOON),
        "erp": standing & Q(code__startswith="ERP_"),
        "resolved": Q(state=CaseState.RESOLVED),
    }.get(view, standing)


def of_entity(entity: str) -> Q:
    """Return the condition for one entity; cases that belong to none concern everybody."""
    return Q(entity__in=("", entity)) if entity else Q()


def cases(view: str, user: User, entity: str = "") -> QuerySet[ExceptionCase]:
    """Return the cases of a view, unsorted."""
    return ExceptionCase.objects.filter(in_view(view, user), of_entity(entity))


def sortable(rows: QuerySet[ExceptionCase]) -> QuerySet[ExceptionCase]:
    """Add what the sorts need, and the owner. Figures of different currencies are compared as figures, unconverted."""
    thousandths = Case(
        *[When(currency=code, then=F("amount_at_risk_minor") * 10 ** (3 - exponent(code))) for code in _NOT_HUNDREDTHS],
        default=F("amount_at_risk_minor") * 10,
        output_field=BigIntegerField(),
    )
    return rows.annotate(figure=thousandths, due=Coalesce("sla_due_at", Value(NEVER))).select_related("assignee")


@dataclass(frozen=True)
class DeskHead:
    """The figures above the list."""

    standing: int
    late: int
    oldest: datetime | None
    tabs: list[tuple[str, str, int]]


def head(user: User, entity: str = "") -> DeskHead:
    """Count every view and the head's figures, in one query."""
    mine = ExceptionCase.objects.filter(of_entity(entity))
    standing = mine.exclude(state=CaseState.RESOLVED)
    late = standing.exclude(state=CaseState.SNOOZED).filter(sla_due_at__lt=timezone.now())
    lists = {name: mine.filter(in_view(name, user)) for name, _ in VIEWS}
    first = standing.order_by("opened_at").values("opened_at")
    found = count_each({**lists, "standing": standing, "late": late}, {"oldest": first})
    tabs = [(name, title, found[name]) for name, title in VIEWS]
    return DeskHead(found["standing"], found["late"], found["oldest"], tabs)


def people() -> QuerySet[User]:
    """Return those who may work on cases, for assigning."""
    holders = [role.value for role in HOLDERS[Ability.WORK_CASES]]
    return User.objects.filter(is_active=True, groups__name__in=holders).distinct().order_by("first_name", "username")


@dataclass(frozen=True)
class Record:
    """One occurrence as shown, and what starting it again is called ("" where nothing can be done from the desk)."""

    occurrence: Occurrence
    action: str


@dataclass(frozen=True)
class CaseFile:
    """One case with everything a person needs to decide."""

    case: ExceptionCase
    reason: Reason
    records: list[Record]
    events: list[CaseEvent]
    facts: list[tuple[str, Any]]
    can_retry: bool


def case_file(case_id: int) -> CaseFile | None:
    """Read one case, in three queries; None where there is no such case."""
    case = ExceptionCase.objects.select_related("assignee").filter(pk=case_id).first()
    if case is None:
        return None
    found = case.occurrences.order_by(F("cleared_at").asc(nulls_first=True), "-amount_minor", "id")
    records = [_record(row) for row in found[:OCCURRENCES_SHOWN_MAX]]
    return CaseFile(
        case=case,
        reason=REASONS[case.code],
        records=records,
        events=list(case.events.order_by("-at", "-id")[:EVENTS_SHOWN_MAX]),
        facts=[(name, value) for name, value in case.facts.items() if not isinstance(value, list)],
        can_retry=any(record.action and record.occurrence.cleared_at is None for record in records),
    )


def _record(occurrence: Occurrence) -> Record:
    action = action_for(occurrence.subject_type)
    return Record(occurrence, action.label if action else "")


def page_of_record(occurrence_id: int) -> str:
    """Return the page of a record, "" where there is none.

    Asked for when the link is followed, not when it is shown: finding some pages takes queries, and a case has many
    records.
    """
    row = Occurrence.objects.filter(pk=occurrence_id).first()
    action = action_for(row.subject_type) if row else None
    return action.link(row.subject_id) if row and action else ""
