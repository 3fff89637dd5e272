"""Wiring: what only exists when all rooms are there (commands, registered actions)."""

from django.apps import AppConfig


class FinsyncConfig(AppConfig):
    """Registers what people can do about each kind of subject on the desk."""

    name = "finsync"
    label = "finsync"

    def ready(self) -> None:
        """Tie the rooms together."""
        from finsync.actions import register_actions

        register_actions()
