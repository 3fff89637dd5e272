"""Pages that span rooms: home, search, trace, health. Reads only."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Django's entry for the room."""

    name = "finsync.web"
    label = "web"
