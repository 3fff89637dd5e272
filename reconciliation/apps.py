"""The second pair of eyes: do all sides tell the same story, to the cent."""

from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    """Django's entry for the room; registers what can be done about a break."""

    name = "reconciliation"
    label = "reconciliation"

    def ready(self) -> None:
        """Make "Receive again" known to the desk."""
        from exceptions_queue.services import register
        from reconciliation.services.repair import ACTION

        register(ACTION)
