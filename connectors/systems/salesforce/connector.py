"""The Salesforce connector: accounts and activated orders in, nothing out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

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
from connectors.errors import NotFound, Unsupported
from connectors.signatures import check_standard_webhook
from connectors.systems.salesforce import normalise as reading
from connectors.systems.salesforce import observe as observing
from connectors.systems.salesforce import reads, webhooks
from connectors.systems.salesforce.capabilities import ACCOUNTS, CAPABILITIES, ORDERS, OVERLAP_SECONDS
from connectors.systems.salesforce.client import Client, LocatorExpired, Rows
from connectors.transport import Transport
from finsync.core.records.document import PostingDocument
from finsync.core.records.observed import Observed

ORDER_ID_PREFIX = "801"  # Salesforce's key prefix of Order: a hint may name an order instead of its contract
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
READS_ONLY = "finsync reads Salesforce and posts nothing there"


class SalesforceConnector:
    """One Salesforce org. Secrets: ``client_id``, ``client_secret``. Options: ``api_version``."""

    capabilities: ClassVar[Capabilities] = CAPABILITIES

    def __init__(self, config: ConnectionConfig, transport: Transport) -> None:
        self.config = config
        self._client = Client(config, transport)

    @staticmethod
    def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> SignatureCheck:
        """Check a pushed event after the Standard Webhooks scheme, as our integration endpoint asks for."""
        return check_standard_webhook(headers, body, secrets, now)

    @staticmethod
    def webhook_event_id(headers: Mapping[str, str], body: bytes) -> str | None:
        """Return the sender's id of the event."""
        return webhooks.event_id(headers)

    @staticmethod
    def webhook_object(headers: Mapping[str, str], body: bytes) -> str:
        """Return the kind of event."""
        return webhooks.object_name(body)

    def normalise(self, item: RawItem) -> NormaliseResult:
        """Return a customer, a contract version, or what to fetch."""
        return reading.normalise(item, self.config.name)

    def poll(self, stream: str, cursor: str, now: datetime) -> Page:
        """Return the next page of accounts or orders by SystemModstamp, the overlap re-read each time."""
        if stream not in (ACCOUNTS, ORDERS):
            raise Unsupported(f"Salesforce has no stream {stream!r}")
        place: dict[str, str] = json.loads(cursor) if cursor else {}
        rows = self._next_rows(stream, place)
        letters = (
            reads.account_letters(rows.rows) if stream == ACCOUNTS else reads.order_letters(self._client, rows.rows)
        )
        stamps = [stamp.isoformat() for stamp in map(reads.stamp_of, rows.rows) if stamp]
        place = {"seen": max([place.get("seen", ""), *stamps]), "since": place["since"], "next": rows.next_url}
        return Page(items=letters, cursor=json.dumps(place), more=bool(rows.next_url))

    def _next_rows(self, stream: str, place: dict[str, str]) -> Rows:
        """The page the cursor stands before; a forgotten locator starts the same window again."""
        if place.get("next"):
            try:
                return self._client.next(place["next"])
            except LocatorExpired:
                return self._rows_since(stream, place["since"])
        seen = datetime.fromisoformat(place["seen"]) if place.get("seen") else EPOCH + timedelta(days=1)
        place["since"] = (seen - timedelta(seconds=OVERLAP_SECONDS)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return self._rows_since(stream, place["since"])

    def _rows_since(self, stream: str, since: str) -> Rows:
        query = reads.ACCOUNT_QUERY if stream == ACCOUNTS else reads.ORDER_QUERY
        soql = f"{query} WHERE SystemModstamp >= {since} ORDER BY SystemModstamp, Id"
        return self._client.first(soql, deleted_too=stream == ACCOUNTS)

    def fetch(self, record_type: str, source_ids: Sequence[str]) -> Sequence[RawItem]:
        """Return accounts by id, or every order of the named contracts (by number, or by the id of one order)."""
        if record_type == "customer":
            letters = reads.account_letters(reads.accounts_of(self._client, source_ids))
        elif record_type == "contract_version":
            orders = [id for id in source_ids if id.startswith(ORDER_ID_PREFIX) and len(id) in (15, 18)]
            numbers = [id for id in source_ids if id not in orders]
            found = [
                *reads.orders_of(self._client, "Id", orders),
                *reads.orders_of(self._client, "Contract.ContractNumber", numbers),
            ]
            letters = reads.order_letters(self._client, found)
        else:
            raise Unsupported(f"Salesforce has no {record_type!r} to fetch")
        if not letters:
            raise NotFound(f"Salesforce has no {record_type} {', '.join(source_ids)}")
        return letters

    def build_body(self, document: PostingDocument) -> dict[str, Any]:
        """Raise Unsupported."""
        raise Unsupported(READS_ONLY)

    def send(self, document: PostingDocument, body: dict[str, Any], resume_id: str = "") -> Receipt:
        """Raise Unsupported."""
        raise Unsupported(READS_ONLY)

    def find(self, document: PostingDocument) -> Sequence[Found]:
        """Raise Unsupported."""
        raise Unsupported(READS_ONLY)

    def observe(self, object: str, window: Window) -> Iterable[Observed]:
        """Yield contracts with version and total value."""
        if object != "contract":
            raise Unsupported(f"Salesforce shows no {object!r}")
        return observing.contracts(self._client, window, self.config.name)

    def periods(self, entity: str) -> Sequence[AccountingPeriodState]:
        """Raise Unsupported: a CRM has no accounting periods."""
        raise Unsupported("a CRM has no accounting periods")

    def ping(self) -> str:
        """Say how many calls are left today."""
        calls = self._client.limits().get("DailyApiRequests") or {}
        return f"Salesforce answers; {calls.get('Remaining')} of {calls.get('Max')} calls left today"


CONNECTOR = SalesforceConnector
