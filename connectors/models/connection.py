"""A configured outside system: address, credentials, pace, health."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from finsync.kit.encryption import seal, unseal


class ConnectionState(models.TextChoices):
    """ACTIVE works; WAITING has never answered yet (an ERP still being set up); PAUSED has a failing route."""

    ACTIVE = "ACTIVE"
    WAITING = "WAITING"
    PAUSED = "PAUSED"


class Connection(models.Model):
    """One outside system as finsync reaches it.

    ``roles`` say what it is to us (crm, billing, gateway, revenue, erp); ``entities`` which legal entities it serves
    (empty: all). ``real`` tells a real counterparty from a sandbox double. Pace: ``rate_per_second`` and
    ``concurrency_max`` are the vendor's limits, ``concurrency_now`` adapts below them (halved on 429, +1 a minute).
    ``quiesce_seconds`` and ``lag_seconds`` are reliability.md 3.3's constants for class C.
    """

    name = models.SlugField(unique=True, max_length=60)
    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=80)
    roles = ArrayField(models.CharField(max_length=10), default=list)
    entities = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    real = models.BooleanField(default=True)
    base_url = models.URLField(max_length=300)
    options = models.JSONField(default=dict, blank=True)
    sealed_secrets = models.BinaryField(default=bytes, blank=True)
    state = models.CharField(max_length=10, choices=ConnectionState, default=ConnectionState.ACTIVE)
    state_reason = models.TextField(blank=True)
    probe_at = models.DateTimeField(null=True)
    failures_in_a_row = models.IntegerField(default=0)
    last_success_at = models.DateTimeField(null=True)
    last_failure_at = models.DateTimeField(null=True)
    last_failure = models.TextField(blank=True)
    rate_per_second = models.DecimalField(max_digits=8, decimal_places=2, default=20)
    tokens = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    tokens_at = models.DateTimeField(db_default=Now())
    concurrency_max = models.SmallIntegerField(default=4)
    concurrency_now = models.SmallIntegerField(default=4)
    concurrency_changed_at = models.DateTimeField(db_default=Now())
    not_before = models.DateTimeField(null=True)
    read_timeout_seconds = models.SmallIntegerField(default=30)
    lease_seconds = models.IntegerField(default=180)
    quiesce_seconds = models.IntegerField(default=900)
    lag_seconds = models.IntegerField(default=300)
    history = HistoricalRecords(
        excluded_fields=[
            "sealed_secrets",
            "tokens",
            "tokens_at",
            "concurrency_now",
            "concurrency_changed_at",
            "last_success_at",
            "last_failure_at",
            "last_failure",
            "failures_in_a_row",
            "probe_at",
            "not_before",
        ]
    )

    class Meta:
        db_table = "connection"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(concurrency_now__gte=1, concurrency_now__lte=models.F("concurrency_max")),
                name="concurrency_between_one_and_max",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def open_secrets(self) -> dict[str, Any]:
        """Return the decrypted credentials; never log them."""
        return unseal(self.sealed_secrets, f"connection:{self.name}:secrets") if self.sealed_secrets else {}

    def seal_secrets(self, secrets: dict[str, str]) -> None:
        """Encrypt credentials into the row; the caller saves it."""
        self.sealed_secrets = seal(secrets, f"connection:{self.name}:secrets")


class WebhookSecret(models.Model):
    """One of two signing secrets of a connection's webhook door; both may be live while one is rotated."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="webhook_secrets")
    slot = models.SmallIntegerField()
    sealed = models.BinaryField()
    not_before = models.DateTimeField(db_default=Now())
    not_after = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_secret"
        constraints = [
            models.UniqueConstraint(fields=["connection", "slot"], name="webhook_secret_slot"),
            models.CheckConstraint(condition=models.Q(slot__in=(1, 2)), name="webhook_secret_two_slots"),
        ]

    def open(self) -> str:
        """Return the secret."""
        return str(unseal(self.sealed, f"webhook_secret:{self.connection_id}:{self.slot}")["secret"])

    def seal(self, secret: str) -> None:
        """Encrypt the secret into the row; the caller saves it."""
        self.sealed = seal({"secret": secret}, f"webhook_secret:{self.connection_id}:{self.slot}")


class Cursor(models.Model):
    """How far one poll stream of a connection has been read, when it is due again, and what it healed."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="cursors")
    stream = models.CharField(max_length=40)
    position = models.TextField(blank=True)
    next_action_at = models.DateTimeField(db_default=Now())
    polled_at = models.DateTimeField(null=True)
    items_seen = models.BigIntegerField(default=0)
    items_missed_by_webhook = models.BigIntegerField(default=0)
    failures_in_a_row = models.IntegerField(default=0)

    class Meta:
        db_table = "poll_cursor"
        constraints = [models.UniqueConstraint(fields=["connection", "stream"], name="poll_cursor_stream")]
