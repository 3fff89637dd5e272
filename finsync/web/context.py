"""What the shell around every page shows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from finsync.kit import preferences
from finsync.web.selectors import read_shell


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the values of the page frame. Counts are read only by a template that shows them (no fragment does)."""
    return {
        "theme": preferences.theme(request),
        "single_keys": preferences.single_keys(request),
        "entity_chosen": preferences.entity(request),
        "environment_label": settings.ENVIRONMENT_LABEL,
        "frame": SimpleLazyObject(read_shell),
    }
