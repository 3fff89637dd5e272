"""Payments and their application to invoices. Amounts are minor units."""

from django.db import models
from simple_history.models import HistoricalRecords

from finsync.canonical.models.envelope import Envelope


class Payment(Envelope):
    """Money the gateway took, at its newest status."""

    entity = models.CharField(max_length=20)
    payment_id = models.TextField(db_index=True)
    account_id = models.TextField(db_index=True)
    status = models.CharField(max_length=12)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(null=True)
    method = models.CharField(max_length=30, blank=True)
    captured_on = models.DateField()
    failure_code = models.TextField(blank=True)
    history = HistoricalRecords()

    class Meta:
        db_table = "payment"
        constraints = [models.UniqueConstraint(fields=["aggregate_key"], name="payment_once")]


class PaymentApplication(Envelope):
    """The part of a payment that settles one invoice."""

    entity = models.CharField(max_length=20)
    payment_id = models.TextField(db_index=True)
    sequence = models.IntegerField()
    account_id = models.TextField()
    invoice_key = models.TextField(db_index=True)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    applied_on = models.DateField()

    class Meta:
        db_table = "payment_application"
        constraints = [models.UniqueConstraint(fields=["aggregate_key"], name="payment_application_once")]
