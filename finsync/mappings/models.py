"""Rule sets and mapping sets as immutable versions."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from finsync.core.lifecycle import MappingState


class MappingVersion(models.Model):
    """One version of one rule set (``rules:invoice.issued``) or mapping set (``set:ar_control``).

    ``document`` is the whole table as data (architecture.md 6); ``content_hash`` its sha256. The database refuses a
    version approved by its author, a second ACTIVE version of one name and any edit of a version once submitted.
    The approval workflow stands on these rows.
    """

    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=12)  # rules or mapping_set
    version = models.IntegerField()
    base_version = models.IntegerField(default=0)
    document = models.JSONField()
    content_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, default=MappingState.DRAFT)
    effective_from = models.DateField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    reason = models.TextField(blank=True)

    class Meta:
        db_table = "mapping_version"
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="mapping_version_once"),
            models.UniqueConstraint(
                fields=["name", "base_version"],
                name="mapping_one_successor",
                condition=~models.Q(state__in=("DRAFT", "SUBMITTED", "REJECTED")),
            ),
            models.UniqueConstraint(fields=["name"], condition=models.Q(state="ACTIVE"), name="one_active_mapping"),
            models.CheckConstraint(condition=~models.Q(author=models.F("approver")), name="author_is_not_approver"),
            models.CheckConstraint(
                condition=models.Q(state__in=("DRAFT", "SUBMITTED", "REJECTED"))
                | models.Q(approver__isnull=False, approved_at__isnull=False),
                name="live_means_approved",
            ),
            models.CheckConstraint(condition=models.Q(base_version=models.F("version") - 1), name="base_is_previous"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
