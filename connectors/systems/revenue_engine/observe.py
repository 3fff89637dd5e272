"""What the engine holds: schedules with their contract version, revenue per month, deferred revenue at month end."""

from collections.abc import Iterator
from datetime import date, timedelta

from connectors.contract import Window
from connectors.errors import OutcomeUnknown
from connectors.systems.revenue_engine.client import Client, Row
from finsync.core.money import Money
from finsync.core.periods import Period
from finsync.core.records.observed import Observed

ONE_DAY = timedelta(days=1)


def schedules(client: Client, window: Window) -> Iterator[Observed]:
    """Yield, per contract whose term touches the window, its newest schedule that takes effect before the window ends.

    ``version`` is the contract version the schedule executes, ``amount`` its total.
    """
    for row in _rows(client, "/v1/schedules", {"newest_before": window.end.isoformat()}, window):
        if date.fromisoformat(row["term_end"]) > window.start:
            yield Observed(
                object="schedule",
                key=row["contract"],
                entity=row["entity"],
                currency=row["currency"],
                period="",
                amount=Money.of(row["total"], row["currency"]),
                state="active",
                source_id=row["id"],
                version=int(row["contract_version"]),
                document_date=date.fromisoformat(row["effective_date"]),
                facts={"schedule_version": str(row["version"]), "treatment": str(row.get("treatment", ""))},
            )


def balances(client: Client, window: Window, object: str, field: str, state: str) -> Iterator[Observed]:
    """Yield one amount per contract and month whose last day lies in the window."""
    months = {"from": Period.of(window.start).label, "to": Period.of(window.end - ONE_DAY).label}
    for row in _rows(client, "/v1/balances", months, window):
        last_day = date.fromisoformat(row["ends_on"]) - ONE_DAY
        if window.start <= last_day < window.end:
            yield Observed(
                object=object,
                key=f"{row['contract']}|{row['period']}",
                entity=row["entity"],
                currency=row["currency"],
                period=row["period"],
                amount=Money.of(row[field], row["currency"]),
                state=state,
                source_id=row["schedule"],
                version=int(row["contract_version"]),
                document_date=last_day,
            )


def _rows(client: Client, path: str, params: dict[str, str], window: Window) -> Iterator[Row]:
    for entity in window.entities or ("",):
        yield from client.rows(path, params | ({"entity": entity} if entity else {}))


def readable(found: Iterator[Observed]) -> Iterator[Observed]:
    """Pass rows on; one that lacks what it must say is an answer that cannot be read."""
    try:
        yield from found
    except (KeyError, ValueError, TypeError) as error:
        raise OutcomeUnknown(f"a row of the answer cannot be read: {error!r}") from None
