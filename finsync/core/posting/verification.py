"""Looking at settled postings again: exactly one document, and still the same (R8). It never changes a state."""

from __future__ import annotations

from collections.abc import Sequence

from finsync.core.lifecycle import PostingState
from finsync.core.posting.doubt import several
from finsync.core.posting.values import (
    DESK_LOOKUP_SECONDS,
    DESK_LOOKUPS_HOURLY,
    SECOND_VERIFICATION_SECONDS,
    VERIFICATIONS,
    Finding,
    Hit,
    Standing,
)


def after_verification(standing: Standing, hits: Sequence[Hit]) -> Finding:
    """Return what a look-up of a POSTED, CANCELLED or EXCEPTION posting tells; it never changes the state."""
    code, detail = _verified(standing, hits)
    if standing.state == PostingState.EXCEPTION:
        hourly = standing.verified_count < DESK_LOOKUPS_HOURLY
        pause = DESK_LOOKUP_SECONDS if hourly else SECOND_VERIFICATION_SECONDS
        return Finding(code=code, detail=detail, next_seconds=pause)
    more = standing.verified_count + 1 < VERIFICATIONS
    return Finding(code=code, detail=detail, next_seconds=SECOND_VERIFICATION_SECONDS if more else None)


def verification_failed(reason: str) -> Finding:
    """Return the finding when the target could not be asked: nothing is known, it is asked again."""
    return Finding(code="", detail=reason, next_seconds=DESK_LOOKUP_SECONDS, counts=False)


def _verified(standing: Standing, hits: Sequence[Hit]) -> tuple[str, str]:  # noqa: PLR0911
    if len(hits) > 1:
        return "ERP_DUPLICATE_POST", several(hits)
    if standing.state == PostingState.CANCELLED:
        return (
            ("ERP_CONTENT_MISMATCH", f"cancelled here, but the target holds {hits[0].document_id}")
            if hits
            else ("", "")
        )
    if standing.state == PostingState.EXCEPTION:
        if not hits:
            return "", "not in the target at the last look-up"
        return "", f"the target holds it as {hits[0].document_id}; link it, or retry and it is found"
    if not hits:
        return "ERP_MANUAL_EDIT", f"document {standing.document_id} is not in the target any more"
    if hits[0].document_id != standing.document_id or not hits[0].fingerprint_ok:
        return "ERP_CONTENT_MISMATCH", f"the target holds {hits[0].document_id}: {hits[0].detail or 'another document'}"
    return "", "exactly one document"
