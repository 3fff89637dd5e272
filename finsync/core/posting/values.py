"""The values the posting machine decides with, and its limits. Times are seconds unless said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from finsync.core.lifecycle import PostingState

SEND_GUARD_PARTS = 3  # R4: nothing is sent later than a third of the lease after the claim
ATTEMPTS_MAX = 6
BACKOFF_SECONDS_FIRST = 5.0
BACKOFF_SECONDS_MAX = 600.0
RETRY_AFTER_SECONDS_MAX = 3_600.0  # a target that asks for more is asked again in an hour
LOOKUP_PAUSES_SECONDS = (5.0, 30.0, 120.0, 600.0, 1_800.0)
LOOKUP_PAUSE_SECONDS_MAX = 3_600.0
UNANSWERED_PAUSE_SECONDS_MAX = 600.0  # a look-up that got no answer is repeated sooner than one that found nothing
UNKNOWN_SECONDS_MAX = 4 * 3_600.0
CONFIRMATION_SECONDS_MAX = 24 * 3_600.0
VERIFICATIONS = 2  # R8: after quiesce and lag, and again the next day
SECOND_VERIFICATION_SECONDS = 24 * 3_600.0
DESK_LOOKUP_SECONDS = 3_600.0  # how often a posting on the desk is looked up, for its first day; then daily
DESK_LOOKUPS_HOURLY = 24
PAUSED_RECHECK_SECONDS = 300.0  # a doubt on a paused route is looked at for its age; resuming wakes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one document type is posted over one connection.

    ``idempotency`` is the class A, B, C or D of reliability.md 3.1; ``quiesce_seconds`` the longest time a request may
    stay in flight, ``lag_seconds`` how late a search may show a new document.
    """

    idempotency: str
    findable: bool = True
    key_window_seconds: float = 0
    confirms_later: bool = False
    lease_seconds: float = 180
    quiesce_seconds: float = 900
    lag_seconds: float = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a decision needs to know of a posting.

    ``lease_ended_at`` is the end of the last lease under which something may have been sent; ``doubtful_since`` when it
    became UNKNOWN or ACCEPTED; ``negatives`` and ``first_negative_at`` count look-ups since the last send that found
    nothing.
    """

    state: PostingState
    intent: str = "post"
    sends: int = 0
    attempts: int = 0
    lookups: int = 0
    negatives: int = 0
    first_negative_at: datetime | None = None
    first_sent_at: datetime | None = None
    lease_ended_at: datetime | None = None
    doubtful_since: datetime | None = None
    document_id: str = ""
    verified_count: int = 0


class Verdict(StrEnum):
    """What came of one send. The three middle ones and REJECTED are definite negatives (R3)."""

    POSTED = "POSTED"
    ACCEPTED = "ACCEPTED"
    NOT_SENT = "NOT_SENT"  # the send guard held it back
    TRY_LATER = "TRY_LATER"
    AUTH_FAILED = "AUTH_FAILED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One send, classified. ``code`` is the reason code of a refusal; ``http_status`` 429 means throttled."""

    verdict: Verdict
    detail: str = ""
    code: str = ""
    document_id: str = ""
    number: str = ""
    http_status: int | None = None
    retry_after_seconds: float | None = None


class Hit(Protocol):
    """A document the target shows under our reference (connectors.contract.Found)."""

    @property
    def document_id(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def complete(self) -> bool: ...
    @property
    def fingerprint_ok(self) -> bool: ...
    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a posting goes and what is written with it.

    ``next_seconds`` counts from the moment the store applies it (None: parked or terminal). ``while_leased``: only
    while the lease is valid, else the store applies ``late(move)`` instead (R3). ``code`` names the failure;
    ``on_desk`` raises its case. ``verify_seconds``: when to ask again whether exactly one document exists (R8).
    ``refund_attempt`` takes the claim back from the attempts, ``fresh`` counts them from zero again. ``intent`` and
    ``resume_id`` stay as they are where None; all other values replace what the posting had.
    """

    to: PostingState
    reason: str
    next_seconds: float | None = None
    while_leased: bool = False
    code: str = ""
    on_desk: bool = False
    refund_attempt: bool = False
    fresh: bool = False
    intent: str | None = None
    lookups: int = 0
    negatives: int = 0
    first_negative_at: datetime | None = None
    resume_id: str | None = None
    document_id: str = ""
    number: str = ""
    verify_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a verification saw. ``code`` is "" where all is well; ``next_seconds`` None where no further one is due."""

    code: str
    detail: str
    next_seconds: float | None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a wish does not fit the posting as it stands, and what would."""

    why: str
