"""The doors over the API: health of connections, kept events, and reading one again."""

from collections.abc import Mapping
from typing import ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from connectors import selectors
from connectors.filtersets import EventFilter
from connectors.models import Connection, InboxMessage
from connectors.serializers import (
    ConnectionListSerializer,
    ConnectionSerializer,
    EventDetailSerializer,
    EventSerializer,
    ReplayedSerializer,
)
from connectors.services.inbox import replay
from finsync.core.lifecycle import InboxState
from finsync.kit.api import Plain, Rows
from finsync.kit.permissions import Ability
from finsync.kit.problems import Conflict


class ConnectionViewSet(Plain, GenericViewSet):
    """Connections: the outside systems and how they are. Addresses of vendors and credentials are not shown."""

    queryset = Connection.objects.none()
    serializer_class = ConnectionSerializer
    pagination_class = None
    filter_backends = ()
    lookup_field = "name"
    lookup_value_regex = r"[-\w]{1,60}"
    noun, plural = "connection", "connections"

    @extend_schema(operation_id="connections_list", responses=ConnectionListSerializer)
    def list(self, request: Request) -> Response:
        """All connections with their health, by kind and name."""
        return Response({"results": ConnectionSerializer(_with_health(), many=True).data})

    def retrieve(self, request: Request, name: str) -> Response:
        """One connection with its health."""
        found = next((row for row in _with_health() if row.name == name), None)
        if found is None:
            raise NotFound(f"There is no connection {name}.")
        return Response(ConnectionSerializer(found).data)


def _with_health() -> list[Connection]:
    rows = []
    for health in selectors.health():
        health.connection.health = health
        rows.append(health.connection)
    return rows


class EventViewSet(Rows):
    """Events: every letter an outside system sent or was asked for, kept as it came."""

    queryset = InboxMessage.objects.all()
    serializer_class = EventSerializer
    detail_serializer_class = EventDetailSerializer
    filterset_class = EventFilter
    noun, plural = "event", "events"
    abilities: ClassVar[Mapping[str, Ability]] = {"replay": Ability.REPLAY}

    def get_queryset(self) -> "QuerySet[InboxMessage]":
        """Letters without their bodies."""
        return selectors.letters(InboxMessage.objects.all())

    def retrieve(self, request: Request, pk: str) -> Response:
        """One event with headers and body, masked, and what became of it."""
        found = selectors.letter_file(int(pk))
        if found is None:
            raise NotFound(self.not_found())
        found.letter.file = found
        return Response(EventDetailSerializer(found.letter).data)

    @extend_schema(request=None, responses=ReplayedSerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Read the event again. Known facts change nothing and nothing is posted twice."""
        letter = self.get_object()
        if letter.next_action_at is not None and letter.next_action_at <= timezone.now():
            raise Conflict(f"Event {pk} already waits to be read.")
        replay(letter.pk)
        now = self.get_object()
        was = "was quarantined and " if letter.state == InboxState.QUARANTINED else ""
        return Response({"detail": f"Event {pk} {was}is read again.", "event": EventSerializer(now).data})
