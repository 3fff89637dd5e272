"""Raising and clearing: one root cause is one case, later evidence closes it (domain.md 7)."""

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone

from exceptions_queue.models import CaseEvent, ExceptionCase, Occurrence
from finsync.audit.services import current_actor
from finsync.core.fingerprint import Dimension, fingerprint
from finsync.core.lifecycle import CaseState
from finsync.core.money import Money
from finsync.core.reasons import REASONS
from finsync.core.severity import score, sla_due

UTC = zoneinfo.ZoneInfo("UTC")
DETAIL_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The record that failed: which row it is, what it is worth, and what was wrong with it in words."""

    type: str
    id: int
    business_key: str = ""
    correlation_id: str = ""
    amount: Money | None = None
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def raise_case(
    code: str,
    *,
    dimensions: Mapping[str, Dimension],
    subject: Subject,
    entity: str = "",
    source: str = "",
    target: str = "",
    customer: str = "",
    title: str = "",
    explanation: str = "",
    remedy: str = "",
    facts: Mapping[str, Any] | None = None,
) -> ExceptionCase:
    """Put a failure on the desk: open its case, or add an occurrence to the one that stands for the same cause.

    ``code`` is a reason of core.reasons; ``dimensions`` its root cause (core.fingerprint); ``source`` and ``target``
    are connection names. Amounts are minor units with their currency. Must run inside ``recording``.
    """
    reason = REASONS[code]
    mark = fingerprint(code, **dimensions)
    _serialise(mark)
    now = timezone.now()
    case = ExceptionCase.objects.filter(fingerprint=mark).exclude(state=CaseState.RESOLVED).first()
    if case is None:
        case = ExceptionCase(
            fingerprint=mark,
            code=code,
            title=title or reason.title,
            explanation=explanation or reason.sentence,
            remedy=remedy or reason.remedy,
            owner_queue=reason.owner,
            severity_score=0,
            priority="P4",
            entity=entity,
            source_system=source,
            target_system=target,
            customer=customer,
            subject=subject.business_key,
            facts=dict(facts or {}),
            opened_at=now,
            last_seen_at=now,
            reopened=ExceptionCase.objects.filter(fingerprint=mark).count(),
        )
        rate(case)
        case.save()
        log(case, "reopened" if case.reopened else "opened", subject.detail)
    elif explanation and case.explanation != explanation:
        case.explanation = explanation
        case.facts = {**case.facts, **(facts or {})}
    _add_occurrence(case, subject, now)
    refresh(case, now)
    return case


def clear_subject(subject_type: str, subject_id: int, *, evidence: str, code: str = "") -> int:
    """Take a record off every case it is on (of one ``code`` only where given) and close cases that have none left.

    ``evidence`` says what was seen ("posted as INV2026-1"). Returns how many cases closed. Inside ``recording``.
    """
    standing = Occurrence.objects.filter(subject_type=subject_type, subject_id=subject_id, cleared_at=None)
    if code:
        standing = standing.filter(case__code=code)
    closed = 0
    for occurrence in standing.select_related("case"):
        _serialise(occurrence.case.fingerprint)
        occurrence.cleared_at = timezone.now()
        occurrence.cleared_by = evidence
        occurrence.save(update_fields=["cleared_at", "cleared_by"])
        case = ExceptionCase.objects.select_for_update().get(pk=occurrence.case_id)
        refresh(case, case.last_seen_at)
        if case.open_count == 0 and case.state != CaseState.RESOLVED:
            close(case, by=current_actor(), resolution=f"Resolved by later evidence: {evidence}")
            closed += 1
    return closed


def on_desk(subject_type: str, subject_id: int) -> bool:
    """Whether a record stands on an open case."""
    standing = Occurrence.objects.filter(subject_type=subject_type, subject_id=subject_id, cleared_at=None)
    return standing.exclude(case__state=CaseState.RESOLVED).exists()


def close(case: ExceptionCase, *, by: str, resolution: str) -> None:
    """Resolve a case with a reason. The caller has checked that this is allowed."""
    case.state = CaseState.RESOLVED
    case.snoozed_until = None
    case.resolved_at = timezone.now()
    case.resolved_by = by
    case.resolution = resolution
    case.version += 1
    case.save()
    log(case, "resolved", resolution)


def refresh(case: ExceptionCase, seen_at: Any) -> None:
    """Recount a case from its occurrences: how many, how much per currency, and what that makes of its severity."""
    counts = case.occurrences.aggregate(all=Count("id"), open=Count("id", filter=Q(cleared_at=None)))
    sums = (
        case.occurrences.filter(cleared_at=None)
        .exclude(currency="")
        .values("currency")
        .annotate(total=Sum("amount_minor"))
        .order_by("-total")
    )
    case.at_risk = {row["currency"]: int(row["total"]) for row in sums}
    case.currency, case.amount_at_risk_minor = next(iter(case.at_risk.items()), (case.currency, 0))
    case.occurrence_count, case.open_count = counts["all"], counts["open"]
    case.last_seen_at = max(case.last_seen_at, seen_at)
    rate(case)
    case.save()


def rate(case: ExceptionCase) -> None:
    """Set score, priority and due time from what is at risk now; the due time never moves later."""
    at_risk = Money(case.amount_at_risk_minor, case.currency) if case.currency else None
    now = timezone.now()
    missed = 1 if case.sla_due_at is not None and case.sla_due_at < now else 0
    severity = score(REASONS[case.code], at_risk, None, missed)
    case.severity_score, case.priority = severity.score, severity.priority
    due = sla_due(severity.priority, case.opened_at, UTC)
    case.sla_due_at = due if case.sla_due_at is None else min(case.sla_due_at, due)


def _add_occurrence(case: ExceptionCase, subject: Subject, now: Any) -> None:
    amount = subject.amount
    values = {
        "business_key": subject.business_key,
        "correlation_id": subject.correlation_id,
        "currency": amount.currency if amount is not None else "",
        "amount_minor": abs(amount.minor) if amount is not None else 0,
        "detail": subject.detail[:DETAIL_CHARACTERS_MAX],
        "facts": dict(subject.facts),
        "last_seen_at": now,
        "cleared_at": None,
        "cleared_by": "",
    }
    occurrence, created = Occurrence.objects.get_or_create(
        case=case, subject_type=subject.type, subject_id=subject.id, defaults={**values, "first_seen_at": now}
    )
    if not created:
        for name, value in values.items():
            setattr(occurrence, name, value)
        occurrence.seen += 1
        occurrence.save()


def log(case: ExceptionCase, action: str, note: str = "", facts: Mapping[str, Any] | None = None) -> None:
    CaseEvent.objects.create(
        case=case, at=timezone.now(), actor=current_actor(), action=action, note=note, facts=dict(facts or {})
    )


def _serialise(mark: str) -> None:
    """One writer per root cause at a time, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [mark])
