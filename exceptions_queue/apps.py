"""The desk: every failure of any stage, as a case a person can act on."""

from django.apps import AppConfig


class ExceptionsQueueConfig(AppConfig):
    """Django's entry for the room."""

    name = "exceptions_queue"
    label = "exceptions_queue"
