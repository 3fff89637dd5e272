"""The revenue engine's connector: contract versions out, schedules and balances in."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from connectors.capabilities import Capabilities
from connectors.contract import (
    AccountingPeriodState,
    ConnectionConfig,
    Found,
    NormaliseResult,
    Page,
    RawItem,
    Receipt,
    SignatureCheck,
    Window,
)
from connectors.errors import OutcomeUnknown, Unsupported
from connectors.signatures import check_standard_webhook
from connectors.systems.revenue_engine import normalise as reading
from connectors.systems.revenue_engine import observe as observing
from connectors.systems.revenue_engine import post, webhooks
from connectors.systems.revenue_engine.capabilities import CAPABILITIES, OVERLAP_SECONDS, SCHEDULES
from connectors.systems.revenue_engine.client import Client, Row
from connectors.transport import Transport
from finsync.core.keys import canonical_json
from finsync.core.records.document import PostingDocument
from finsync.core.records.observed import Observed


class RevenueEngineConnector:
    """One engine. Secret: ``api_key``. Option: ``treatment`` of modifications (separate_contract)."""

    capabilities: ClassVar[Capabilities] = CAPABILITIES

    def __init__(self, config: ConnectionConfig, transport: Transport) -> None:
        self.config = config
        self._client = Client(config, transport)

    @staticmethod
    def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> SignatureCheck:
        """Check an event after the Standard Webhooks scheme."""
        return check_standard_webhook(headers, body, secrets, now)

    @staticmethod
    def webhook_event_id(headers: Mapping[str, str], body: bytes) -> str | None:
        """Return the sender's id of the event."""
        return webhooks.event_id(headers)

    @staticmethod
    def webhook_object(headers: Mapping[str, str], body: bytes) -> str:
        """Return the event type."""
        return webhooks.object_name(body)

    def normalise(self, item: RawItem) -> NormaliseResult:
        """Return the revenue schedule a letter states."""
        return reading.normalise(item, self.config.name)

    def poll(self, stream: str, cursor: str, now: datetime) -> Page:
        """Return the next page of schedule versions, the overlap re-read each time."""
        if stream != SCHEDULES:
            raise Unsupported(f"the revenue engine has no stream {stream!r}")
        place: dict[str, str] = json.loads(cursor) if cursor else {}
        if not place.get("next"):
            seen = place.get("seen")
            start = datetime.fromisoformat(seen) - timedelta(seconds=OVERLAP_SECONDS) if seen else None
            place["since"] = start.isoformat() if start else ""
        params = {"updated_since": place["since"]} if place["since"] else {}
        rows, following = self._client.page("/v1/schedules", params, place.get("next", ""))
        stamps = [stamp.isoformat() for stamp in map(_stamp, rows) if stamp]
        place = {"seen": max([place.get("seen", ""), *stamps]), "since": place["since"], "next": following}
        return Page(items=[_letter(row) for row in rows], cursor=json.dumps(place), more=bool(following))

    def fetch(self, record_type: str, source_ids: Sequence[str]) -> Sequence[RawItem]:
        """Return the newest version of each named schedule."""
        if record_type != "revenue_schedule":
            raise Unsupported(f"the revenue engine has no {record_type!r} to fetch")
        return [_letter(self._client.get(f"/v1/schedules/{quote(one, safe='')}")) for one in source_ids]

    def build_body(self, document: PostingDocument) -> dict[str, Any]:
        """Return the contract version as the engine wants it."""
        return post.body_of(document, self.config.options.get("treatment", post.TREATMENT_DEFAULT))

    def send(self, document: PostingDocument, body: dict[str, Any], resume_id: str = "") -> Receipt:
        """Post once; nothing is ever half made there, so there is nothing to resume."""
        return post.send(self._client, document, body)

    def find(self, document: PostingDocument) -> Sequence[Found]:
        """Return what carries our reference."""
        return post.find(self._client, document)

    def observe(self, object: str, window: Window) -> Iterable[Observed]:
        """Yield schedules, revenue per month or deferred revenue at month end."""
        match object:
            case "schedule":
                found = observing.schedules(self._client, window)
            case "revenue":
                found = observing.balances(self._client, window, "revenue", "amount", "planned")
            case "deferred":
                found = observing.balances(self._client, window, "deferred", "deferred", "open")
            case _:
                raise Unsupported(f"the revenue engine shows no {object!r}")
        return observing.readable(found)

    def periods(self, entity: str) -> Sequence[AccountingPeriodState]:
        """Raise Unsupported: periods are the ledger's."""
        raise Unsupported("the revenue engine keeps no accounting periods")

    def ping(self) -> str:
        """Say how many contracts it holds."""
        return f"the revenue engine answers; it holds {self._client.get('/v1/health').get('contracts')} contracts"


def _letter(row: Row) -> RawItem:
    try:
        body = canonical_json(row)
    except TypeError as error:
        raise OutcomeUnknown(f"a schedule cannot be kept: {error}") from None
    return RawItem(
        event_id=f"poll:schedule:{row.get('id')}:{row.get('version')}",
        object="schedule",
        body=body,
        source_ts=_stamp(row),
    )


def _stamp(row: Row) -> datetime | None:
    try:
        return datetime.fromisoformat(str(row.get("updated_at"))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


CONNECTOR = RevenueEngineConnector
