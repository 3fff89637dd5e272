"""Revenue schedules, one row per version, with their months. Amounts are minor units."""

from django.db import models
from django.db.models.functions import Now

from finsync.canonical.models.envelope import Envelope


class RevenueSchedule(Envelope):
    """The plan of one contract at one schedule version; ``current`` marks the newest."""

    entity = models.CharField(max_length=20)
    contract_number = models.TextField(db_index=True)
    contract_version = models.IntegerField()
    schedule_id = models.TextField()
    schedule_version = models.IntegerField()
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    current = models.BooleanField(default=True)
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "revenue_schedule"
        constraints = [
            models.UniqueConstraint(fields=["aggregate_key", "schedule_version"], name="revenue_schedule_once"),
            models.UniqueConstraint(
                fields=["aggregate_key"], condition=models.Q(current=True), name="one_current_schedule"
            ),
        ]


class SchedulePeriod(models.Model):
    """Planned revenue of one month; ``ends_on`` is the first day after it."""

    schedule = models.ForeignKey(RevenueSchedule, models.CASCADE, related_name="periods")
    period = models.CharField(max_length=7)
    ends_on = models.DateField()
    amount_minor = models.BigIntegerField()

    class Meta:
        db_table = "schedule_period"
        constraints = [models.UniqueConstraint(fields=["schedule", "period"], name="schedule_period_once")]
        indexes = [models.Index(fields=["ends_on"], name="schedule_period_end")]
