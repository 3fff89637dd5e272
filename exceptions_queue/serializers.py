"""Cases as the API says them, and what an action on one has to bring."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from exceptions_queue.forms import REASON_CHARACTERS_MAX
from exceptions_queue.models import CaseEvent, ExceptionCase, Occurrence
from exceptions_queue.selectors import people
from finsync.core.lifecycle import CaseState, allowed
from finsync.core.money import Money
from finsync.core.reasons import REASONS
from finsync.kit.serializers import Asked, Masked, MoneyField, MoneySerializer, Versioned, money

SNOOZE_DAYS_MAX = 90
ACTIONS = ("assign", "resolve", "snooze", "comment", "retry")
_BECOMES = {"assign": CaseState.ASSIGNED, "resolve": CaseState.RESOLVED, "snooze": CaseState.SNOOZED}


def legal_actions(case: ExceptionCase) -> list[str]:
    """Return the actions that fit a case as it stands. A resolved case takes nothing but notes."""
    if case.state == CaseState.RESOLVED:
        return ["comment"]
    fits = {name: case.state == to or allowed("case", case.state, to) for name, to in _BECOMES.items()}
    return [name for name in ACTIONS if fits.get(name, True)]


class OccurrenceSerializer(serializers.ModelSerializer):
    """One record that met the cause, and whether it still stands (``cleared_at`` is null)."""

    amount = MoneyField("amount_minor")
    facts = Masked()

    class Meta:
        model = Occurrence
        fields = (
            "id",
            "subject_type",
            "subject_id",
            "business_key",
            "correlation_id",
            "amount",
            "detail",
            "facts",
            "seen",
            "first_seen_at",
            "last_seen_at",
            "cleared_at",
            "cleared_by",
        )
        read_only_fields = fields


class CaseEventSerializer(serializers.ModelSerializer):
    """One entry of a case's diary."""

    facts = Masked()

    class Meta:
        model = CaseEvent
        fields = ("id", "at", "actor", "action", "note", "facts")
        read_only_fields = fields


class CaseSerializer(serializers.ModelSerializer):
    """One root cause that stops documents, with what is at risk."""

    label = serializers.CharField(read_only=True, help_text="The number people say: EXC-17.")
    state = serializers.ChoiceField([(state.value, state.name) for state in CaseState], read_only=True)
    assignee = serializers.CharField(source="assignee.username", read_only=True, allow_null=True, default=None)
    amount_at_risk = MoneyField("amount_at_risk_minor", help_text="In the currency with the most at risk.")

    class Meta:
        model = ExceptionCase
        fields = (
            "id",
            "label",
            "code",
            "title",
            "state",
            "priority",
            "severity_score",
            "owner_queue",
            "assignee",
            "entity",
            "source_system",
            "target_system",
            "customer",
            "subject",
            "amount_at_risk",
            "occurrence_count",
            "open_count",
            "reopened",
            "opened_at",
            "last_seen_at",
            "sla_due_at",
            "snoozed_until",
            "resolved_at",
            "resolved_by",
            "resolution",
            "version",
        )
        read_only_fields = fields


class CaseDetailSerializer(CaseSerializer):
    """One case with everything a person needs to decide."""

    at_risk = serializers.SerializerMethodField(help_text="What is at risk in every currency; never converted.")
    blocks = serializers.SerializerMethodField(help_text="What cannot go on meanwhile.")
    facts = Masked()
    legal_actions = serializers.SerializerMethodField(help_text="The actions that fit the case as it stands.")
    occurrences = OccurrenceSerializer(source="occurrences_shown", many=True, read_only=True)
    events = CaseEventSerializer(source="events_shown", many=True, read_only=True)

    class Meta(CaseSerializer.Meta):
        fields = (
            *CaseSerializer.Meta.fields,
            "explanation",
            "remedy",
            "blocks",
            "at_risk",
            "facts",
            "legal_actions",
            "occurrences",
            "events",
        )
        read_only_fields = fields

    @extend_schema_field(MoneySerializer(many=True))
    def get_at_risk(self, case: ExceptionCase) -> list[dict[str, Any] | None]:
        """Return one amount per currency."""
        return [money(Money(minor, currency)) for currency, minor in case.at_risk.items()]

    def get_blocks(self, case: ExceptionCase) -> str:
        """Return the words of the reason."""
        return str(REASONS[case.code].blocks)

    def get_legal_actions(self, case: ExceptionCase) -> list[str]:
        """Return the actions that fit."""
        return legal_actions(case)


class AssignSerializer(Versioned):
    """Whom to give the case to."""

    person = serializers.CharField(
        allow_null=True,
        max_length=150,
        help_text="User name of somebody who works on exceptions; null: back to its queue.",
    )

    def validate_person(self, value: str | None) -> User | None:
        """Return the person. Raises ValidationError where nobody of that name works on exceptions."""
        found = None if value is None else people().filter(username=value).first()
        if value is not None and found is None:
            raise serializers.ValidationError(f"Nobody called {value} works on exceptions.")
        return found


class ResolveSerializer(Versioned):
    """Why the case is closed."""

    reason = serializers.CharField(max_length=REASON_CHARACTERS_MAX)


class SnoozeSerializer(Versioned):
    """When the case comes back."""

    until = serializers.DateTimeField(help_text=f"In the future, at most {SNOOZE_DAYS_MAX} days ahead.")

    def validate_until(self, value: datetime) -> datetime:
        """Return the end. Raises ValidationError for the past and for what is too far away."""
        now = timezone.now()
        if not now < value <= now + timedelta(days=SNOOZE_DAYS_MAX):
            raise serializers.ValidationError(f"A snooze ends in the future, at most {SNOOZE_DAYS_MAX} days ahead.")
        return value


class CommentSerializer(Asked):
    """A note for the case's diary."""

    text = serializers.CharField(max_length=REASON_CHARACTERS_MAX)


class RetrySerializer(Versioned):
    """Nothing but, where wanted, the version."""


class RetriedSerializer(serializers.Serializer):
    """What was started, and why the rest was not."""

    started = serializers.IntegerField()
    problems = serializers.ListField(child=serializers.CharField())
