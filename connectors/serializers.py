"""Connections and kept letters as the API says them. Credentials have no field here, evidence is masked."""

import base64
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from connectors.models import Connection, Cursor, InboxMessage
from connectors.models.inbox import Channel
from finsync.canonical.models import CanonicalChange, Fact
from finsync.core.lifecycle import FactState, InboxState
from finsync.kit.masking import BODY_CHARACTERS_MAX, masked_text
from finsync.kit.serializers import Masked


class CursorSerializer(serializers.ModelSerializer):
    """How far one poll stream has been read, and what it had to heal."""

    class Meta:
        model = Cursor
        fields = ("stream", "polled_at", "next_action_at", "items_seen", "items_missed_by_webhook", "failures_in_a_row")
        read_only_fields = fields


class ConnectionSerializer(serializers.ModelSerializer):
    """One outside system and its health: backlog, lag, rate left, what polling had to heal."""

    unread = serializers.IntegerField(source="health.unread", read_only=True)
    quarantined = serializers.IntegerField(source="health.quarantined", read_only=True)
    lag_seconds = serializers.SerializerMethodField(help_text="Age of the oldest unread event; 0 where none waits.")
    heard_at = serializers.DateTimeField(source="health.heard_at", read_only=True, allow_null=True)
    calls_left = serializers.CharField(
        source="health.rate_left", read_only=True, help_text="Calls that could be made now, as a decimal."
    )
    missed_percent = serializers.CharField(
        source="health.missed_percent", read_only=True, allow_null=True, help_text="Share of events only polling found."
    )
    streams = CursorSerializer(source="health.cursors", many=True, read_only=True)

    class Meta:
        model = Connection
        fields = (
            "name",
            "kind",
            "title",
            "roles",
            "entities",
            "real",
            "state",
            "state_reason",
            "probe_at",
            "failures_in_a_row",
            "last_success_at",
            "last_failure_at",
            "last_failure",
            "rate_per_second",
            "concurrency_max",
            "concurrency_now",
            "unread",
            "quarantined",
            "lag_seconds",
            "heard_at",
            "calls_left",
            "missed_percent",
            "streams",
        )
        read_only_fields = fields

    def get_lag_seconds(self, row: Connection) -> int:
        """Return whole seconds."""
        return int(row.health.lag.total_seconds()) if row.health.lag else 0


@extend_schema_serializer(many=False)
class ConnectionListSerializer(serializers.Serializer):
    """All connections; there are few, so they come at once."""

    results = ConnectionSerializer(many=True)


class EventSerializer(serializers.ModelSerializer):
    """One event as it was kept: where it came from and what became of it."""

    source = serializers.CharField(source="connection.name", read_only=True)
    channel = serializers.ChoiceField(Channel.choices, read_only=True)
    state = serializers.ChoiceField([(state.value, state.name) for state in InboxState], read_only=True)

    class Meta:
        model = InboxMessage
        fields = (
            "id",
            "source",
            "channel",
            "event_id",
            "object",
            "state",
            "reason_code",
            "reason",
            "source_ts",
            "received_at",
            "processed_at",
            "next_action_at",
            "attempts",
            "deliveries",
            "replays",
            "sha256",
        )
        read_only_fields = fields


class BodySerializer(serializers.Serializer):
    """A received body. Masked: ``sha256`` of the event is that of the bytes as they came, not of this text."""

    encoding = serializers.ChoiceField([("text", "text"), ("base64", "base64")])
    content = serializers.CharField(help_text="JSON is indented; bytes that are no UTF-8 come as base64.")
    bytes = serializers.IntegerField(help_text="Length as received.")
    complete = serializers.BooleanField(help_text="False where the end of a long body was left out.")


class FactSerializer(serializers.ModelSerializer):
    """One record an event states, and whether it was applied."""

    aggregate = serializers.CharField(source="aggregate_id", read_only=True)
    state = serializers.ChoiceField([(state.value, state.name) for state in FactState], read_only=True)

    class Meta:
        model = Fact
        fields = ("id", "aggregate", "record_type", "ordinal", "state", "explanation", "created_at", "decided_at")
        read_only_fields = fields


class ChangeLinkSerializer(serializers.ModelSerializer):
    """A change an event made; its detail is at /api/v1/changes/."""

    class Meta:
        model = CanonicalChange
        fields = ("id", "record_type", "business_key", "recorded_at", "plan_state")
        read_only_fields = fields


class EventDetailSerializer(EventSerializer):
    """One event with its headers and body, masked, and what became of it."""

    headers = Masked()
    body = serializers.SerializerMethodField()
    facts = FactSerializer(source="file.facts", many=True, read_only=True)
    changes = ChangeLinkSerializer(source="file.changes", many=True, read_only=True)

    class Meta(EventSerializer.Meta):
        fields = (*EventSerializer.Meta.fields, "headers", "body", "facts", "changes")
        read_only_fields = fields

    @extend_schema_field(BodySerializer)
    def get_body(self, letter: InboxMessage) -> dict[str, Any]:
        """Return the masked body; what is no UTF-8 is masked byte for byte and encoded."""
        raw = bytes(letter.body)
        try:
            raw.decode()
            encoding, content = "text", letter.file.text
            complete = len(content) <= BODY_CHARACTERS_MAX
        except UnicodeDecodeError:
            shown = masked_text(raw.decode("latin-1"))
            encoding, complete = "base64", len(shown) <= BODY_CHARACTERS_MAX
            content = base64.b64encode(shown[:BODY_CHARACTERS_MAX].encode("latin-1")).decode()
        return {"encoding": encoding, "content": content, "bytes": len(raw), "complete": complete}


class ReplayedSerializer(serializers.Serializer):
    """What happens now."""

    detail = serializers.CharField()
    event = EventSerializer()
