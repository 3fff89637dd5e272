"""The steps of sending and settling, between a store and a connector. No Django, no clock, no randomness of their own.

Production runs them over PostgreSQL (services.store), the fault tests over memory with the same compare-and-set
contract. A process may die between any two steps: each step's outcome is in the store or was never believed.
Source: reliability.md 3.2, rules R1 to R10.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from connectors.contract import Connector, Found, Receipt
from connectors.errors import AuthFailed, ConnectorError, NotFound, OutcomeUnknown, Rejected, TryLater, Unsupported
from connectors.transport import Exchange
from finsync.core import posting as rules
from finsync.core.money import Money
from finsync.core.posting import Answer, Finding, Move, Route, Standing, Verdict
from finsync.core.reasons import REASONS
from finsync.core.records.document import PostingDocument

logger = logging.getLogger(__name__)

EVIDENCE_CHARACTERS_MAX = 20_000  # kept of each body sent or received
EVIDENCE_BRACKETS_MAX = 400  # a body with more stays text: nobody nests it too deep for us


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a posting is, apart from where it stands."""

    posting_id: int
    connection_id: int
    connection: str
    doc_type: str
    business_key: str
    external_ref: str
    entity: str = ""
    amount: Money | None = None
    correlation_id: str = ""
    customer_key: str = ""
    contract_number: str = ""
    contract_version: int | None = None
    original_period: str = ""
    accounting_period: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A posting in somebody's hands: whatever they write carries ``fence`` and is refused once it has grown (R2).

    ``lane_id`` and ``lease_until`` are set for a send: they free the lane. ``asked_at`` is the database's time when it
    was taken; ``attempt`` the kind of attempt that was opened with it, "" for none.
    """

    subject: Subject
    fence: int
    standing: Standing
    route: Route
    asked_at: datetime
    attempt: str = ""
    lane_id: int | None = None
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A posting to be sent now: its attempt is stored, its lease runs since ``claimed_at`` (monotonic seconds)."""

    ticket: Ticket
    document: PostingDocument
    body: dict[str, Any]
    resume_id: str
    claimed_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A posting to be looked up now."""

    ticket: Ticket
    document: PostingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a look-up saw; ``failure`` says why it saw nothing at all, ``for_ever`` that it never will."""

    hits: Sequence[Found] = ()
    failure: str = ""
    for_ever: bool = False
    error: ConnectorError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """How an attempt ended, as kept beside it."""

    outcome: str
    detail: str = ""
    http_status: int | None = None
    elapsed_ms: int | None = None
    retry_after_seconds: float | None = None
    response: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim brought. ``again_seconds`` is when to ask again, None where nothing is due."""

    claims: Sequence[Claim] = ()
    again_seconds: float | None = None


class PostingStore(Protocol):
    """Where postings live. Every write is one transaction, decided by compare-and-set on state and fence."""

    def claim(self, connection_id: int, limit: int, render: Callable[[PostingDocument], dict[str, Any]]) -> Claimed:
        """Take the heads of up to ``limit`` due lanes: SENDING, fence + 1, lease and attempt stored (R1, R2)."""
        ...

    def move(self, ticket: Ticket, move: Move, note: Note | None = None) -> Move | None:
        """Apply a move to the ticket's posting; returns what was applied, None where the ticket is stale."""
        ...

    def expire_leases(self, limit: int) -> int:
        """Turn SENDING postings whose lease has ended into UNKNOWN, and close their attempts."""
        ...

    def take_doubts(self, limit: int) -> Sequence[Doubt]:
        """Take due UNKNOWN and ACCEPTED postings of working routes: fence + 1, look-up attempt stored."""
        ...

    def take_verifications(self, limit: int) -> Sequence[Doubt]:
        """Take settled postings that are due to be verified (R8)."""
        ...

    def found(self, ticket: Ticket, finding: Finding, note: Note) -> None:
        """Keep what a verification saw; the posting's state stays as it is."""
        ...


# ---- one send --------------------------------------------------------------------------------------------------


def send(claim: Claim, connector: Connector, monotonic: Callable[[], float]) -> Answer:
    """Send a claim once, unless the guard holds it back (R4), and classify what came of it."""
    waited = monotonic() - claim.claimed_at
    if not rules.may_send(waited, claim.ticket.route.lease_seconds):
        return Answer(verdict=Verdict.NOT_SENT, detail=f"held back: {waited:.0f} s had passed since it was claimed")
    try:
        receipt = connector.send(claim.document, claim.body, claim.resume_id)
    except Exception as error:
        return _answer_of(error)
    return _answer_to(receipt, claim.document)


def record(
    store: PostingStore, claim: Claim, answer: Answer, chance: float, evidence: Sequence[Exchange] = ()
) -> Move | None:
    """Write down what came of a send; None where somebody else has meanwhile taken the posting."""
    move = rules.after_send(claim.ticket.standing, claim.ticket.route, answer, chance)
    note = Note(
        outcome=answer.verdict,
        detail=answer.detail,
        http_status=answer.http_status or (evidence[-1].status if evidence else None),
        elapsed_ms=sum(exchange.elapsed_ms for exchange in evidence) if evidence else None,
        retry_after_seconds=answer.retry_after_seconds,
        response=_kept(evidence),
    )
    return store.move(claim.ticket, move, note)


