"""The Tryton connector: an ERP that is posted to and read back from, over its JSON-RPC interface.

Options: ``database`` (default ``erp``), ``company.<entity>`` (the company's name, where its party's code is not the
entity's code), ``revenue_account`` and ``deferred_account`` (default 4000 and 2100). Secrets: ``user``, ``password``.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar

from connectors.capabilities import Capabilities
from connectors.contract import (
    AccountingPeriodState,
    ConnectionConfig,
    Found,
    Ignored,
    NormaliseResult,
    Page,
    RawItem,
    Receipt,
    SignatureCheck,
    Window,
)
from connectors.errors import Unsupported
from connectors.systems.tryton import bodies, entries, post, settle
from connectors.systems.tryton.bodies import Body
from connectors.systems.tryton.capabilities import CAPABILITIES
from connectors.systems.tryton.client import TrytonClient
from connectors.systems.tryton.observe import Observer
from connectors.systems.tryton.post import Ledger
from connectors.systems.tryton.reference import Reference
from connectors.transport import Transport
from finsync.core.money import Money
from finsync.core.records.document import DocType, PostingDocument
from finsync.core.records.observed import Observed

DATABASE_DEFAULT = "erp"


class TrytonConnector:
    """See ``connectors.contract.Connector`` for what each method promises."""

    capabilities: ClassVar[Capabilities] = CAPABILITIES

    def __init__(self, config: ConnectionConfig, transport: Transport) -> None:
        self._database = config.options.get("database", DATABASE_DEFAULT)
        self._client = TrytonClient(
            transport, self._database, config.secrets.get("user", ""), config.secrets.get("password", "")
        )
        self._reference = Reference(self._client, config.options)
        self._ledger = Ledger(self._client, self._reference)
        self._observer = Observer(self._client, self._reference, config.options)

    # ---- receiving: Tryton has no webhooks and no change feed ------------------------------------------------------

    @staticmethod
    def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> SignatureCheck:
        return SignatureCheck(ok=False, reason="Tryton sends no webhooks")

    @staticmethod
    def webhook_event_id(headers: Mapping[str, str], body: bytes) -> str | None:
        return None

    @staticmethod
    def webhook_object(headers: Mapping[str, str], body: bytes) -> str:
        return ""

    def normalise(self, item: RawItem) -> NormaliseResult:
        return Ignored(reason="Tryton is posted to and read back from; it states no business facts of its own")

    def poll(self, stream: str, cursor: str, now: datetime) -> Page:
        raise Unsupported("Tryton offers no stream to poll")

    def fetch(self, record_type: str, source_ids: Sequence[str]) -> Sequence[RawItem]:
        raise Unsupported("Tryton states no business facts to fetch")

    # ---- posting ---------------------------------------------------------------------------------------------------

    def build_body(self, document: PostingDocument) -> Body:
        return bodies.build_body(document)

    def send(self, document: PostingDocument, body: Body, resume_id: str = "") -> Receipt:
        with self._client.one_document(exists=bool(resume_id)):
            match document.doc_type:
                case DocType.CUSTOMER:
                    return post.send_customer(self._ledger, body)
                case DocType.INVOICE:
                    return post.send_invoice(self._ledger, body, resume_id)
                case DocType.PAYMENT_APPLICATION:
                    return settle.send_application(self._ledger, body, resume_id)
                case DocType.PAYMENT | DocType.JOURNAL:
                    return entries.send_entry(self._ledger, body, resume_id)
        raise Unsupported(f"Tryton takes no {document.doc_type}")

    def find(self, document: PostingDocument) -> Sequence[Found]:
        body = self.build_body(document)
        match document.doc_type:
            case DocType.CUSTOMER:
                return post.find_customer(self._ledger, body)
            case DocType.INVOICE:
                return post.find_invoices(self._ledger, body)
            case DocType.PAYMENT_APPLICATION:
                return settle.find_applications(self._ledger, body)
        return entries.find_entries(self._ledger, body)

    # ---- reading back ----------------------------------------------------------------------------------------------

    def observe(self, object: str, window: Window) -> Iterable[Observed]:
        return self._observer.observe(object, window)

    def account_balances(self, entity: str, as_of: date) -> dict[str, Money]:
        """Return the balance of every account of an entity at the end of a day, by code; debit positive."""
        return self._observer.account_balances(self._reference.company(entity), as_of)

    def periods(self, entity: str) -> Sequence[AccountingPeriodState]:
        return self._reference.periods(self._reference.company(entity))

    def ping(self) -> str:
        series = self._client.server_version()
        companies = ", ".join(sorted(company.entity for company in self._reference.companies()))
        return f"Tryton {series} answers; database {self._database} keeps {companies or 'no company'}"


CONNECTOR = TrytonConnector
