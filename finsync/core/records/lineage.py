"""Where a record came from: the part of the envelope every canonical record carries (domain.md 1.1)."""

from dataclasses import dataclass
from datetime import date, datetime

from finsync.core.sequencing import VersionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Origin, order and correlation of one record.

    ``ordinal`` is ``source_version`` as a sortable whole number: the contract's version for CONTIGUOUS, the source's
    own counter for MONOTONE, the source's event time in milliseconds for TIMESTAMP.
    ``correlation_id`` is one per commercial event and travels to every system, the ERP included.
    """

    system: str
    object: str
    source_id: str
    source_version: str
    version_kind: VersionKind
    ordinal: int
    source_ts: datetime
    correlation_id: str
    effective_date: date | None = None
    schema_version: str = "1"
