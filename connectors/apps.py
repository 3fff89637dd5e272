"""The doors: outside systems, what they sent, and how to speak with them."""

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    """Django's entry for the room; start-up checks refuse unsafe capability tables."""

    name = "connectors"
    label = "connectors"

    def ready(self) -> None:
        """Register the start-up checks."""
        from connectors import checks  # noqa: F401
