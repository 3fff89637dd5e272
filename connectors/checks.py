"""Start-up checks: a connector that could post twice without anyone noticing must not start."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from connectors.registry import connector_classes


@register()
def capability_tables_are_safe(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a posting capability that is neither idempotent nor findable."""
    return [
        Error(problem, id="connectors.E001")
        for connector in connector_classes().values()
        for problem in connector.capabilities.problems()
    ]
