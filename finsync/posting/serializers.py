"""Postings as the API says them: the document, the journal, what it waits for, every attempt and every move."""

from typing import Any

from rest_framework import serializers

from finsync.core.lifecycle import PostingState
from finsync.kit.serializers import Masked, MoneyField
from finsync.mappings.serializers import MappingLinkSerializer
from finsync.posting.models import Attempt, Need, Posting, PostingLine, PostingMove


class PostingSerializer(serializers.ModelSerializer):
    """One document finsync intends to have exactly once in one target system."""

    target = serializers.CharField(source="connection.name", read_only=True)
    reference = serializers.CharField(
        source="external_ref", read_only=True, help_text="Our reference, which the target's document carries."
    )
    amount = MoneyField("amount_minor", help_text="Control amount; null for master data.")
    customer_name = serializers.CharField(read_only=True, allow_null=True)
    status = serializers.ChoiceField([(state.value, state.name) for state in PostingState], read_only=True)

    class Meta:
        model = Posting
        fields = (
            "id",
            "target",
            "doc_type",
            "business_key",
            "reference",
            "entity",
            "amount",
            "document_date",
            "accounting_date",
            "original_period",
            "correlation_id",
            "contract_number",
            "contract_version",
            "customer_key",
            "customer_name",
            "change",
            "status",
            "held_for",
            "status_reason",
            "exception_code",
            "intent",
            "sends",
            "attempts",
            "lookups",
            "next_action_at",
            "erp_document_id",
            "erp_number",
            "posted_at",
            "created_at",
            "source_ts",
        )
        read_only_fields = fields


class LineSerializer(serializers.ModelSerializer):
    """One journal line, with the rule and the row of the mapping set that chose its account."""

    amount = MoneyField("amount_minor")
    set_version = MappingLinkSerializer(read_only=True, allow_null=True)

    class Meta:
        model = PostingLine
        fields = (
            "line_no",
            "side",
            "account",
            "amount",
            "rule_id",
            "mapping_set",
            "row_id",
            "set_version",
            "source_line",
            "dimensions",
        )
        read_only_fields = fields


class NeedSerializer(serializers.ModelSerializer):
    """Another posting this one waits for, until ``met_at``."""

    class Meta:
        model = Need
        fields = ("role", "doc_type", "business_key", "document_id", "met_at")
        read_only_fields = fields


class AttemptSerializer(serializers.ModelSerializer):
    """One send or look-up: what was said and what was answered, masked. No outcome yet: it is under way."""

    request = Masked()
    response = Masked()

    class Meta:
        model = Attempt
        fields = (
            "id",
            "kind",
            "owner",
            "started_at",
            "finished_at",
            "outcome",
            "http_status",
            "elapsed_ms",
            "detail",
            "request",
            "request_hash",
            "response",
            "retry_after_seconds",
        )
        read_only_fields = fields


class MoveSerializer(serializers.ModelSerializer):
    """One move of the posting from a state to another, as the database recorded it."""

    frm = serializers.CharField(source="frm", read_only=True)
    to = serializers.CharField(source="too", read_only=True)

    class Meta:
        model = PostingMove
        fields = ("id", "at", "actor", "frm", "to", "reason")
        read_only_fields = fields

    def get_fields(self) -> dict[str, Any]:
        """Say ``from``, which Python keeps for itself."""
        fields: dict[str, Any] = super().get_fields()
        return {"from" if name == "frm" else name: field for name, field in fields.items()}


class PostingDetailSerializer(PostingSerializer):
    """One posting with everything it went through, oldest first."""

    mapping_version = MappingLinkSerializer(read_only=True, allow_null=True)
    document = Masked()
    lines = LineSerializer(many=True, read_only=True)
    needs = NeedSerializer(many=True, read_only=True)
    attempt_log = AttemptSerializer(source="attempts_shown", many=True, read_only=True)
    moves = MoveSerializer(source="moves_shown", many=True, read_only=True)

    class Meta(PostingSerializer.Meta):
        fields = (
            *PostingSerializer.Meta.fields,
            "content_hash",
            "reverses",
            "mapping_version",
            "document",
            "lines",
            "needs",
            "attempt_log",
            "moves",
        )
        read_only_fields = fields


class StartedSerializer(serializers.Serializer):
    """What happens now."""

    detail = serializers.CharField()
    posting = PostingSerializer()
