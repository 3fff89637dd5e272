"""How postings can be filtered: one set for the page and the API."""

import django_filters
from django.db.models import QuerySet

from finsync.kit.badges import words_of
from finsync.kit.facets import AnyOf, Facet
from finsync.kit.wording import plain
from finsync.posting.models import Posting
from finsync.posting.selectors import found_by


class PostingFilter(django_filters.FilterSet):
    """Filters by state, kind, target, entity, dates and any id."""

    status = AnyOf(field_name="status")
    type = AnyOf(field_name="doc_type")
    target = AnyOf(field_name="connection__name")
    entity = AnyOf(field_name="entity")
    held = AnyOf(field_name="held_for")
    code = AnyOf(field_name="exception_code")
    dated_from = django_filters.DateFilter(field_name="document_date", lookup_expr="gte")
    dated_to = django_filters.DateFilter(field_name="document_date", lookup_expr="lte")
    q = django_filters.CharFilter(method="by_any_id")

    class Meta:
        model = Posting
        fields: list[str] = []

    def by_any_id(self, rows: QuerySet[Posting], name: str, value: str) -> QuerySet[Posting]:
        """Postings that carry an id, belong to a document that does, or to a customer of that name."""
        return rows.filter(found_by(value))


FACETS = (
    Facet("status", "Status", "status", words_of("posting")),
    Facet("type", "Document", "doc_type", label=plain),
    Facet("target", "Target", "connection__name"),
    Facet("entity", "Entity", "entity"),
)
