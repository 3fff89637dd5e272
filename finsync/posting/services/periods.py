"""Reading accounting periods from the ERPs that own them."""

import logging

from django.utils import timezone

from connectors.errors import ConnectorError
from connectors.models import Connection
from connectors.models.connection import ConnectionState
from connectors.registry import connect, connector_class
from finsync.canonical.models import LegalEntity
from finsync.posting.models import AccountingPeriod

logger = logging.getLogger(__name__)


def refresh_periods() -> int:
    """Copy the periods of every entity from every reachable ERP; returns how many rows were read."""
    read = 0
    for connection in Connection.objects.filter(state=ConnectionState.ACTIVE):
        if not connector_class(connection.kind).capabilities.knows_periods:
            continue
        connector = connect(connection)
        for entity in LegalEntity.objects.values_list("code", flat=True):
            if connection.entities and entity not in connection.entities:
                continue
            try:
                periods = connector.periods(entity)
            except ConnectorError as error:
                logger.warning("periods of %s at %s: %s", entity, connection.name, error)
                continue
            read += len(periods)
            AccountingPeriod.objects.bulk_create(
                [
                    AccountingPeriod(
                        connection=connection,
                        entity=period.entity,
                        label=period.label,
                        start=period.start,
                        end=period.end,
                        open=period.open,
                        read_at=timezone.now(),
                    )
                    for period in periods
                ],
                update_conflicts=True,
                unique_fields=["connection", "entity", "start"],
                update_fields=["label", "end", "open", "read_at"],
            )
    return read
