"""The book of what is true: entities, their history, and the append-only log of changes."""

from django.apps import AppConfig


class CanonicalConfig(AppConfig):
    """Django's entry for the room."""

    name = "finsync.canonical"
    label = "canonical"
