"""How the audit log can be filtered."""

import django_filters

from finsync.audit.models import AuditEntry
from finsync.kit.facets import AnyOf


class AuditFilter(django_filters.FilterSet):
    """Filters by row, actor, operation, thread and time."""

    table = AnyOf(field_name="table_name")
    row = django_filters.CharFilter(field_name="row_pk")
    actor = AnyOf(field_name="actor")
    operation = AnyOf(field_name="operation")
    correlation = django_filters.CharFilter(field_name="correlation_id")
    at_from = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    at_to = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields: list[str] = []
