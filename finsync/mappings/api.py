"""Mapping versions over the API. Reading only: changing the meaning of money takes two people in front of a page."""

from typing import Any

from django.db.models import QuerySet

from finsync.kit.api import Rows
from finsync.mappings.filtersets import MappingVersionFilter
from finsync.mappings.models import MappingVersion
from finsync.mappings.serializers import MappingVersionDetailSerializer, MappingVersionSerializer


class MappingVersionViewSet(Rows):
    """Mapping versions: every version of every rule set and mapping set. Every posting names the ones that made it."""

    queryset = MappingVersion.objects.select_related("author", "approver").defer("document")
    serializer_class = MappingVersionSerializer
    detail_serializer_class = MappingVersionDetailSerializer
    filterset_class = MappingVersionFilter
    noun, plural = "mapping version", "mapping versions"

    def with_details(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Add the table itself."""
        return rows.defer(None)
