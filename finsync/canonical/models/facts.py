"""Facts, lanes and changes: how statements of other systems become what finsync holds true, in order."""

from django.db import models
from django.db.models.functions import Now

from finsync.core.lifecycle import FactState


class Aggregate(models.Model):
    """One lane: the facts of one contract, customer or document are applied one after another.

    ``next_action_at`` is null when nothing is due. Lanes are claimed, not facts, so that claiming stays flat however
    long the backlog is (performance.md, lane table).
    """

    key = models.TextField(primary_key=True)
    record_type = models.CharField(max_length=30)
    ordinal = models.BigIntegerField(null=True)
    content_hash = models.CharField(max_length=64, blank=True)
    next_action_at = models.DateTimeField(null=True)
    failures = models.SmallIntegerField(default=0)
    blocked = models.BooleanField(default=False)
    blocked_reason = models.TextField(blank=True)

    class Meta:
        db_table = "aggregate"
        indexes = [
            models.Index(
                fields=["next_action_at"],
                condition=models.Q(next_action_at__isnull=False, blocked=False),
                name="aggregate_due",
            )
        ]


class Fact(models.Model):
    """One record as one system stated it, waiting for its turn or kept as evidence of why it was not applied.

    Facts, not events, are unique: the same statement by webhook and by poll is one row.
    """

    aggregate = models.ForeignKey(Aggregate, models.PROTECT, related_name="facts", db_column="aggregate_key")
    record_type = models.CharField(max_length=30)
    source_system = models.CharField(max_length=60)
    ordinal = models.BigIntegerField()
    version_kind = models.CharField(max_length=10)
    content_hash = models.CharField(max_length=64)
    record = models.JSONField()
    origin = models.BigIntegerField()  # the inbox message it came from; the doors are a floor above, hence no FK
    state = models.CharField(max_length=12, default=FactState.PENDING)
    explanation = models.TextField(blank=True)
    held_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "fact"
        constraints = [
            models.UniqueConstraint(fields=["aggregate", "ordinal", "content_hash"], name="fact_once"),
        ]
        indexes = [
            models.Index(
                fields=["aggregate", "ordinal", "id"],
                condition=models.Q(state__in=("PENDING", "HELD")),
                name="fact_waiting",
            ),
            models.Index(fields=["origin"], name="fact_origin"),
        ]


class FactWait(models.Model):
    """A fact held until another aggregate has been applied at least up to ``ordinal``."""

    fact = models.ForeignKey(Fact, models.CASCADE, related_name="waits")
    aggregate_key = models.TextField()
    ordinal = models.BigIntegerField(default=0)

    class Meta:
        db_table = "fact_wait"
        constraints = [models.UniqueConstraint(fields=["fact", "aggregate_key"], name="fact_wait_once")]
        indexes = [models.Index(fields=["aggregate_key"], name="fact_wait_key")]


class CanonicalChange(models.Model):
    """One applied statement: what became true, by which fact, superseding which earlier change. Append-only.

    Only the planning columns at the end ever change; a trigger refuses everything else.
    """

    aggregate = models.ForeignKey(Aggregate, models.PROTECT, related_name="changes", db_column="aggregate_key")
    record_type = models.CharField(max_length=30)
    business_key = models.TextField()
    entity = models.CharField(max_length=20, blank=True)
    ordinal = models.BigIntegerField()
    content_hash = models.CharField(max_length=64)
    record = models.JSONField()
    fact = models.OneToOneField(Fact, models.PROTECT, related_name="change")
    supersedes = models.OneToOneField("self", models.PROTECT, null=True, related_name="superseded_by")
    correlation_id = models.TextField(blank=True)
    origin = models.BigIntegerField()
    source_ts = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    explanation = models.TextField(blank=True)
    plan_state = models.CharField(max_length=8, default="PENDING")  # PENDING, PLANNED, NOTHING, FAILED
    plan_explanation = models.TextField(blank=True)
    next_action_at = models.DateTimeField(null=True, db_default=Now())
    plan_attempts = models.SmallIntegerField(default=0)

    class Meta:
        db_table = "canonical_change"
        indexes = [
            models.Index(
                fields=["next_action_at", "id"], condition=models.Q(next_action_at__isnull=False), name="change_due"
            ),
            models.Index(fields=["correlation_id"], name="change_correlation"),
            models.Index(fields=["aggregate", "-ordinal"], name="change_newest"),
            models.Index(fields=["business_key"], name="change_business_key"),
        ]


class SourceAlias(models.Model):
    """Identity crosswalk: many source ids, one canonical aggregate."""

    system = models.CharField(max_length=60)
    object = models.CharField(max_length=40)
    source_id = models.TextField()
    aggregate_key = models.TextField(db_index=True)
    first_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "source_alias"
        constraints = [models.UniqueConstraint(fields=["system", "object", "source_id"], name="source_alias_once")]


class FetchWish(models.Model):
    """Something to fetch from its source: a missing version, a missing parent, a tie. The doors drain this table.

    ``source_id`` is as connectors.contract ``fetch`` wants it; ``system`` is a connection name, "" where any connection
    that owns the record type will do. ``aggregate_key`` is what waits to be applied.
    """

    record_type = models.CharField(max_length=30)
    system = models.CharField(max_length=60, blank=True)
    source_id = models.TextField()
    aggregate_key = models.TextField()
    reason = models.TextField()
    next_action_at = models.DateTimeField(null=True, db_default=Now())
    attempts = models.SmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True)
    answer = models.TextField(blank=True)

    class Meta:
        db_table = "fetch_wish"
        constraints = [
            models.UniqueConstraint(
                fields=["record_type", "system", "source_id"],
                condition=models.Q(answered_at__isnull=True),
                name="one_open_fetch_wish",
            )
        ]
        indexes = [
            models.Index(
                fields=["next_action_at"], condition=models.Q(next_action_at__isnull=False), name="fetch_wish_due"
            )
        ]
