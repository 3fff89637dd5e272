"""The door to the simulated ERP: it posts and is read back, nothing comes from it by itself."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

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
from connectors.systems.simulated_erp.capabilities import CAPABILITIES
from connectors.systems.simulated_erp.client import Client
from connectors.transport import Transport
from finsync.core.keys import idempotency_key
from finsync.core.money import Money
from finsync.core.records.document import PostingDocument
from finsync.core.records.observed import Observed


class SimulatedErp:
    """See the package's README for what is simulated."""

    capabilities = CAPABILITIES

    def __init__(self, config: ConnectionConfig, transport: Transport) -> None:
        self.config, self.client = config, Client(transport)

    @staticmethod
    def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> SignatureCheck:
        """It sends no webhooks: whatever comes in its name is not authentic."""
        return SignatureCheck(ok=False, reason="the simulated ERP sends no webhooks")

    @staticmethod
    def webhook_event_id(headers: Mapping[str, str], body: bytes) -> str | None:
        """It sends no webhooks."""
        return None

    @staticmethod
    def webhook_object(headers: Mapping[str, str], body: bytes) -> str:
        """It sends no webhooks."""
        return ""

    def normalise(self, item: RawItem) -> NormaliseResult:
        """It states no facts of its own."""
        return Ignored(reason="the simulated ERP states no facts")

    def poll(self, stream: str, cursor: str, now: datetime) -> Page:
        """Raise Unsupported: there is no stream."""
        raise Unsupported(f"the simulated ERP has no stream {stream!r}")

    def fetch(self, record_type: str, source_ids: Sequence[str]) -> Sequence[RawItem]:
        """Raise Unsupported: it is no source."""
        raise Unsupported(f"the simulated ERP is no source of {record_type!r}")

    def build_body(self, document: PostingDocument) -> dict[str, Any]:
        """Return the document as the API takes it."""
        return {
            "reference": document.external_ref,
            "doc_type": str(document.doc_type),
            "entity": document.entity,
            "amount": _amount(document.amount),
            "accounting_date": document.accounting_date.isoformat(),
            "document_date": document.document_date.isoformat(),
            "narrative": document.narrative,
            "correlation_id": document.correlation_id,
            "lines": [
                {"account": line.account, "side": line.side, "amount": _amount(line.amount)}
                for line in document.journal
            ],
            "refers_to": dict(document.references),
        }

    def send(self, document: PostingDocument, body: dict[str, Any], resume_id: str = "") -> Receipt:
        """Create the document, or complete the half-made one."""
        if resume_id:
            made = self.client.complete(resume_id)
        else:
            made = self.client.create(idempotency_key(document.external_ref, "post"), body)
        return Receipt(
            document_id=str(made.get("id", "")),
            number=str(made.get("number", "")),
            # A document that exists but is half made was not posted: without an echo it is looked up.
            echoed_ref=str(made.get("reference", "")) if made.get("complete") else "",
            echoed_amount=_money(made.get("amount")),
        )

    def find(self, document: PostingDocument) -> Sequence[Found]:
        """Return every document with our reference."""
        return [self._found(document, made) for made in self.client.search(document.external_ref)]

    def observe(self, object: str, window: Window) -> Iterable[Observed]:
        """Yield the documents dated in the window."""
        if object != "document":
            raise Unsupported(f"the simulated ERP cannot be asked for {object!r}")
        for made in self.client.documents():
            dated = date.fromisoformat(made["document_date"])
            amount = _money(made["amount"])
            if window.start <= dated < window.end and amount is not None:
                yield Observed(
                    object="document", key=made["reference"], entity=made["entity"], currency=amount.currency,
                    period="", amount=amount, state="posted" if made["complete"] else "draft", source_id=made["id"],
                    document_date=dated,
                )  # fmt: skip

    def periods(self, entity: str) -> Sequence[AccountingPeriodState]:
        """Raise Unsupported: it shows no periods, it only refuses closed ones."""
        raise Unsupported("the simulated ERP shows no periods")

    def ping(self) -> str:
        """Ask for its health."""
        return f"answers; holds {self.client.health().get('documents')} documents"

    @staticmethod
    def _found(document: PostingDocument, made: Mapping[str, Any]) -> Found:
        differing = [
            name
            for name, ours in (("entity", document.entity), ("amount", _amount(document.amount)))
            if made.get(name) != ours
        ]
        return Found(
            document_id=str(made["id"]),
            number=str(made["number"]),
            complete=bool(made["complete"]),
            fingerprint_ok=not differing,
            detail=", ".join(f"{name} is {made.get(name)}" for name in differing),
        )


def _amount(amount: Money | None) -> dict[str, Any] | None:
    return {"minor": amount.minor, "currency": amount.currency} if amount is not None else None


def _money(value: Any) -> Money | None:
    return Money(value["minor"], value["currency"]) if value else None


CONNECTOR = SimulatedErp
