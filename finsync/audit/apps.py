"""The audit room: who did what, in a form that shows tampering."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Django's entry for the room."""

    name = "finsync.audit"
    label = "audit"
