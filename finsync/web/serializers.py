"""The lineage of anything, and how the installation stands, as the API says them."""

from rest_framework import serializers

from connectors.serializers import EventSerializer
from exceptions_queue.serializers import CaseSerializer
from finsync.canonical.serializers import ChangeSerializer
from finsync.kit.serializers import MoneyField, MoneyValue
from finsync.posting.models import Posting
from finsync.posting.serializers import AttemptSerializer, LineSerializer, MoveSerializer


class HitSerializer(serializers.ModelSerializer):
    """A posting in short."""

    target = serializers.CharField(source="connection.name", read_only=True)
    reference = serializers.CharField(source="external_ref", read_only=True)
    amount = MoneyField("amount_minor")

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
            "status",
            "exception_code",
            "erp_number",
            "posted_at",
            "change",
        )
        read_only_fields = fields


class StageSerializer(serializers.Serializer):
    """One of the six stages from contract to ledger. ``tone``: ok, warn, bad, or none where there is nothing."""

    kind = serializers.CharField()
    system = serializers.CharField()
    document = serializers.CharField()
    amount = MoneyValue()
    fact = serializers.CharField()
    tone = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)


class FoundSerializer(serializers.Serializer):
    """What the text stands for, newest first, ten of each at most."""

    postings = HitSerializer(many=True)
    exceptions = CaseSerializer(many=True)
    events = EventSerializer(many=True)


class LineageSerializer(serializers.Serializer):
    """One posting from the contract to the ledger: every event, change, posting and exception of its thread."""

    posting = HitSerializer()
    stages = StageSerializer(many=True)
    events = EventSerializer(many=True)
    changes = ChangeSerializer(many=True)
    postings = HitSerializer(many=True, help_text="All postings of the thread, this one among them.")
    journal = LineSerializer(many=True)
    attempts = AttemptSerializer(many=True)
    moves = MoveSerializer(many=True)
    exceptions = CaseSerializer(many=True)


class TraceSerializer(serializers.Serializer):
    """What a text stands for, and the lineage of the posting it leads to; null where it leads to none."""

    query = serializers.CharField()
    found = FoundSerializer()
    lineage = LineageSerializer(allow_null=True)


class StatusConnectionSerializer(serializers.Serializer):
    """One connection in the status."""

    name = serializers.CharField()
    kind = serializers.CharField()
    real = serializers.BooleanField()
    state = serializers.CharField()
    lag_seconds = serializers.IntegerField()


class StatusSerializer(serializers.Serializer):
    """How the counts stand, per state: the same as ``manage.py status --json``."""

    inbox = serializers.DictField(child=serializers.IntegerField())
    postings = serializers.DictField(child=serializers.IntegerField())
    cases = serializers.DictField(child=serializers.IntegerField())
    connections = StatusConnectionSerializer(many=True)


class HealthSerializer(serializers.Serializer):
    """Whether this process serves and the database answers."""

    status = serializers.ChoiceField([("ok", "ok"), ("unavailable", "unavailable")])
