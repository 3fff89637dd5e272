"""What a pushed event says about itself before anyone reads it."""

from collections.abc import Mapping

from connectors.reading import UnreadableBody, read_json
from connectors.signatures import header

EVENT_ID_CHARACTERS_MAX = 200


def event_id(headers: Mapping[str, str]) -> str | None:
    """Return the id of a delivery: the same for every attempt to deliver one event."""
    found = header(headers, "webhook-id")
    return found if found.isascii() and 0 < len(found) <= EVENT_ID_CHARACTERS_MAX else None


def object_name(body: bytes) -> str:
    """Return the event type, ``schedule.revised``, or ""."""
    try:
        return read_json(body)["type"].identifier()
    except UnreadableBody:
        return ""
