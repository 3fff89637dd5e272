"""The out-tray over the API: postings by page, search and id, and starting one again."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_queue.services import action_for
from exceptions_queue.services.work import NotPossible
from finsync.audit.services import current_actor
from finsync.core.lifecycle import PostingState
from finsync.kit.api import Rows
from finsync.kit.permissions import Ability
from finsync.kit.problems import Conflict
from finsync.posting.filtersets import PostingFilter
from finsync.posting.models import Attempt, Need, Posting, PostingLine, PostingMove
from finsync.posting.selectors import ATTEMPTS_SHOWN_MAX, MOVES_SHOWN_MAX, listed
from finsync.posting.serializers import PostingDetailSerializer, PostingSerializer, StartedSerializer


class PostingViewSet(Rows):
    """Postings: one row per document and target system. ``q`` finds by any id, ours or another system's."""

    queryset = Posting.objects.all()
    serializer_class = PostingSerializer
    detail_serializer_class = PostingDetailSerializer
    filterset_class = PostingFilter
    noun, plural = "posting", "postings"
    abilities: ClassVar[Mapping[str, Ability]] = {"retry": Ability.RETRY}

    def get_queryset(self) -> "QuerySet[Posting]":
        """Rows as the list shows them; the stored document only where one posting is read."""
        rows = listed(Posting.objects.all())
        return self.with_details(rows) if self.action == "retrieve" else rows

    def with_details(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Add journal, needs, attempts and moves."""
        attempts = Attempt.objects.order_by("started_at", "id")
        return (
            rows.defer(None)
            .select_related("mapping_version")
            .prefetch_related(
                Prefetch("lines", PostingLine.objects.select_related("set_version").order_by("line_no")),
                Prefetch("needs", Need.objects.order_by("id")),
                Prefetch("attempt_log", attempts[:ATTEMPTS_SHOWN_MAX], "attempts_shown"),
                Prefetch("moves", PostingMove.objects.order_by("at", "id")[:MOVES_SHOWN_MAX], "moves_shown"),
            )
        )

    @extend_schema(request=None, responses=StartedSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Start the posting again. What may have been sent is looked up first; nothing is sent blindly."""
        row = self.get_object()
        start = action_for("posting")
        assert start is not None  # finsync.actions registers it at start-up
        try:
            said = start.perform(row.pk, current_actor())
        except NotPossible as refusal:
            raise Conflict(str(refusal), legal=legal_actions(self.get_object())) from refusal
        return Response({"detail": said, "posting": PostingSerializer(self.get_object()).data})


def legal_actions(row: Posting) -> list[str]:
    """Return the actions that fit a posting as it stands."""
    return ["retry"] if row.status == PostingState.EXCEPTION else []
