"""One root cause is one case; each record that met it is an occurrence."""

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from finsync.core.lifecycle import CaseState


class ExceptionCase(models.Model):
    """A root cause that stops documents. Open cases are unique per ``fingerprint``: many equal failures are one.

    ``amount_at_risk_minor`` is the sum over open occurrences in ``currency``; where occurrences carry several
    currencies, ``at_risk`` holds the sum per currency and ``currency`` the largest.
    """

    fingerprint = models.CharField(max_length=64)
    code = models.CharField(max_length=40)
    title = models.TextField()
    explanation = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    owner_queue = models.CharField(max_length=8)
    severity_score = models.SmallIntegerField()
    priority = models.CharField(max_length=2)
    state = models.CharField(max_length=20, default=CaseState.OPEN)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    entity = models.CharField(max_length=20, blank=True)
    source_system = models.CharField(max_length=60, blank=True)
    target_system = models.CharField(max_length=60, blank=True)
    customer = models.TextField(blank=True)
    subject = models.TextField(blank=True)
    currency = models.CharField(max_length=3, blank=True)
    amount_at_risk_minor = models.BigIntegerField(default=0)
    at_risk = models.JSONField(default=dict)
    occurrence_count = models.IntegerField(default=0)
    open_count = models.IntegerField(default=0)
    reopened = models.IntegerField(default=0)
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    sla_due_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.TextField(blank=True)
    resolution = models.TextField(blank=True)
    version = models.IntegerField(default=0)
    history = HistoricalRecords(excluded_fields=["occurrence_count", "open_count", "last_seen_at", "at_risk"])

    class Meta:
        db_table = "exception_case"
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=~models.Q(state="RESOLVED"), name="one_open_case_per_cause"
            ),
            models.CheckConstraint(
                condition=models.Q(state="SNOOZED", snoozed_until__isnull=False)
                | (~models.Q(state="SNOOZED") & models.Q(snoozed_until__isnull=True)),
                name="snooze_always_ends",
            ),
            models.CheckConstraint(
                condition=models.Q(state="RESOLVED", resolved_at__isnull=False)
                | (~models.Q(state="RESOLVED") & models.Q(resolved_at__isnull=True)),
                name="resolved_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-severity_score", "id"], name="case_queue"),
            models.Index(fields=["code"], name="case_code"),
        ]

    @property
    def label(self) -> str:
        """The number people say: EXC-17."""
        return f"EXC-{self.pk}"


class Occurrence(models.Model):
    """One record that met the cause: what it was, what it is worth, and whether it still stands.

    ``subject_type`` and ``subject_id`` name the row (inbox, fact, change, posting, variance) so that every room can
    register what to do about it; ``blocking`` names the posting or fact that is parked.
    """

    case = models.ForeignKey(ExceptionCase, models.PROTECT, related_name="occurrences")
    subject_type = models.CharField(max_length=20)
    subject_id = models.BigIntegerField()
    business_key = models.TextField(blank=True)
    correlation_id = models.TextField(blank=True)
    currency = models.CharField(max_length=3, blank=True)
    amount_minor = models.BigIntegerField(default=0)
    detail = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    seen = models.IntegerField(default=1)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)
    cleared_by = models.TextField(blank=True)

    class Meta:
        db_table = "exception_occurrence"
        constraints = [
            models.UniqueConstraint(fields=["case", "subject_type", "subject_id"], name="one_occurrence_per_subject")
        ]
        indexes = [
            models.Index(
                fields=["subject_type", "subject_id"],
                condition=models.Q(cleared_at__isnull=True),
                name="occurrence_open_subject",
            ),
            models.Index(fields=["business_key"], name="occurrence_key"),
        ]


class CaseEvent(models.Model):
    """What was done to a case, by whom, in words: the case's own diary (append-only)."""

    case = models.ForeignKey(ExceptionCase, models.PROTECT, related_name="events")
    at = models.DateTimeField()
    actor = models.TextField()
    action = models.CharField(max_length=30)
    note = models.TextField(blank=True)
    facts = models.JSONField(default=dict)

    class Meta:
        db_table = "exception_case_event"
