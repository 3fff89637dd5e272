"""The audit log over the API."""

from finsync.audit.filtersets import AuditFilter
from finsync.audit.models import AuditEntry
from finsync.audit.serializers import AuditEntrySerializer
from finsync.kit.api import Rows


class AuditViewSet(Rows):
    """Audit entries: every change of a financial or configuration row, with its actor and its place in a hash chain."""

    queryset = AuditEntry.objects.select_related("link")
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    noun, plural = "audit entry", "audit entries"
