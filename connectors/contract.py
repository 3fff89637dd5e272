"""The contract every connector fulfils: the doors of finsync, seen from inside.

A connector is constructed per connection with its configuration and a transport, holds no state of its own between
calls, and imports neither Django nor any room. All network calls go through ``transport`` so that every exchange
can be stored and faults can be injected.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar, Protocol

from connectors.capabilities import Capabilities
from connectors.transport import Transport
from finsync.core.money import Money
from finsync.core.records import Record
from finsync.core.records.document import PostingDocument
from finsync.core.records.observed import Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionConfig:
    """One configured connection. ``options`` are plain settings, ``secrets`` decrypted credentials (never logged)."""

    name: str
    kind: str
    base_url: str
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


# ---- receiving -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureCheck:
    """The answer to 'is this letter authentic'; ``reason`` is for the log, never for the sender."""

    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawItem:
    """One source object as received: by webhook, poll, fetch or file. ``body`` is kept byte for byte.

    ``event_id`` is unique per connection: the sender's id for a webhook, ``poll:<object>:<id>:<version or hash>`` else.
    """

    event_id: str
    object: str
    body: bytes
    source_ts: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a poll. ``cursor`` continues after it; ``more`` says whether to ask again at once."""

    items: Sequence[RawItem]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """The letter was understood: these records, in the order they must be applied."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """The letter is understood and says nothing finsync keeps (a ping, an event type declared irrelevant)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsFetch:
    """The letter is a hint, or truncated: fetch this object and normalise what comes back."""

    object: str
    source_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """The letter cannot be read: ``code`` is a reason code (ING_SCHEMA_UNKNOWN …), ``path`` where in the body."""

    code: str
    path: str
    detail: str


NormaliseResult = Normalised | Ignored | NeedsFetch | Unreadable


# ---- posting ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The target accepted: its id, the human number, and what it echoed (checked against what was sent).

    ``accepted_only`` is True where the target confirms later.
    """

    document_id: str
    number: str
    echoed_ref: str
    echoed_amount: Money | None
    accepted_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A document in the target that carries our reference.

    ``complete`` is False for a draft or a half-made document: it is resumed, never created again.
    ``fingerprint_ok`` compares what can be compared (reference, entity, currency, amount).
    """

    document_id: str
    number: str
    complete: bool
    fingerprint_ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountingPeriodState:
    """A period as the ERP holds it; ``[start, end)``."""

    entity: str
    label: str
    start: date
    end: date
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What to observe: documents dated in ``[start, end)``, of these entities (all where empty)."""

    start: date
    end: date
    entities: tuple[str, ...] = ()


class Connector(Protocol):
    """One outside system behind one door. Methods a capability table does not declare raise ``Unsupported``."""

    capabilities: ClassVar[Capabilities]

    def __init__(self, config: ConnectionConfig, transport: Transport) -> None: ...

    # receiving; the first two and normalise are pure and never raise on any input bytes
    @staticmethod
    def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> SignatureCheck:
        """Check the signature over the raw bytes with every active secret; tolerance 300 s both ways."""
        ...

    @staticmethod
    def webhook_event_id(headers: Mapping[str, str], body: bytes) -> str | None:
        """Return the sender's id of this delivery, or None where it cannot be read (then the body's hash stands in)."""
        ...

    @staticmethod
    def webhook_object(headers: Mapping[str, str], body: bytes) -> str:
        """Return the event type or object name, "" where it cannot be read. Shown on the Events page."""
        ...

    def normalise(self, item: RawItem) -> NormaliseResult:
        """Return what a letter says as core records. Pure: uses only the item and ``config.options``."""
        ...

    def poll(self, stream: str, cursor: str, now: datetime) -> Page:
        """Return the next page of a stream after ``cursor`` ("" = from the beginning). Raises the six errors."""
        ...

    def fetch(self, record_type: str, source_ids: Sequence[str]) -> Sequence[RawItem]:
        """Return the current form of source objects: on a gap, a tie, a missing parent or a truncated letter.

        ``source_ids`` are, by record type: ``customer`` CRM account ids; ``contract_version`` contract numbers (all
        their versions come back); otherwise the ``source_id`` of the lineage. Raises the six errors.
        """
        ...

    # posting
    def build_body(self, document: PostingDocument) -> dict[str, Any]:
        """Return the body that would be sent, as plain JSON values without floats. Pure; stored before it is sent."""
        ...

    def send(self, document: PostingDocument, body: dict[str, Any], resume_id: str = "") -> Receipt:
        """Post once. ``resume_id`` continues a half-made document found by ``find``. Raises the six errors."""
        ...

    def find(self, document: PostingDocument) -> Sequence[Found]:
        """Return every document in the target that carries ``document.external_ref``. Raises the six errors."""
        ...

    # reading back
    def observe(self, object: str, window: Window) -> Iterable[Observed]:
        """Yield what the system holds, for reconciliation. Raises the six errors."""
        ...

    def periods(self, entity: str) -> Sequence[AccountingPeriodState]:
        """Return the ERP's accounting periods of an entity."""
        ...

    def ping(self) -> str:
        """Return a short sentence on the health of the other side. Raises the six errors."""
        ...
