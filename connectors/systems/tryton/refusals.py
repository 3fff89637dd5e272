"""What a Tryton server says when it refuses, turned into the six closed errors.

JSON-RPC answers HTTP 200 with ``{"error": [kind, detail …]}`` for everything the application itself decides; the texts
are those of Tryton 8.2 in English (the API user's language). A text no pattern knows is still a refusal, never a guess.
"""

import re
from typing import Any

from connectors.errors import AuthFailed, ConnectorError, OutcomeUnknown, Rejected, TryLater

PERIOD_CLOSED = "ERP_PERIOD_CLOSED"
POST_REJECTED = "ERP_POST_REJECTED"
UNBALANCED = "ERP_UNBALANCED_JE"
CONTENT_MISMATCH = "ERP_CONTENT_MISMATCH"
DUPLICATE = "ERP_DUPLICATE_POST"
CUSTOMER_UNKNOWN = "MDM_ACCOUNT_UNMAPPED"
ENTITY_UNKNOWN = "MDM_ENTITY_UNMAPPED"

# A refusal can carry a dump of field definitions (33 kB were measured): the sentence comes first, the dump is cut off.
DETAIL_CHARACTERS_MAX = 500

# UserError texts, first match wins.
_REASONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), code)
    for pattern, code in (
        (r'reopen the (period|fiscal year) "', PERIOD_CLOSED),
        (r'in closed (period|journal-period) "', PERIOD_CLOSED),
        (r'on closed journal-period "', PERIOD_CLOSED),
        (r'field "Period" in "Account Move" .*is not valid', PERIOD_CLOSED),
        (r"you must balance all its lines debits and credits", UNBALANCED),
        (r'field "Party" in "Account Invoice" does not exist', CUSTOMER_UNKNOWN),
    )
)

# The transaction was rolled back before anything was stored: PostgreSQL's own words inside the 503 page.
_ROLLED_BACK = re.compile(r"could not obtain lock|could not serialize access|deadlock detected", re.IGNORECASE)

_DATE_ORDER = re.compile(r"To number the invoice .* you must set an invoice date after ", re.DOTALL)
_CODE_TAKEN = "The code on party must be unique."


class AnswerNeeded(Exception):
    """Tryton asks a question (UserWarning) that only an explicit policy may answer. Never leaves this folder."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        super().__init__(text)


def fault(error: Any) -> ConnectorError | AnswerNeeded:
    """Return the exception for the ``error`` member of a JSON-RPC answer. The server has rolled the call back."""
    kind = str(error[0]) if isinstance(error, list) and error else str(error)
    detail = error[1] if isinstance(error, list) and len(error) > 1 else ""
    if kind == "UserWarning" and isinstance(detail, list) and len(detail) > 1:
        return AnswerNeeded(str(detail[0]), str(detail[1]))
    if kind == "UserError":
        text = str(detail[0] if isinstance(detail, list) else detail)
        return Rejected(text[:DETAIL_CHARACTERS_MAX], code=reason_of(text))
    if kind == "ConcurrencyException":
        return TryLater(f"Tryton: {detail}")
    if kind == "LoginException":
        return AuthFailed("Tryton asks for another sign-in step", code="ERP_AUTH_FAILED")
    return Rejected(f"Tryton does not understand the call: {kind} {detail}"[:DETAIL_CHARACTERS_MAX], code=POST_REJECTED)


def reason_of(text: str) -> str:
    """Return the reason code of a UserError."""
    return next((code for pattern, code in _REASONS if pattern.search(text)), POST_REJECTED)


def http_failure(status: int, body: str, retry_after: str | None, *, writes: bool) -> ConnectorError:
    """Return the exception for an answer that is not 200. ``writes`` says whether the call could have stored something.

    401 is not handled here: the client signs in again first. 404 means the database does not exist (yet).
    """
    text = re.sub(r"<[^>]+>|\s+", " ", body).strip()[:DETAIL_CHARACTERS_MAX]
    shown = f"HTTP {status} {text}".strip()
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        return TryLater(shown, http_status=status, retry_after_seconds=seconds)
    if status == 404 or (status == 503 and (_ROLLED_BACK.search(body) or not writes)):
        return TryLater(shown, http_status=status)
    if 400 <= status < 500:
        return Rejected(shown, http_status=status, code=POST_REJECTED)
    return OutcomeUnknown(shown, http_status=status)


def is_code_taken(refusal: Rejected) -> bool:
    """Whether a party was refused because its code, our reference, exists already."""
    return _CODE_TAKEN in refusal.detail


def is_date_order(refusal: Rejected) -> bool:
    """Whether an invoice was refused because a later one has been numbered from the same sequence."""
    return bool(_DATE_ORDER.search(refusal.detail))
