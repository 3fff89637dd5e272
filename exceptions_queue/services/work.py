"""What people do to a case. Every function checks the state, writes the case's diary, and runs under a named actor."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from exceptions_queue.models import ExceptionCase
from exceptions_queue.services.cases import close, log
from exceptions_queue.services.registry import action_for
from finsync.audit.services import current_actor, recording
from finsync.core.lifecycle import CaseState, allowed

RETRIED_PER_CALL_MAX = 500


class NotPossible(Exception):
    """The action does not fit the case as it stands; the message says what to do instead."""


def _locked(case_id: int, to: str, version: int | None) -> ExceptionCase:
    case = ExceptionCase.objects.select_for_update().get(pk=case_id)
    if version is not None and version != case.version:
        raise NotPossible(f"{case.label} was changed by somebody else meanwhile. Look at it again.")
    if case.state != to and not allowed("case", case.state, to):
        raise NotPossible(f"{case.label} is {case.state.lower()}; it cannot become {to.lower()}.")
    return case


def assign(case_id: int, person: AbstractBaseUser | None, version: int | None = None) -> ExceptionCase:
    """Give a case to a person, or back to its queue with None. Raises NotPossible."""
    to = CaseState.ASSIGNED if person is not None else CaseState.OPEN
    with recording():
        case = _locked(case_id, to, version)
        if case.state == CaseState.RESOLVED:  # only the failure itself opens a case again
            raise NotPossible(f"{case.label} is resolved; it opens again when the failure happens again.")
        if case.state == to and case.assignee_id == (person.pk if person is not None else None):
            whose = f"assigned to {person.get_username()}" if person is not None else "in its queue"
            raise NotPossible(f"{case.label} is already {whose}.")
        case.state, case.snoozed_until, case.assignee = to, None, person
        case.version += 1
        case.save()
        log(case, "assigned" if person is not None else "returned", person.get_username() if person else "")
    return case


def resolve(case_id: int, reason: str, version: int | None = None) -> ExceptionCase:
    """Close a case by hand, with a reason. The failure reopens it when it happens again. Raises NotPossible."""
    if not reason.strip():
        raise NotPossible("Say why: a case is resolved with a reason.")
    with recording():
        case = _locked(case_id, CaseState.RESOLVED, version)
        if case.state == CaseState.RESOLVED:
            raise NotPossible(f"{case.label} is already resolved.")
        close(case, by=current_actor(), resolution=reason.strip())
    return case


def snooze(case_id: int, until: datetime, version: int | None = None) -> ExceptionCase:
    """Put a case off until a time; a snooze always has an end. Raises NotPossible."""
    if until <= timezone.now():
        raise NotPossible("The snooze must end in the future.")
    with recording():
        case = _locked(case_id, CaseState.SNOOZED, version)
        case.state, case.snoozed_until = CaseState.SNOOZED, until
        case.version += 1
        case.save()
        log(case, "snoozed", f"until {until:%Y-%m-%d %H:%M} UTC")
    return case


def comment(case_id: int, text: str) -> None:
    """Write into the case's diary. Raises NotPossible for an empty text."""
    if not text.strip():
        raise NotPossible("Write something first.")
    with recording():
        log(ExceptionCase.objects.get(pk=case_id), "commented", text.strip())


def retry(case_id: int) -> tuple[int, list[str]]:
    """Start every record of the case again through its room's own action.

    Returns how many were started and, for those that were not, why. Nothing is sent blindly: a posting that was sent
    before is looked up first (reliability.md R9).
    """
    case = ExceptionCase.objects.get(pk=case_id)
    started, problems = 0, []
    standing = case.occurrences.filter(cleared_at=None).order_by("id")[:RETRIED_PER_CALL_MAX]
    for occurrence in standing:
        action = action_for(occurrence.subject_type)
        if action is None:
            problems.append(f"{occurrence.business_key or occurrence.subject_id}: nothing can be started from here.")
            continue
        try:
            action.perform(occurrence.subject_id, current_actor())
            started += 1
        except NotPossible as refusal:
            problems.append(f"{occurrence.business_key or occurrence.subject_id}: {refusal}")
    with recording():
        log(case, "retried", f"{started} started, {len(problems)} not", {"problems": problems[:20]})
    return started, problems


def wake_snoozed() -> int:
    """Bring back cases whose snooze has ended; returns how many."""
    with recording("system:desk"):
        due = ExceptionCase.objects.select_for_update(skip_locked=True).filter(
            state=CaseState.SNOOZED, snoozed_until__lte=timezone.now()
        )
        cases = list(due[:RETRIED_PER_CALL_MAX])
        for case in cases:
            case.state = CaseState.ASSIGNED if case.assignee_id else CaseState.OPEN
            case.snoozed_until = None
            case.version += 1
            case.save()
            log(case, "snooze ended")
    return len(cases)
