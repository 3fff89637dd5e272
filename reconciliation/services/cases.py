"""The desk and the breaks: what stands is raised under its cause, what a later run finds tied is taken off."""

from datetime import datetime, timedelta

from django.utils import timezone

from exceptions_queue.models import Occurrence
from exceptions_queue.services import Subject, clear_subject, raise_case
from finsync.core.fingerprint import fingerprint
from finsync.core.lifecycle import CaseState
from finsync.core.matching.variance import AGREEING, MAY_BE_OPEN_AT_SIGN_OFF
from reconciliation.causes import Cause, cause_of
from reconciliation.controls import Control
from reconciliation.models import Break, Run, Variance
from reconciliation.services.store import evidence

SUBJECT_TYPE = "variance"
RAISED_PER_RUN_MAX = 200  # the rest follows in the next runs
LOOKED_AT_PER_RUN_MAX = 5_000  # breaks, the largest amounts first
SEEN_AGAIN_SECONDS = 3_600  # a break that stands unchanged is put on its case again only so often
_QUIET = sorted(AGREEING | MAY_BE_OPEN_AT_SIGN_OFF)


def clear(run: Run, break_ids: list[int]) -> None:
    """Take breaks off the desk that this run found to be over."""
    on_desk = Occurrence.objects.filter(subject_type=SUBJECT_TYPE, subject_id__in=break_ids, cleared_at=None)
    for break_id in sorted(set(on_desk.values_list("subject_id", flat=True))):
        clear_subject(SUBJECT_TYPE, break_id, evidence=evidence(run))


def raise_all(run: Run, control: Control) -> int:
    """Put the breaks of this run on the desk, one case per cause; returns how many. On its way is no exception.

    What is new or changed goes first. Breaks of contracts are always looked at again: their cause may have moved on.
    """
    standing = Break.objects.filter(control=control.code, last_run=run, cleared_at=None)
    broken = list(standing.exclude(break_class__in=_QUIET).order_by("-at_risk_minor", "pk")[:LOOKED_AT_PER_RUN_MAX])
    variances = {row.standing_id: row for row in Variance.objects.filter(run=run, standing__in=broken)}
    seen = _seen_on_desk(broken)
    recently = timezone.now() - timedelta(seconds=SEEN_AGAIN_SECONDS)

    def known(each: Break) -> bool:
        return each.pk in seen and seen[each.pk][0] == _detail(control, each, variances[each.pk])

    due = [each for each in broken if control.about_contract or not known(each) or seen[each.pk][1] < recently]
    due.sort(key=known)  # stable: among the new the largest stays first
    for each in due[:RAISED_PER_RUN_MAX]:
        _raise(cause_of(run, control, each, variances[each.pk]), control, each, variances[each.pk])
    return min(len(due), RAISED_PER_RUN_MAX)


def _seen_on_desk(broken: list[Break]) -> dict[int, tuple[str, datetime]]:
    """What the desk says of each break and when it last heard of it; a case closed by hand has not heard."""
    rows = Occurrence.objects.filter(
        subject_type=SUBJECT_TYPE, subject_id__in=[each.pk for each in broken], cleared_at=None
    ).exclude(case__state=CaseState.RESOLVED)
    return {pk: (detail, at) for pk, detail, at in rows.values_list("subject_id", "detail", "last_seen_at")}


def _detail(control: Control, broken: Break, variance: Variance) -> str:
    return f"{control.code} {broken.key}: {variance.explanation}"


def _raise(cause: Cause, control: Control, broken: Break, variance: Variance) -> None:
    _leave_other_causes(cause, broken)
    raise_case(
        cause.code,
        dimensions=cause.dimensions,
        subject=Subject(
            type=SUBJECT_TYPE,
            id=broken.pk,
            business_key=broken.key,
            amount=cause.amount,
            detail=_detail(control, broken, variance),
            facts={
                "control": control.code,
                "break_class": broken.break_class,
                "run": broken.last_run_id,
                "period": broken.period,
            },
        ),
        entity=broken.entity,
        source=cause.source,
        target=cause.target,
        customer=cause.customer,
        title=cause.title,
        explanation=cause.explanation,
        remedy=cause.remedy,
        facts=cause.facts,
    )


def _leave_other_causes(cause: Cause, broken: Break) -> None:
    """A break has one cause at a time: it leaves the case of the one it had before."""
    mark = fingerprint(cause.code, **cause.dimensions)
    others = Occurrence.objects.filter(subject_type=SUBJECT_TYPE, subject_id=broken.pk, cleared_at=None)
    for code in set(others.exclude(case__fingerprint=mark).values_list("case__code", flat=True)):
        clear_subject(SUBJECT_TYPE, broken.pk, evidence=f"its cause is another now: {cause.code}", code=code)
