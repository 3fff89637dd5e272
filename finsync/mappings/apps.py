"""The approved table of accounts: posting rules and mapping sets as versioned data two people sign."""

from django.apps import AppConfig


class MappingsConfig(AppConfig):
    """Django's entry for the room."""

    name = "finsync.mappings"
    label = "mappings"
