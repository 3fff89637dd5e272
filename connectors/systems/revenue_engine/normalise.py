"""From a schedule, pushed or read, to a core record. Pure, and never raises on any bytes."""

from enum import StrEnum

from connectors.contract import Ignored, Normalised, NormaliseResult, RawItem
from connectors.reading import Cursor, UnreadableBody, read_json
from finsync.core.money import total
from finsync.core.periods import Period
from finsync.core.records import Lineage, RevenueScheduleRecord, SchedulePeriod
from finsync.core.sequencing import VersionKind


class EventType(StrEnum):
    """What the engine tells."""

    CREATED = "schedule.created"
    REVISED = "schedule.revised"
    PING = "ping"


def normalise(item: RawItem, system: str) -> NormaliseResult:
    """Return what a letter says. ``system`` is the connection's name, kept in the lineage."""
    try:
        body = read_json(item.body)
        if not body["type"].given:
            return Normalised(records=(_schedule(body, system),))
        if body["type"].one_of(EventType) is EventType.PING:
            return Ignored(reason="a ping says nothing")
        return Normalised(records=(_schedule(body["data"]["schedule"], system),))
    except UnreadableBody as unreadable:
        return unreadable.answer


def _schedule(schedule: Cursor, system: str) -> RevenueScheduleRecord:
    currency, version = schedule["currency"].currency(), schedule["version"].whole(least=1)
    planned, periods = schedule["total"].money(currency), tuple(_period(one, currency) for one in schedule["periods"])
    if total((period.amount for period in periods), currency) != planned:
        raise schedule["total"].refuse("the sum of the periods is needed")
    labels = [period.period for period in periods]
    if labels != sorted(set(labels)):
        raise schedule["periods"].refuse("each period once, in order, is needed")
    schedule_id = schedule["id"].identifier()
    return RevenueScheduleRecord(
        lineage=Lineage(
            system=system,
            object="schedule",
            source_id=schedule_id,
            source_version=str(version),
            version_kind=VersionKind.MONOTONE,
            ordinal=version,
            source_ts=schedule["updated_at"].instant(),
            correlation_id=schedule["correlation_id"].identifier(),
            effective_date=schedule["effective_date"].day(),
        ),
        entity=schedule["entity"].identifier(),
        schedule_id=schedule_id,
        schedule_version=version,
        contract_number=schedule["contract"].identifier(),
        contract_version=schedule["contract_version"].whole(least=1),
        currency=currency,
        total=planned,
        periods=periods,
    )


def _period(line: Cursor, currency: str) -> SchedulePeriod:
    try:
        period = Period.parse(line["period"].text())
        last = period.end
    except ValueError as error:
        raise line["period"].refuse(str(error)) from None
    if line["ends_on"].day() != last:
        raise line["ends_on"].refuse("the first day after the period is needed")
    return SchedulePeriod(period=period.label, ends_on=last, amount=line["amount"].money(currency))
