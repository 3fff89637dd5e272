"""The kit: views, tags and API manners every room with a face shares."""

from django.apps import AppConfig


class KitConfig(AppConfig):
    """Django's entry for the room."""

    name = "finsync.kit"
    label = "kit"
