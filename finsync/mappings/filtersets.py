"""How mapping versions can be filtered."""

import django_filters

from finsync.kit.facets import AnyOf
from finsync.mappings.models import MappingVersion


class MappingVersionFilter(django_filters.FilterSet):
    """Filters by name, kind, state and number."""

    name = AnyOf(field_name="name")
    kind = AnyOf(field_name="kind")
    state = AnyOf(field_name="state")
    version = django_filters.NumberFilter(field_name="version", min_value=0, max_value=2**31 - 1)

    class Meta:
        model = MappingVersion
        fields: list[str] = []