def _answer_to(receipt: Receipt, document: PostingDocument) -> Answer:
    """Believe a receipt only if it names a document and echoes our reference and amount."""
    same_ref = receipt.echoed_ref.lower() == document.external_ref.lower()
    if receipt.accepted_only and same_ref:
        return Answer(verdict=Verdict.ACCEPTED, detail=receipt.number)
    if not receipt.document_id or not same_ref:
        return Answer(verdict=Verdict.UNKNOWN, detail=f"the answer does not name our document: {receipt!r}")
    if document.amount is not None and receipt.echoed_amount != document.amount:
        return Answer(verdict=Verdict.UNKNOWN, detail=f"{document.amount} was sent, {receipt.echoed_amount} came back")
    return Answer(verdict=Verdict.POSTED, detail=receipt.number, document_id=receipt.document_id, number=receipt.number)


def _answer_of(error: Exception) -> Answer:
    match error:
        case TryLater():
            verdict = Verdict.TRY_LATER
        case AuthFailed():
            verdict = Verdict.AUTH_FAILED
        case Rejected() | NotFound() | Unsupported():
            verdict = Verdict.REJECTED
        case OutcomeUnknown():
            verdict = Verdict.UNKNOWN
        case _:
            # A defect of the connector says nothing about what the target did.
            logger.exception("a connector failed in an unknown way", exc_info=error)
            return Answer(verdict=Verdict.UNKNOWN, detail=f"the connector failed: {error!r}")
    return Answer(
        verdict=verdict,
        detail=error.detail,
        code=error.code if error.code in REASONS else "ERP_POST_REJECTED",
        http_status=error.http_status,
        retry_after_seconds=error.retry_after_seconds if isinstance(error, TryLater) else None,
    )


# ---- one look-up -----------------------------------------------------------------------------------------------


def look_up(doubt: Doubt, connector: Connector) -> Sighting:
    """Ask the target for every document with our reference."""
    try:
        return Sighting(hits=tuple(connector.find(doubt.document)))
    except (NotFound, Unsupported) as error:
        return Sighting(failure=error.detail or "it has no search", for_ever=True, error=error)
    except ConnectorError as error:
        return Sighting(failure=error.detail, error=error)
    except Exception as error:
        logger.exception("a connector failed in an unknown way", exc_info=error)
        return Sighting(failure=f"the connector failed: {error!r}")


def settle(store: PostingStore, doubt: Doubt, sighting: Sighting, evidence: Sequence[Exchange] = ()) -> Move | None:
    """Write down what a look-up means for a posting in doubt; None where the ticket is stale."""
    ticket = doubt.ticket
    if isinstance(sighting.error, Rejected) and ticket.standing.state == "ACCEPTED":
        move = rules.confirmation_refused(sighting.error.code, sighting.failure)
    elif sighting.failure:
        move = rules.lookup_failed(
            ticket.standing, ticket.route, sighting.failure, ticket.asked_at, for_ever=sighting.for_ever
        )
    else:
        move = rules.after_lookup(ticket.standing, ticket.route, sighting.hits, ticket.asked_at)
    return store.move(ticket, move, _note_of(sighting, evidence))


def verify(store: PostingStore, doubt: Doubt, sighting: Sighting, evidence: Sequence[Exchange] = ()) -> Finding:
    """Write down what a verification saw (R8)."""
    if sighting.failure:
        finding = rules.verification_failed(sighting.failure)
    else:
        finding = rules.after_verification(doubt.ticket.standing, sighting.hits)
    store.found(doubt.ticket, finding, _note_of(sighting, evidence))
    return finding


def _note_of(sighting: Sighting, evidence: Sequence[Exchange]) -> Note:
    hits = [
        {
            "document_id": hit.document_id,
            "number": hit.number,
            "complete": hit.complete,
            "fingerprint_ok": hit.fingerprint_ok,
            "detail": hit.detail,
        }
        for hit in sighting.hits
    ]
    return Note(
        outcome="FAILED" if sighting.failure else f"FOUND_{len(hits)}" if hits else "NOT_FOUND",
        detail=sighting.failure,
        http_status=evidence[-1].status if evidence else None,
        elapsed_ms=sum(exchange.elapsed_ms for exchange in evidence) if evidence else None,
        response=_kept(evidence) | {"found": hits},
    )


# ---- evidence --------------------------------------------------------------------------------------------------


def _kept(evidence: Sequence[Exchange]) -> dict[str, Any]:
    return {
        "exchanges": [
            {
                "method": exchange.method,
                "url": exchange.url,
                "sent": readable(exchange.request_body),
                "status": exchange.status,
                "received": readable(exchange.response_body),
                "elapsed_ms": exchange.elapsed_ms,
                "error": exchange.error,
            }
            for exchange in evidence
        ]
    }


def readable(body: bytes) -> Any:
    """Return a body as JSON values where it is JSON without traps, else as text, cut at EVIDENCE_CHARACTERS_MAX."""
    text = body[: EVIDENCE_CHARACTERS_MAX * 4].decode("utf-8", "replace").replace("\x00", "\ufffd")
    if len(text) > EVIDENCE_CHARACTERS_MAX:
        return f"{text[:EVIDENCE_CHARACTERS_MAX]} … ({len(body)} bytes)"
    # Escapes may hide what PostgreSQL refuses (NUL, lone surrogates).
    if "\\u" in text or text.count("[") + text.count("{") > EVIDENCE_BRACKETS_MAX:
        return text
    try:
        return json.loads(text, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return text
