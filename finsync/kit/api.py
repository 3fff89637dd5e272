"""What every address of the API shares: reading rows by page and by id, strict queries, versions."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db.models import Model, QuerySet
from django.http import HttpResponseBase
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.settings import api_settings
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from finsync.kit.pagination import NewestFirst
from finsync.kit.permissions import Ability
from finsync.kit.tokens import MayAct

_VERSION = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)


class Plain(APIView):
    """Every view of the API: answers are never cached, and a text no database can hold is refused at the door."""

    permission_classes: ClassVar[list[type[BasePermission]]] = [MayAct]
    abilities: ClassVar[Mapping[str, Ability]] = {}
    action: str | None = "read"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check who asks, then the query. Raises what the API answers as a problem."""
        super().initial(request, *args, **kwargs)
        wrong = {
            name: "Carries a NUL character."
            for name, values in request.query_params.lists()
            if "\x00" in name or any("\x00" in value for value in values)
        }
        if wrong:
            raise ValidationError(wrong)

    def finalize_response(self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any) -> Any:
        """Forbid caching: an answer shows what one person may see at one moment."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response


class Rows(Plain, ListModelMixin, RetrieveModelMixin, GenericViewSet):
    """A kind of row: pages of it newest first, and one by its id.

    ``noun`` is what one is called in a sentence. ``detail_serializer_class`` says more than a row of the list does.
    """

    noun: ClassVar[str] = "row"
    plural: ClassVar[str] = "rows"
    detail_serializer_class: ClassVar[type[BaseSerializer[Any]] | None] = None
    lookup_value_regex = r"\d{1,18}"
    pagination_class = NewestFirst

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a filter nobody knows: a misspelt one would otherwise find everything."""
        super().initial(request, *args, **kwargs)
        if self.action != "list":
            return
        filters = getattr(self, "filterset_class", None)
        known = {*(filters.base_filters if filters else ()), api_settings.URL_FORMAT_OVERRIDE}
        known |= {self.paginator.cursor_query_param, self.paginator.page_size_query_param} if self.paginator else set()
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            names = ", ".join(sorted(known - {api_settings.URL_FORMAT_OVERRIDE}))
            raise ValidationError({name: f"Not known here. Known are: {names}." for name in unknown})

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return the serializer of a list's row, or of one row with everything about it."""
        chosen = None if self.action == "list" else self.detail_serializer_class
        return chosen or cast("type[BaseSerializer[Any]]", super().get_serializer_class())

    def get_object(self) -> Any:
        """Return the row the address names; filters do not apply to it. Raises NotFound in words."""
        row = self.get_queryset().filter(pk=self.kwargs["pk"]).first()
        if row is None:
            raise NotFound(self.not_found())
        return row

    def not_found(self) -> str:
        """Return the sentence for a row that does not exist."""
        return f"There is no {self.noun} {self.kwargs['pk']}."

    def get_queryset(self) -> "QuerySet[Model]":
        """Return the rows, with what a list shows or, by ``with_details``, with everything about one."""
        rows = super().get_queryset()
        return rows if self.action == "list" else self.with_details(rows)

    def with_details(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Add what only the detail shows, in a fixed number of queries."""
        return rows


def expected_version(request: Request, values: Mapping[str, Any]) -> int | None:
    """Return the version a change was decided on: ``If-Match: "7"`` or ``version`` in the body; None where neither is.

    Raises ValidationError for an unreadable header, or where the two differ.
    """
    named: int | None = values.get("version")
    header = request.headers.get("If-Match", "*").strip()
    if header == "*":
        return named
    found = _VERSION.fullmatch(header)
    if found is None:
        raise ValidationError({"If-Match": 'Give the version as the ETag says it: "7".'})
    if named is not None and named != int(found[1]):
        raise ValidationError({"version": "If-Match names another version."})
    return int(found[1])
