"""Subscriptions, invoices, their lines and tax. Amounts are minor units of the document's currency."""

from django.db import models
from simple_history.models import HistoricalRecords

from finsync.canonical.models.envelope import Envelope


class Subscription(Envelope):
    """A subscription as billing runs it."""

    entity = models.CharField(max_length=20)
    subscription_id = models.TextField(db_index=True)
    account_id = models.TextField(db_index=True)
    contract_number = models.TextField(blank=True)
    contract_version = models.IntegerField()
    status = models.CharField(max_length=30)
    currency = models.CharField(max_length=3)
    product = models.TextField()
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    unit_price_minor = models.BigIntegerField()
    period_start = models.DateField()
    period_end = models.DateField()
    history = HistoricalRecords()

    class Meta:
        db_table = "subscription"
        constraints = [models.UniqueConstraint(fields=["aggregate_key"], name="subscription_once")]


class Invoice(Envelope):
    """An invoice at its newest state."""

    entity = models.CharField(max_length=20)
    number = models.TextField(db_index=True)
    invoice_id = models.TextField(db_index=True)
    account_id = models.TextField(db_index=True)
    contract_number = models.TextField(blank=True, db_index=True)
    contract_version = models.IntegerField()
    amendment_ref = models.TextField(blank=True)
    status = models.CharField(max_length=15)
    currency = models.CharField(max_length=3)
    invoice_date = models.DateField()
    due_date = models.DateField(null=True)
    net_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    paid_minor = models.BigIntegerField(default=0)
    history = HistoricalRecords()

    class Meta:
        db_table = "invoice"
        constraints = [
            models.UniqueConstraint(fields=["aggregate_key"], name="invoice_once"),
            models.CheckConstraint(
                condition=models.Q(total_minor=models.F("net_minor") + models.F("tax_minor")),
                name="invoice_total_is_net_plus_tax",
            ),
        ]


class InvoiceLine(models.Model):
    """One line of an invoice; service period ``[service_start, service_end)``."""

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    line_id = models.TextField()
    description = models.TextField(blank=True)
    product = models.TextField(blank=True)
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    net_minor = models.BigIntegerField()
    service_start = models.DateField(null=True)
    service_end = models.DateField(null=True)
    proration = models.BooleanField(default=False)
    revenue_treatment = models.CharField(max_length=10)

    class Meta:
        db_table = "invoice_line"
        constraints = [models.UniqueConstraint(fields=["invoice", "line_id"], name="invoice_line_once")]


class TaxLine(models.Model):
    """Tax on one invoice line in one jurisdiction."""

    line = models.ForeignKey(InvoiceLine, models.CASCADE, related_name="taxes")
    tax_code = models.TextField()
    jurisdiction = models.TextField(blank=True)
    rate = models.DecimalField(max_digits=12, decimal_places=8)
    base_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        db_table = "tax_line"
        constraints = [models.UniqueConstraint(fields=["line", "tax_code"], name="tax_line_once")]
