"""Connections, what they are allowed, and the letters they brought."""

from connectors.models.connection import Connection, Cursor, WebhookSecret
from connectors.models.inbox import InboxMessage

__all__ = ["Connection", "Cursor", "InboxMessage", "WebhookSecret"]
