"""What a system shows when it is asked what it holds: one row per document, for reconciliation."""

from dataclasses import dataclass, field
from datetime import date

from finsync.core.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One document, schedule or balance as read back from a system.

    ``object`` is the comparison's own word (invoice, payment, contract, schedule, revenue, deferred, document); ``key``
    pairs the two sides (an invoice number, an external reference, ``C-1001|2026-02``); ``state`` is canonical (open,
    paid, void, posted …); ``period`` is ``2026-02`` or "" where the comparison has none; ``version`` is 0 where
    versions play no part. ``source_id`` is the system's own id, for the drill-down and for receiving it again.
    """

    object: str
    key: str
    entity: str
    currency: str
    period: str
    amount: Money
    state: str
    source_id: str
    net: Money | None = None
    tax: Money | None = None
    version: int = 0
    document_date: date | None = None
    payload_hash: str = ""
    facts: dict[str, str] = field(default_factory=dict)
