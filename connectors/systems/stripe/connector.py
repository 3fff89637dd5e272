"""Stripe as billing and gateway: one door made of the modules beside it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
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
from connectors.errors import Unsupported
from connectors.systems.stripe import observe, post, receive, webhooks
from connectors.systems.stripe.capabilities import CAPABILITIES
from connectors.systems.stripe.client import Client
from connectors.systems.stripe.normalise import normalise
from connectors.systems.stripe.origin import Settings
from connectors.transport import Transport
from finsync.core.records.document import PostingDocument
from finsync.core.records.observed import Observed


class StripeConnector:
    """Stripe for one connection. Options: README.md of this folder; secret ``api_key``."""

    capabilities: ClassVar[Capabilities] = CAPABILITIES

    def __init__(self, config: ConnectionConfig, transport: Transport) -> None:
        self.config = config
        self.settings = Settings.of(config)
        self.client = Client(transport, config.secrets.get("api_key", ""))

    @staticmethod
    def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> SignatureCheck:
        return webhooks.verify(headers, body, secrets, now)

    @staticmethod
    def webhook_event_id(headers: Mapping[str, str], body: bytes) -> str | None:
        return webhooks.event_id(body)

    @staticmethod
    def webhook_object(headers: Mapping[str, str], body: bytes) -> str:
        return webhooks.event_type(body)

    def normalise(self, item: RawItem) -> NormaliseResult:
        return normalise(item, self.settings)

    def poll(self, stream: str, cursor: str, now: datetime) -> Page:
        return receive.poll(self.client, stream, cursor, now)

    def fetch(self, record_type: str, source_ids: Sequence[str]) -> Sequence[RawItem]:
        return receive.fetch(self.client, self.settings, record_type, source_ids)

    def build_body(self, document: PostingDocument) -> dict[str, Any]:
        return post.build_body(document, self.settings)

    def send(self, document: PostingDocument, body: dict[str, Any], resume_id: str = "") -> Receipt:
        return post.send(self.client, document, body)  # nothing Stripe makes is ever half-made

    def find(self, document: PostingDocument) -> Sequence[Found]:
        return post.find(self.client, document)

    def observe(self, object: str, window: Window) -> Iterable[Observed]:
        return observe.observe(self.client, self.settings, object, window)

    def periods(self, entity: str) -> Sequence[AccountingPeriodState]:
        raise Unsupported("Stripe keeps no accounting periods")

    def ping(self) -> str:
        newest = list(self.client.get("/v1/events", {"limit": 1}).body["data"])
        return f"answers; event list begins with {newest[0]['id'].identifier()}" if newest else "answers; no events yet"


CONNECTOR = StripeConnector
