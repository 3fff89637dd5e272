"""The REST API: every address under /api/, its description, and the health address. Wiring only."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter

from connectors.api import ConnectionViewSet, EventViewSet
from exceptions_queue.api import ExceptionViewSet
from finsync.audit.api import AuditViewSet
from finsync.canonical.api import (
    ChangeViewSet,
    ContractViewSet,
    CustomerViewSet,
    InvoiceViewSet,
    PaymentViewSet,
    ScheduleViewSet,
)
from finsync.kit.api import Plain
from finsync.mappings.api import MappingVersionViewSet
from finsync.posting.api import PostingViewSet
from finsync.web.api import HealthView, StatusView, TraceView
from reconciliation.api import CellViewSet, RunViewSet, VarianceViewSet


class SchemaView(SpectacularAPIView):
    """OpenAPI 3 of this API. Open to everybody, like the code it is made from."""


class Nothing(Plain):
    """Every other address under /api/: a problem, not a page."""

    schema = None
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Answer every method the same. Raises NotFound."""
        super().initial(request, *args, **kwargs)
        raise NotFound("There is nothing at this address. /api/schema/ lists all; each ends with a slash.")


router = SimpleRouter()
router.register("exceptions", ExceptionViewSet, basename="api-exceptions")
router.register("postings", PostingViewSet, basename="api-postings")
router.register("events", EventViewSet, basename="api-events")
router.register("changes", ChangeViewSet, basename="api-changes")
router.register("customers", CustomerViewSet, basename="api-customers")
router.register("contracts", ContractViewSet, basename="api-contracts")
router.register("invoices", InvoiceViewSet, basename="api-invoices")
router.register("payments", PaymentViewSet, basename="api-payments")
router.register("revenue-schedules", ScheduleViewSet, basename="api-revenue-schedules")
router.register("connections", ConnectionViewSet, basename="api-connections")
router.register("mapping-versions", MappingVersionViewSet, basename="api-mapping-versions")
router.register("reconciliation/runs", RunViewSet, basename="api-runs")
router.register("reconciliation/cells", CellViewSet, basename="api-cells")
router.register("reconciliation/variances", VarianceViewSet, basename="api-variances")
router.register("audit", AuditViewSet, basename="api-audit")

urlpatterns = [
    path("healthz", HealthView.as_view(), name="healthz"),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/v1/trace/", TraceView.as_view(), name="api-trace"),
    path("api/v1/status/", StatusView.as_view(), name="api-status"),
    path("api/v1/", include(router.urls)),
    re_path(r"^api/", Nothing.as_view()),
]
