"""What a connector can do, as a declared table: engines read this, never a vendor's name (house rule 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from finsync.core.records.document import DocType


class IdempotencyClass(StrEnum):
    """How a repeated post is kept from making a second document (reliability.md 3.1)."""

    KEY = "A"  # the callee stores key and result for a while
    UNIQUE_REF = "B"  # the callee refuses or upserts a second document with our reference
    SEARCHABLE = "C"  # we can write and search a reference; nothing is unique
    BLIND = "D"  # neither: never repeated by a machine


class Lane(StrEnum):
    """What must be posted one after another."""

    AGGREGATE = "aggregate"  # per contract or customer
    ENTITY = "entity"  # per legal entity: the target numbers documents from one locked sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingCapability:
    """How one document type is posted. ``key_window_seconds`` is how long a class A key is remembered.

    ``confirms_later`` marks targets whose answer is only an acceptance (posting goes through ACCEPTED).
    """

    idempotency: IdempotencyClass
    findable: bool
    lane: Lane = Lane.AGGREGATE
    key_window_seconds: int = 0
    confirms_later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollStream:
    """One list that can be read from a cursor. ``overlap_seconds`` is re-read every time for rows committed late."""

    name: str
    overlap_seconds: int = 600
    interval_seconds: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The whole table of one connector.

    ``observes`` lists the objects ``observe`` can read back for reconciliation.
    """

    kind: str
    title: str
    roles: tuple[str, ...]  # crm, billing, gateway, revenue, erp
    webhook: bool = False
    poll: tuple[PollStream, ...] = ()
    fetches: tuple[str, ...] = ()  # record types it can fetch again
    posts: Mapping[DocType, PostingCapability] = field(default_factory=dict)
    observes: tuple[str, ...] = ()
    knows_periods: bool = False

    def problems(self) -> list[str]:
        """Return what makes this table unsafe: a posting neither idempotent nor findable, a class without means."""
        found = []
        for doc_type, how in self.posts.items():
            where = f"{self.kind}: posting {doc_type}"
            if how.idempotency is not IdempotencyClass.BLIND and not how.findable:
                found.append(f"{where} is class {how.idempotency} and needs a way to be found")
            if how.idempotency is IdempotencyClass.KEY and how.key_window_seconds <= 0:
                found.append(f"{where} is class A and must say how long a key is kept")
        return found
