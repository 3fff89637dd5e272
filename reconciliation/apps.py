"""The second pair of eyes: do all sides tell the same story, to the cent."""

from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    """Django's entry for the room."""

    name = "reconciliation"
    label = "reconciliation"
