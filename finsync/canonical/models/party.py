"""Legal entities and customers."""

from django.db import models
from simple_history.models import HistoricalRecords

from finsync.canonical.models.envelope import Envelope


class LegalEntity(models.Model):
    """A company of ours: its functional currency and time zone."""

    code = models.CharField(primary_key=True, max_length=20)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2)
    timezone = models.CharField(max_length=40, default="UTC")
    history = HistoricalRecords()

    class Meta:
        db_table = "legal_entity"

    def __str__(self) -> str:
        return self.code


class Customer(Envelope):
    """A customer; the CRM account id is golden."""

    account_id = models.TextField(unique=True)
    name = models.TextField()
    entity = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2, blank=True)
    tax_id = models.TextField(blank=True)
    active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        db_table = "customer"
        indexes = [models.Index(fields=["name"], name="customer_name")]

    def __str__(self) -> str:
        return self.name
