"""Reconciliation over the API: runs, cells of the matrix, variances, and asking for a run."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from finsync.core.lifecycle import RunState
from finsync.kit.api import Rows
from finsync.kit.permissions import Ability
from finsync.kit.problems import Conflict
from reconciliation.filtersets import CellFilter, RunFilter, VarianceFilter
from reconciliation.models import Cell, Run, Variance
from reconciliation.serializers import (
    AskedRunSerializer,
    CellSerializer,
    RunDetailSerializer,
    RunSerializer,
    VarianceSerializer,
)
from reconciliation.services.run import request as ask


class RunViewSet(Rows):
    """Reconciliation runs: each executes one control over a window and keeps what it found."""

    queryset = Run.objects.all()
    serializer_class = RunSerializer
    detail_serializer_class = RunDetailSerializer
    filterset_class = RunFilter
    noun, plural = "run", "reconciliation runs"
    abilities: ClassVar[Mapping[str, Ability]] = {"create": Ability.RECONCILE}

    def with_details(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Add the cells."""
        return rows.prefetch_related(Prefetch("cells", Cell.objects.order_by("entity", "currency", "period")))

    @extend_schema(request=AskedRunSerializer, responses={202: RunSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a run of one control. A worker does it; read the run until ``finished_at`` is set."""
        asked = AskedRunSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        control = asked.validated_data["control"]
        under_way = Run.objects.filter(control=control, state=RunState.RUNNING).order_by("-id").first()
        if under_way is not None:
            raise Conflict(f"Run {under_way.pk} of {under_way.control} is still under way. Read it instead.")
        return Response(RunSerializer(ask(control)).data, status=status.HTTP_202_ACCEPTED)


class CellViewSet(Rows):
    """Cells of the matrix: counts and totals of both sides for one entity, currency and period of one run."""

    queryset = Cell.objects.all()
    serializer_class = CellSerializer
    filterset_class = CellFilter
    noun, plural = "cell", "reconciliation cells"


class VarianceViewSet(Rows):
    """Variances: every pair that does not tie, with both sides."""

    queryset = Variance.objects.select_related("run", "cell")
    serializer_class = VarianceSerializer
    filterset_class = VarianceFilter
    noun, plural = "variance", "variances"
