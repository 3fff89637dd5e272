"""How cases can be filtered: one set for the page and the API."""

import django_filters
from django.db.models import Q, QuerySet

from exceptions_queue.models import ExceptionCase
from finsync.kit.facets import AnyOf, Facet

PRIORITIES = {"P1": "Critical", "P2": "High", "P3": "Medium", "P4": "Low"}
UNASSIGNED = "none"


class CaseFilter(django_filters.FilterSet):
    """Filters by severity, owner, route, cause, entity and free text; repeated parameters widen a filter."""

    severity = AnyOf(field_name="priority")
    owner = django_filters.CharFilter(method="by_owner")
    source = AnyOf(field_name="source_system")
    target = AnyOf(field_name="target_system")
    cause = AnyOf(field_name="code")
    desk = AnyOf(field_name="owner_queue")
    entity = AnyOf(field_name="entity")
    state = AnyOf(field_name="state")
    q = django_filters.CharFilter(method="by_text")

    class Meta:
        model = ExceptionCase
        fields: list[str] = []

    def by_owner(self, rows: QuerySet[ExceptionCase], name: str, value: str) -> QuerySet[ExceptionCase]:
        """Any of the people named by user name; ``none`` stands for nobody."""
        wanted = self.data.getlist(name) if hasattr(self.data, "getlist") else [value]
        asked = Q(assignee__username__in=[one for one in wanted if one != UNASSIGNED])
        return rows.filter(asked | Q(assignee=None) if UNASSIGNED in wanted else asked)

    def by_text(self, rows: QuerySet[ExceptionCase], name: str, value: str) -> QuerySet[ExceptionCase]:
        """Cases whose number, title, customer or subject, or one of whose records, carries the text."""
        text = value.strip()
        number = text.upper().removeprefix("EXC-")
        asked = (
            Q(title__icontains=text)
            | Q(customer__icontains=text)
            | Q(subject__icontains=text)
            | Q(code__iexact=text)
            | Q(occurrences__business_key=text)
            | Q(occurrences__correlation_id=text)
        )
        if number.isdigit() and len(number) < 18:
            asked |= Q(pk=int(number))
        return rows.filter(pk__in=ExceptionCase.objects.filter(asked).values("pk"))


FACETS = (
    Facet("severity", "Severity", "priority", PRIORITIES, order=("P1", "P2", "P3", "P4")),
    Facet("owner", "Owner", "assignee__username", empty="Unassigned"),
    Facet("source", "From", "source_system"),
    Facet("target", "To", "target_system"),
    Facet("cause", "Cause", "code"),
    Facet("entity", "Entity", "entity"),
)
