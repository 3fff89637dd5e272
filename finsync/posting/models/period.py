"""Accounting periods as the ERP holds them."""

from django.db import models
from django.db.models.functions import Now

from connectors.models import Connection


class AccountingPeriod(models.Model):
    """One period of one entity in one ERP; ``[start, end)``. Refreshed from the ERP, which owns it."""

    connection = models.ForeignKey(Connection, models.CASCADE)
    entity = models.CharField(max_length=20)
    label = models.CharField(max_length=20)
    start = models.DateField()
    end = models.DateField()
    open = models.BooleanField()
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "accounting_period"
        constraints = [models.UniqueConstraint(fields=["connection", "entity", "start"], name="accounting_period_once")]
