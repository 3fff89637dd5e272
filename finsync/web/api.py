"""What spans rooms over the API: the lineage of any id, the status, and whether this process is well."""

import logging
from typing import Any, ClassVar

from django.db import Error as DatabaseError
from django.db import connection
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from finsync.canonical.models import CanonicalChange
from finsync.kit.api import Plain
from finsync.kit.pagination import ID_DIGITS_MAX
from finsync.management.commands.status import Command as StatusCommand
from finsync.posting.models import Posting
from finsync.posting.selectors import TEXT_CHARACTERS_MAX
from finsync.web import trace
from finsync.web.search import SHOWN_MAX, Found, search
from finsync.web.serializers import HealthSerializer, StatusSerializer, TraceSerializer

logger = logging.getLogger(__name__)


class TraceView(Plain):
    """The lineage of anything, by any id of any system.

    A contract, invoice or payment number, a CRM, billing or ERP id, our reference, a correlation id, an event id, a
    case number, a customer's name. ``found`` says what the text stands for; ``lineage`` shows the newest posting among
    it, or the one ``posting`` names, from the contract to the ledger.
    """

    may_find_nothing = True

    @extend_schema(
        operation_id="trace",
        parameters=[
            OpenApiParameter("q", str, required=True, description=f"1 to {TEXT_CHARACTERS_MAX} characters."),
            OpenApiParameter("posting", int, description="Show the lineage of this posting instead of the newest."),
        ],
        responses=TraceSerializer,
    )
    def get(self, request: Request) -> Response:
        """Answer what the text stands for. 404 where it stands for nothing."""
        text = request.query_params.get("q", "").strip()
        if not text or len(text) > TEXT_CHARACTERS_MAX:
            raise ValidationError({"q": f"Give 1 to {TEXT_CHARACTERS_MAX} characters to look for."})
        found = search(text)
        asked = request.query_params.get("posting")
        chosen = _newest_posting(found) if asked is None else _number(asked)
        lineage = _lineage(chosen) if chosen is not None else None
        if asked is not None and lineage is None:
            raise NotFound(f"There is no posting {asked}.")
        if lineage is None and not (found.cases or found.letters):
            raise NotFound(f"Nothing here carries {text}.")
        shown = {"postings": found.postings, "exceptions": found.cases, "events": found.letters}
        answer = {
            "query": text,
            "found": {name: rows[:SHOWN_MAX] for name, rows in shown.items()},
            "lineage": lineage,
        }
        return Response(TraceSerializer(answer).data)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX):
        raise ValidationError({"posting": "The number of a posting, please."})
    return int(text)


def _newest_posting(found: Found) -> int | None:
    """Return the posting to show: the newest found, else the newest that came of the events found, or is on a case."""
    if found.postings:
        return found.postings[0].pk
    changes = CanonicalChange.objects.filter(origin__in=[letter.pk for letter in found.letters])
    of_events = Posting.objects.filter(change__in=changes) if found.letters else Posting.objects.none()
    newest = of_events.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None and found.cases:
        subjects = found.cases[0].occurrences.filter(subject_type="posting")
        newest = subjects.order_by("-subject_id").values_list("subject_id", flat=True).first()
    return newest


def _lineage(posting_id: int) -> dict[str, Any] | None:
    found = trace.read(posting_id, "", "", "every")
    if found is None:
        return None
    thread = found.thread
    cases = {row.case_id: row.case for row in thread.occurrences}
    return {
        "posting": found.file.posting,
        "stages": found.stages,
        "events": thread.letters,
        "changes": thread.changes,
        "postings": thread.others,
        "journal": found.file.lines,
        "attempts": found.file.attempts,
        "moves": found.file.moves,
        "exceptions": [cases[number] for number in sorted(cases)],
    }


class StatusView(Plain):
    """How the counts stand, per state, and every connection with its lag: the same as ``manage.py status --json``."""

    @extend_schema(operation_id="status", responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        """Read the counts once."""
        return Response(StatusCommand().report())


class HealthView(Plain):
    """Whether this process serves and reaches its database. For load balancers: no token, and nothing else said."""

    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[type[BasePermission]]] = [AllowAny]

    @extend_schema(
        operation_id="health",
        responses={200: HealthSerializer, 503: OpenApiResponse(HealthSerializer, "The database does not answer.")},
    )
    def get(self, request: Request) -> Response:
        """Ask the database for one."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            logger.exception("the database does not answer")
            return Response({"status": "unavailable"}, status=status.HTTP_503_SERVICE_UNAVAILABLE)
        return Response({"status": "ok"})
