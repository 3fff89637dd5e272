"""What finsync holds true, as the API says it. Every entity says where its present content comes from."""

from rest_framework import serializers

from finsync.canonical.models import (
    CanonicalChange,
    Contract,
    ContractVersion,
    Customer,
    Invoice,
    InvoiceLine,
    Payment,
    PaymentApplication,
    RevenueSchedule,
    SchedulePeriod,
    TaxLine,
)
from finsync.kit.serializers import Masked, MoneyField

ENVELOPE = (
    "canonical_id", "aggregate_key", "source_system", "source_object", "source_id", "source_version", "source_ts",
    "effective_date", "correlation_id", "change", "applied_at",
)  # fmt: skip


class ChangeSerializer(serializers.ModelSerializer):
    """One applied statement: what became true, from which event, and what was planned from it."""

    aggregate = serializers.CharField(source="aggregate_id", read_only=True)
    event = serializers.IntegerField(source="origin", read_only=True, help_text="The event it came from.")

    class Meta:
        model = CanonicalChange
        fields = (
            "id",
            "aggregate",
            "record_type",
            "business_key",
            "entity",
            "ordinal",
            "content_hash",
            "supersedes",
            "correlation_id",
            "event",
            "source_ts",
            "recorded_at",
            "explanation",
            "plan_state",
            "plan_explanation",
        )
        read_only_fields = fields


class ChangeDetailSerializer(ChangeSerializer):
    """One applied statement with the record it made true."""

    record = Masked()

    class Meta(ChangeSerializer.Meta):
        fields = (*ChangeSerializer.Meta.fields, "record")
        read_only_fields = fields


class CustomerSerializer(serializers.ModelSerializer):
    """A customer; the CRM account id is golden."""

    class Meta:
        model = Customer
        fields = ("id", "account_id", "name", "entity", "currency", "country", "tax_id", "active", *ENVELOPE)
        read_only_fields = fields


class ContractSerializer(serializers.ModelSerializer):
    """A contract at its newest applied version; ``price`` is the transaction price over all versions."""

    price = MoneyField("price_minor")

    class Meta:
        model = Contract
        fields = (
            "id",
            "entity",
            "number",
            "account_id",
            "currency",
            "current_version",
            "term_start",
            "term_end",
            "price",
        )
        read_only_fields = fields


class ContractVersionSerializer(serializers.ModelSerializer):
    """One version of a contract: what changed, from when, and what the change is worth."""

    added_price = MoneyField("added_price_minor", "contract.currency")

    class Meta:
        model = ContractVersion
        fields = (
            "id",
            "version",
            "change_type",
            "amendment_ref",
            "added_price",
            "added_price_explanation",
            "lines",
            "added",
            "proration",
            *ENVELOPE,
        )
        read_only_fields = fields


class ContractDetailSerializer(ContractSerializer):
    """A contract with all its versions, in order."""

    versions = ContractVersionSerializer(many=True, read_only=True)

    class Meta(ContractSerializer.Meta):
        fields = (*ContractSerializer.Meta.fields, "versions")
        read_only_fields = fields


class TaxLineSerializer(serializers.ModelSerializer):
    """Tax on one invoice line in one jurisdiction."""

    base = MoneyField("base_minor", "line.invoice.currency")
    amount = MoneyField("amount_minor", "line.invoice.currency")

    class Meta:
        model = TaxLine
        fields = ("tax_code", "jurisdiction", "rate", "base", "amount")
        read_only_fields = fields


class InvoiceLineSerializer(serializers.ModelSerializer):
    """One line of an invoice; ``service_end`` is the first day after the service period."""

    net = MoneyField("net_minor", "invoice.currency")
    taxes = TaxLineSerializer(many=True, read_only=True)

    class Meta:
        model = InvoiceLine
        fields = (
            "line_id",
            "description",
            "product",
            "quantity",
            "net",
            "service_start",
            "service_end",
            "proration",
            "revenue_treatment",
            "taxes",
        )
        read_only_fields = fields


class InvoiceSerializer(serializers.ModelSerializer):
    """An invoice at its newest state."""

    net = MoneyField("net_minor")
    tax = MoneyField("tax_minor")
    total = MoneyField("total_minor")
    paid = MoneyField("paid_minor")

    class Meta:
        model = Invoice
        fields = (
            "id",
            "entity",
            "number",
            "invoice_id",
            "account_id",
            "contract_number",
            "contract_version",
            "amendment_ref",
            "status",
            "currency",
            "invoice_date",
            "due_date",
            "net",
            "tax",
            "total",
            "paid",
            *ENVELOPE,
        )
        read_only_fields = fields


class InvoiceDetailSerializer(InvoiceSerializer):
    """An invoice with its lines and their tax."""

    lines = InvoiceLineSerializer(many=True, read_only=True)

    class Meta(InvoiceSerializer.Meta):
        fields = (*InvoiceSerializer.Meta.fields, "lines")
        read_only_fields = fields


class ApplicationSerializer(serializers.ModelSerializer):
    """The part of a payment that settles one invoice."""

    amount = MoneyField("amount_minor")

    class Meta:
        model = PaymentApplication
        fields = ("id", "sequence", "invoice_key", "amount", "applied_on", *ENVELOPE)
        read_only_fields = fields


class PaymentSerializer(serializers.ModelSerializer):
    """Money the gateway took, at its newest status."""

    amount = MoneyField("amount_minor")
    fee = MoneyField("fee_minor")

    class Meta:
        model = Payment
        fields = (
            "id",
            "entity",
            "payment_id",
            "account_id",
            "status",
            "currency",
            "amount",
            "fee",
            "method",
            "captured_on",
            "failure_code",
            *ENVELOPE,
        )
        read_only_fields = fields


class PaymentDetailSerializer(PaymentSerializer):
    """A payment with what it settles."""

    applications = ApplicationSerializer(many=True, read_only=True)

    class Meta(PaymentSerializer.Meta):
        fields = (*PaymentSerializer.Meta.fields, "applications")
        read_only_fields = fields


class PeriodSerializer(serializers.ModelSerializer):
    """Planned revenue of one month; ``ends_on`` is the first day after it."""

    amount = MoneyField("amount_minor", "schedule.currency")

    class Meta:
        model = SchedulePeriod
        fields = ("period", "ends_on", "amount")
        read_only_fields = fields


class ScheduleSerializer(serializers.ModelSerializer):
    """The revenue plan of one contract at one schedule version; ``current`` marks the newest."""

    total = MoneyField("total_minor")

    class Meta:
        model = RevenueSchedule
        fields = (
            "id",
            "entity",
            "contract_number",
            "contract_version",
            "schedule_id",
            "schedule_version",
            "currency",
            "total",
            "current",
            "recorded_at",
            *ENVELOPE,
        )
        read_only_fields = fields


class ScheduleDetailSerializer(ScheduleSerializer):
    """A revenue plan with its months."""

    periods = PeriodSerializer(many=True, read_only=True)

    class Meta(ScheduleSerializer.Meta):
        fields = (*ScheduleSerializer.Meta.fields, "periods")
        read_only_fields = fields
