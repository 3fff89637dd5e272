"""Runs, cells and variances as the API says them."""

from rest_framework import serializers

from finsync.core.lifecycle import RunState
from finsync.kit.serializers import Asked, MoneyField
from reconciliation.controls import CONTROLS
from reconciliation.models import Cell, Run, Variance


class CellSerializer(serializers.ModelSerializer):
    """One control for one entity, currency and period: counts, totals and the verdict."""

    total_a = MoneyField("total_a_minor")
    total_b = MoneyField("total_b_minor")
    variance = MoneyField("variance_minor")

    class Meta:
        model = Cell
        fields = (
            "id",
            "run",
            "entity",
            "currency",
            "period",
            "count_a",
            "count_b",
            "total_a",
            "total_b",
            "state_breaks",
            "open_variances",
            "variance",
            "verdict",
        )
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer):
    """One execution of one control over a window; ``started_at`` is null until a worker takes it."""

    state = serializers.ChoiceField([(state.value, state.name) for state in RunState], read_only=True)

    class Meta:
        model = Run
        fields = (
            "id",
            "control",
            "window_start",
            "window_end",
            "state",
            "requested_by",
            "requested_at",
            "started_at",
            "finished_at",
            "items_a",
            "items_b",
            "variances",
            "problem",
        )
        read_only_fields = fields


class RunDetailSerializer(RunSerializer):
    """One run with its cells."""

    cells = CellSerializer(many=True, read_only=True)

    class Meta(RunSerializer.Meta):
        fields = (*RunSerializer.Meta.fields, "cells")
        read_only_fields = fields


class VarianceSerializer(serializers.ModelSerializer):
    """One pair that does not tie: both amounts, both states, both ids, and which kind of break it is."""

    control = serializers.CharField(source="run.control", read_only=True)
    entity = serializers.CharField(source="cell.entity", read_only=True)
    period = serializers.CharField(source="cell.period", read_only=True)
    amount_a = MoneyField("amount_a_minor", "cell.currency")
    amount_b = MoneyField("amount_b_minor", "cell.currency")
    difference = MoneyField("difference_minor", "cell.currency")

    class Meta:
        model = Variance
        fields = (
            "id",
            "run",
            "cell",
            "control",
            "entity",
            "period",
            "key",
            "break_class",
            "explanation",
            "amount_a",
            "amount_b",
            "difference",
            "state_a",
            "state_b",
            "version_a",
            "version_b",
            "source_id_a",
            "source_id_b",
        )
        read_only_fields = fields


class AskedRunSerializer(Asked):
    """Which control to run."""

    control = serializers.ChoiceField([(code, control.title) for code, control in CONTROLS.items()])
