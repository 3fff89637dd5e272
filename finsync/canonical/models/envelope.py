"""The envelope every canonical entity carries (domain.md 1.1)."""

from django.db import models
from django.db.models import Func
from django.db.models.functions import Now


class Envelope(models.Model):
    """Where the row's present content comes from; earlier contents stand in the change log."""

    canonical_id = models.UUIDField(db_default=Func(function="uuidv7"), unique=True, editable=False)
    aggregate_key = models.TextField(db_index=True)
    source_system = models.CharField(max_length=60)
    source_object = models.CharField(max_length=40)
    source_id = models.TextField(db_index=True)
    source_version = models.TextField()
    source_ts = models.DateTimeField()
    effective_date = models.DateField(null=True)
    correlation_id = models.TextField(blank=True, db_index=True)
    content_hash = models.CharField(max_length=64)
    change = models.ForeignKey("canonical.CanonicalChange", models.PROTECT, related_name="+")
    applied_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
