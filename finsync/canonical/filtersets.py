"""How changes and entities can be filtered."""

import django_filters

from finsync.canonical.models import CanonicalChange, Contract, Customer, Invoice, Payment, RevenueSchedule
from finsync.kit.facets import AnyOf

INT_MAX = 2**31 - 1


class ChangeFilter(django_filters.FilterSet):
    """Filters by kind, entity, planning state, business key, lane, thread, event and time."""

    type = AnyOf(field_name="record_type")
    entity = AnyOf(field_name="entity")
    plan_state = AnyOf(field_name="plan_state")
    key = AnyOf(field_name="business_key")
    aggregate = AnyOf(field_name="aggregate_id")
    correlation = AnyOf(field_name="correlation_id")
    event = django_filters.NumberFilter(field_name="origin", min_value=0, max_value=10**18)
    recorded_from = django_filters.IsoDateTimeFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_to = django_filters.IsoDateTimeFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = CanonicalChange
        fields: list[str] = []


class CustomerFilter(django_filters.FilterSet):
    """Filters by entity, currency, account, name and source id."""

    entity = AnyOf(field_name="entity")
    currency = AnyOf(field_name="currency")
    account = AnyOf(field_name="account_id")
    source_id = AnyOf(field_name="source_id")
    name = django_filters.CharFilter(field_name="name", lookup_expr="icontains")
    active = django_filters.BooleanFilter(field_name="active")

    class Meta:
        model = Customer
        fields: list[str] = []


class ContractFilter(django_filters.FilterSet):
    """Filters by entity, currency, number, account and newest version."""

    entity = AnyOf(field_name="entity")
    currency = AnyOf(field_name="currency")
    number = AnyOf(field_name="number")
    account = AnyOf(field_name="account_id")
    version = django_filters.NumberFilter(field_name="current_version", min_value=0, max_value=INT_MAX)

    class Meta:
        model = Contract
        fields: list[str] = []


class InvoiceFilter(django_filters.FilterSet):
    """Filters by entity, currency, status, number, ids, contract, amendment and date."""

    entity = AnyOf(field_name="entity")
    currency = AnyOf(field_name="currency")
    status = AnyOf(field_name="status")
    number = AnyOf(field_name="number")
    invoice = AnyOf(field_name="invoice_id")
    account = AnyOf(field_name="account_id")
    contract = AnyOf(field_name="contract_number")
    amendment = AnyOf(field_name="amendment_ref")
    correlation = AnyOf(field_name="correlation_id")
    dated_from = django_filters.DateFilter(field_name="invoice_date", lookup_expr="gte")
    dated_to = django_filters.DateFilter(field_name="invoice_date", lookup_expr="lte")

    class Meta:
        model = Invoice
        fields: list[str] = []


class PaymentFilter(django_filters.FilterSet):
    """Filters by entity, currency, status, id, account and date."""

    entity = AnyOf(field_name="entity")
    currency = AnyOf(field_name="currency")
    status = AnyOf(field_name="status")
    payment = AnyOf(field_name="payment_id")
    account = AnyOf(field_name="account_id")
    correlation = AnyOf(field_name="correlation_id")
    captured_from = django_filters.DateFilter(field_name="captured_on", lookup_expr="gte")
    captured_to = django_filters.DateFilter(field_name="captured_on", lookup_expr="lte")

    class Meta:
        model = Payment
        fields: list[str] = []


class ScheduleFilter(django_filters.FilterSet):
    """Filters by entity, currency, contract, id and whether it is the newest version."""

    entity = AnyOf(field_name="entity")
    currency = AnyOf(field_name="currency")
    contract = AnyOf(field_name="contract_number")
    schedule = AnyOf(field_name="schedule_id")
    current = django_filters.BooleanFilter(field_name="current")

    class Meta:
        model = RevenueSchedule
        fields: list[str] = []
