"""The out-tray: what must be posted, where it stands, and the receipts."""

from django.apps import AppConfig


class PostingConfig(AppConfig):
    """Django's entry for the room; registers what can be done about its cases."""

    name = "finsync.posting"
    label = "posting"
