"""Mapping versions as the API says them."""

from rest_framework import serializers

from finsync.core.lifecycle import MappingState
from finsync.mappings.models import MappingVersion


class MappingLinkSerializer(serializers.ModelSerializer):
    """Which version of which table; its detail is at /api/v1/mapping-versions/."""

    class Meta:
        model = MappingVersion
        fields = ("id", "name", "version", "content_hash")
        read_only_fields = fields


class MappingVersionSerializer(serializers.ModelSerializer):
    """One version of a rule set or mapping set, with who wrote and who approved it."""

    state = serializers.ChoiceField([(state.value, state.name) for state in MappingState], read_only=True)
    author = serializers.CharField(source="author.username", read_only=True)
    approver = serializers.CharField(source="approver.username", read_only=True, allow_null=True, default=None)

    class Meta:
        model = MappingVersion
        fields = (
            "id",
            "name",
            "kind",
            "version",
            "base_version",
            "state",
            "effective_from",
            "content_hash",
            "author",
            "approver",
            "approved_at",
            "created_at",
            "reason",
        )
        read_only_fields = fields


class MappingVersionDetailSerializer(MappingVersionSerializer):
    """One version with its whole table."""

    document = serializers.JSONField(read_only=True)

    class Meta(MappingVersionSerializer.Meta):
        fields = (*MappingVersionSerializer.Meta.fields, "document")
        read_only_fields = fields
