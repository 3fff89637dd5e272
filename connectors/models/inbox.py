"""The inbox: every letter kept as it came."""

from django.db import models
from django.db.models.functions import Now

from connectors.models.connection import Connection
from finsync.core.lifecycle import InboxState


class Channel(models.TextChoices):
    """How a letter reached us."""

    WEBHOOK = "webhook"
    POLL = "poll"
    FETCH = "fetch"
    FILE = "file"


class InboxMessage(models.Model):
    """One letter: raw bytes before anything was parsed, redacted headers, and what became of it.

    ``event_id`` is unique per connection for the life of the inbox: a replayed or repeated delivery is a no-op.
    """

    connection = models.ForeignKey(Connection, models.PROTECT, related_name="messages")
    channel = models.CharField(max_length=8, choices=Channel)
    event_id = models.CharField(max_length=200)
    object = models.CharField(max_length=80, blank=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    source_ts = models.DateTimeField(null=True)
    received_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=12, default=InboxState.RECEIVED, db_default=InboxState.RECEIVED)
    next_action_at = models.DateTimeField(null=True, db_default=Now())
    attempts = models.SmallIntegerField(default=0, db_default=0)
    replays = models.SmallIntegerField(default=0, db_default=0)
    deliveries = models.IntegerField(default=1, db_default=1)
    reason_code = models.CharField(max_length=40, blank=True, db_default="")
    reason = models.TextField(blank=True, db_default="")
    processed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "inbox_message"
        constraints = [
            models.UniqueConstraint(fields=["connection", "event_id"], name="inbox_event_once"),
            models.CheckConstraint(
                condition=~models.Q(state="RECEIVED") | models.Q(next_action_at__isnull=False), name="inbox_liveness"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_action_at", "id"], condition=models.Q(next_action_at__isnull=False), name="inbox_due"
            ),
            models.Index(fields=["-received_at"], name="inbox_newest"),
            models.Index(fields=["state", "-id"], name="inbox_state"),
        ]
