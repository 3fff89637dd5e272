"""How runs, cells and variances can be filtered."""

import django_filters

from finsync.kit.facets import AnyOf
from reconciliation.models import Cell, Run, Variance

RUN_ID_MAX = 10**18


class RunFilter(django_filters.FilterSet):
    """Filters by control, state and who asked."""

    control = AnyOf(field_name="control")
    state = AnyOf(field_name="state")
    requested_by = AnyOf(field_name="requested_by")

    class Meta:
        model = Run
        fields: list[str] = []


class CellFilter(django_filters.FilterSet):
    """Filters by run, control, entity, currency, period and verdict."""

    run = django_filters.NumberFilter(field_name="run_id", min_value=0, max_value=RUN_ID_MAX)
    control = AnyOf(field_name="run__control")
    entity = AnyOf(field_name="entity")
    currency = AnyOf(field_name="currency")
    period = AnyOf(field_name="period")
    verdict = AnyOf(field_name="verdict")

    class Meta:
        model = Cell
        fields: list[str] = []


class VarianceFilter(django_filters.FilterSet):
    """Filters by run, control, class, key, entity and currency."""

    run = django_filters.NumberFilter(field_name="run_id", min_value=0, max_value=RUN_ID_MAX)
    control = AnyOf(field_name="run__control")
    break_class = AnyOf(field_name="break_class")
    key = django_filters.CharFilter(field_name="key")
    entity = AnyOf(field_name="cell__entity")
    currency = AnyOf(field_name="cell__currency")

    class Meta:
        model = Variance
        fields: list[str] = []
