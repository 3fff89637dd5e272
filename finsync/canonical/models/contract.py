"""Contracts and their versions."""

from django.db import models
from simple_history.models import HistoricalRecords

from finsync.canonical.models.envelope import Envelope


class Contract(models.Model):
    """A contract at its newest applied version."""

    entity = models.CharField(max_length=20)
    number = models.TextField()
    account_id = models.TextField(db_index=True)
    currency = models.CharField(max_length=3)
    current_version = models.IntegerField()
    term_start = models.DateField()
    term_end = models.DateField()
    price_minor = models.BigIntegerField()  # transaction price over all versions, in the contract's currency
    history = HistoricalRecords()

    class Meta:
        db_table = "contract"
        constraints = [models.UniqueConstraint(fields=["entity", "number"], name="contract_number_once")]


class ContractVersion(Envelope):
    """One version of a contract: what changed, from when, and what the change is worth."""

    contract = models.ForeignKey(Contract, models.PROTECT, related_name="versions")
    version = models.IntegerField()
    change_type = models.CharField(max_length=10)
    amendment_ref = models.TextField(blank=True)
    added_price_minor = models.BigIntegerField()  # price of what this version adds, by its proration rule
    added_price_explanation = models.TextField(blank=True)
    lines = models.JSONField()
    added = models.JSONField()
    proration = models.JSONField()

    class Meta:
        db_table = "contract_version"
        constraints = [models.UniqueConstraint(fields=["contract", "version"], name="contract_version_once")]
