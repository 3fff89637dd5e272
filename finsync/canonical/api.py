"""The book of what is true over the API: changes, customers, contracts, invoices, payments, revenue schedules."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from finsync.canonical.filtersets import (
    ChangeFilter,
    ContractFilter,
    CustomerFilter,
    InvoiceFilter,
    PaymentFilter,
    ScheduleFilter,
)
from finsync.canonical.models import (
    CanonicalChange,
    Contract,
    ContractVersion,
    Customer,
    Invoice,
    InvoiceLine,
    Payment,
    PaymentApplication,
    RevenueSchedule,
    SchedulePeriod,
    TaxLine,
)
from finsync.canonical.serializers import (
    ChangeDetailSerializer,
    ChangeSerializer,
    ContractDetailSerializer,
    ContractSerializer,
    CustomerSerializer,
    InvoiceDetailSerializer,
    InvoiceSerializer,
    PaymentDetailSerializer,
    PaymentSerializer,
    ScheduleDetailSerializer,
    ScheduleSerializer,
)
from finsync.kit.api import Rows


class ChangeViewSet(Rows):
    """Changes: every statement that became true, in the order it was recorded. Append-only."""

    queryset = CanonicalChange.objects.defer("record")
    serializer_class = ChangeSerializer
    detail_serializer_class = ChangeDetailSerializer
    filterset_class = ChangeFilter
    noun, plural = "change", "changes"

    def with_details(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Add the record."""
        return rows.defer(None)


class CustomerViewSet(Rows):
    """Customers, at their newest state."""

    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilter
    noun, plural = "customer", "customers"


class ContractViewSet(Rows):
    """Contracts, at their newest version; the detail holds every version."""

    queryset = Contract.objects.all()
    serializer_class = ContractSerializer
    detail_serializer_class = ContractDetailSerializer
    filterset_class = ContractFilter
    noun, plural = "contract", "contracts"

    def with_details(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Add the versions."""
        return rows.prefetch_related(Prefetch("versions", ContractVersion.objects.order_by("version")))


class InvoiceViewSet(Rows):
    """Invoices, at their newest state; the detail holds lines and tax."""

    queryset = Invoice.objects.all()
    serializer_class = InvoiceSerializer
    detail_serializer_class = InvoiceDetailSerializer
    filterset_class = InvoiceFilter
    noun, plural = "invoice", "invoices"

    def with_details(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Add lines and tax."""
        taxes = Prefetch("taxes", TaxLine.objects.order_by("id"))
        return rows.prefetch_related(Prefetch("lines", InvoiceLine.objects.order_by("id").prefetch_related(taxes)))


class PaymentViewSet(Rows):
    """Payments, at their newest status; the detail holds what they settle."""

    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer
    detail_serializer_class = PaymentDetailSerializer
    filterset_class = PaymentFilter
    noun, plural = "payment", "payments"

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One payment with its applications."""
        payment = self.get_object()
        settled = PaymentApplication.objects.filter(
            payment_id=payment.payment_id, source_system=payment.source_system, entity=payment.entity
        )
        payment.applications = list(settled.order_by("sequence", "id"))
        return Response(PaymentDetailSerializer(payment).data)


class ScheduleViewSet(Rows):
    """Revenue schedules, one row per version; the detail holds the months."""

    queryset = RevenueSchedule.objects.all()
    serializer_class = ScheduleSerializer
    detail_serializer_class = ScheduleDetailSerializer
    filterset_class = ScheduleFilter
    noun, plural = "revenue schedule", "revenue schedules"

    def with_details(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Add the months."""
        return rows.prefetch_related(Prefetch("periods", SchedulePeriod.objects.order_by("period")))
