"""The desk over the API: cases by page and by id, and what people do to them."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db.models import F, Prefetch, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from exceptions_queue.filtersets import CaseFilter
from exceptions_queue.models import CaseEvent, ExceptionCase, Occurrence
from exceptions_queue.selectors import EVENTS_SHOWN_MAX, OCCURRENCES_SHOWN_MAX
from exceptions_queue.serializers import (
    AssignSerializer,
    CaseDetailSerializer,
    CaseSerializer,
    CommentSerializer,
    ResolveSerializer,
    RetriedSerializer,
    RetrySerializer,
    SnoozeSerializer,
    legal_actions,
)
from exceptions_queue.services import work
from finsync.kit.api import Rows, expected_version
from finsync.kit.permissions import Ability
from finsync.kit.problems import Conflict

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description='The version you looked at, as the ETag said it: "7".'
)


class ExceptionViewSet(Rows):
    """Exceptions: one case per root cause, however many records met it.

    The detail carries its version as ETag. An action that does not fit answers 409 and names in ``legal`` what does.
    """

    queryset = ExceptionCase.objects.select_related("assignee")
    serializer_class = CaseSerializer
    detail_serializer_class = CaseDetailSerializer
    filterset_class = CaseFilter
    noun, plural = "exception", "exceptions"
    abilities: ClassVar[Mapping[str, Ability]] = dict.fromkeys(
        ("assign", "resolve", "snooze", "comment", "retry"), Ability.WORK_CASES
    )

    def with_details(self, rows: "QuerySet[ExceptionCase]") -> "QuerySet[ExceptionCase]":
        """Add occurrences, those still standing first, and the diary, newest first."""
        standing_first = Occurrence.objects.order_by(F("cleared_at").asc(nulls_first=True), "-amount_minor", "id")
        diary = CaseEvent.objects.order_by("-at", "-id")
        return rows.prefetch_related(
            Prefetch("occurrences", standing_first[:OCCURRENCES_SHOWN_MAX], "occurrences_shown"),
            Prefetch("events", diary[:EVENTS_SHOWN_MAX], "events_shown"),
        )

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer one case, its version as ETag."""
        return self._answer(self.get_object())

    @extend_schema(request=AssignSerializer, responses=CaseDetailSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Give the case to a person, or back to its queue."""
        return self._change(AssignSerializer, lambda case, said, version: work.assign(case, said["person"], version))

    @extend_schema(request=ResolveSerializer, responses=CaseDetailSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        """Close the case by hand, with a reason. The same failure opens it again."""
        return self._change(ResolveSerializer, lambda case, said, version: work.resolve(case, said["reason"], version))

    @extend_schema(request=SnoozeSerializer, responses=CaseDetailSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        """Put the case off until a time."""
        return self._change(SnoozeSerializer, lambda case, said, version: work.snooze(case, said["until"], version))

    @extend_schema(request=CommentSerializer, responses=CaseDetailSerializer)
    @action(detail=True, methods=["post"])
    def comment(self, request: Request, pk: str) -> Response:
        """Write into the case's diary."""
        return self._change(CommentSerializer, lambda case, said, version: work.comment(case, said["text"]))

    @extend_schema(request=RetrySerializer, responses=RetriedSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Start every record of the case again that still stands. What may have been sent is looked up first."""
        case = self.get_object()
        version = expected_version(request, self._said(RetrySerializer))
        if version not in (None, case.version):
            raise _conflict(case, f"{case.label} was changed by somebody else meanwhile. Look at it again.")
        if "retry" not in legal_actions(case):
            raise _conflict(case, f"{case.label} is {case.state.lower()}; its records are no longer started from here.")
        started, problems = work.retry(case.pk)
        if not started:
            raise _conflict(case, " ".join(problems[:5]) or f"{case.label} has no record to start again.")
        return Response({"started": started, "problems": problems})

    def _change(
        self, form: type[Serializer], change: Callable[[int, Mapping[str, Any], int | None], object]
    ) -> Response:
        """Do one action with its checked body and answer the case as it then stands. Raises Conflict."""
        case = self.get_object()
        said = self._said(form)
        version = expected_version(self.request, said)
        try:
            change(case.pk, said, version)
        except work.NotPossible as refusal:
            raise _conflict(self.get_object(), str(refusal)) from refusal
        return self._answer(self.get_object())

    def _said(self, form: type[Serializer]) -> Mapping[str, Any]:
        asked = form(data=self.request.data)
        asked.is_valid(raise_exception=True)
        values: Mapping[str, Any] = asked.validated_data
        return values

    def _answer(self, case: ExceptionCase) -> Response:
        return Response(CaseDetailSerializer(case).data, headers={"ETag": f'"{case.version}"'})


def _conflict(case: ExceptionCase, why: str) -> Conflict:
    return Conflict(why, legal=legal_actions(case), version=case.version)
