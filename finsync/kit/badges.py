"""Every state as people see it: a colour, a shape and a word. Never colour alone (ui.md 3.4)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Badge:
    """``tone`` is red, amber, green, blue, violet, line or "" (grey); ``icon`` a heroicon."""

    tone: str
    icon: str
    word: str


_POSTING = {
    "HELD": Badge("", "pause", "Waiting"),
    "READY": Badge("blue", "queue-list", "Queued"),
    "SENDING": Badge("blue", "paper-airplane", "Sending"),
    "UNKNOWN": Badge("amber", "question-mark-circle", "In doubt"),
    "REJECTED": Badge("red", "x-mark", "Rejected"),
    "EXCEPTION": Badge("red", "exclamation-circle", "Exception"),
    "ACCEPTED": Badge("blue", "clock", "Accepted, not confirmed"),
    "POSTED": Badge("green", "check", "Posted"),
    "CANCELLED": Badge("line", "no-symbol", "Withdrawn"),
}
_CASE = {
    "OPEN": Badge("red", "exclamation-circle", "Open"),
    "ASSIGNED": Badge("blue", "user", "Assigned"),
    "PENDING_APPROVAL": Badge("violet", "clock", "Awaiting approval"),
    "SNOOZED": Badge("", "pause", "Snoozed"),
    "RESOLVED": Badge("green", "check", "Resolved"),
}
_INBOX = {
    "RECEIVED": Badge("blue", "inbox-arrow-down", "Received"),
    "NORMALISED": Badge("green", "check", "Understood"),
    "IGNORED": Badge("", "minus", "Nothing to keep"),
    "QUARANTINED": Badge("red", "x-mark", "Quarantined"),
}
_FACT = {
    "PENDING": Badge("blue", "clock", "Waiting its turn"),
    "APPLIED": Badge("green", "check", "Applied"),
    "DUPLICATE": Badge("line", "document-duplicate", "Same as before"),
    "STALE": Badge("", "clock", "Older, not applied"),
    "HELD": Badge("amber", "pause", "Waits for another"),
    "CONFLICT": Badge("red", "exclamation-triangle", "Conflict"),
    "QUARANTINED": Badge("red", "x-mark", "Quarantined"),
}
_ATTEMPT = {
    "POSTED": Badge("green", "check", "Accepted"),
    "ACCEPTED": Badge("blue", "clock", "Accepted, to be confirmed"),
    "FOUND": Badge("green", "check", "Found"),
    "NOT_FOUND": Badge("", "magnifying-glass", "Not found"),
    "NOT_SENT": Badge("", "pause", "Held back, not sent"),
    "TRY_LATER": Badge("amber", "clock", "Try later"),
    "UNKNOWN": Badge("amber", "question-mark-circle", "Outcome unknown"),
    "FAILED": Badge("amber", "question-mark-circle", "Could not look"),
    "REJECTED": Badge("red", "x-mark", "Refused"),
    "AUTH_FAILED": Badge("red", "lock-closed", "Login refused"),
    "": Badge("blue", "arrow-path", "Under way"),
}
_CONNECTION = {
    "ACTIVE": Badge("green", "check", "Working"),
    "WAITING": Badge("amber", "clock", "Being set up"),
    "PAUSED": Badge("red", "pause", "Paused"),
}
_RUN = {
    "RUNNING": Badge("blue", "arrow-path", "Running"),
    "BALANCED": Badge("green", "check", "Balanced"),
    "OPEN_ITEMS": Badge("amber", "exclamation-triangle", "Open items"),
    "SIGNED_OFF": Badge("green", "check-badge", "Signed off"),
    "FAILED": Badge("red", "x-circle", "Failed"),
}
_VERDICT = {
    "TIED": Badge("green", "check", "Tied"),
    "TOLERANCE": Badge("", "equals", "Within tolerance"),
    "IN_TRANSIT": Badge("blue", "clock", "In transit"),
    "VARIANCE": Badge("amber", "exclamation-triangle", "Variance"),
}
_BREAK = {
    "MISSING_A": Badge("red", "x-circle", "Missing on the left"),
    "MISSING_B": Badge("red", "x-circle", "Missing on the right"),
    "AMOUNT": Badge("amber", "exclamation-triangle", "Amount differs"),
    "STATE": Badge("amber", "exclamation-triangle", "State differs"),
    "DUPLICATE": Badge("red", "document-duplicate", "Duplicate"),
    "MANUAL": Badge("amber", "pencil", "Made by hand"),
    "IN_TRANSIT": Badge("blue", "clock", "In transit"),
    "TIMING_CUTOFF": Badge("blue", "calendar", "Other period"),
    "ROUNDING": Badge("", "equals", "Rounding"),
    "MATCHED": Badge("green", "check", "Matched"),
}
_MAPPING = {
    "DRAFT": Badge("line", "pencil", "Draft"),
    "SUBMITTED": Badge("violet", "clock", "In review"),
    "APPROVED": Badge("blue", "calendar", "Approved"),
    "CANARY": Badge("amber", "beaker", "Canary"),
    "ACTIVE": Badge("green", "check", "Live"),
    "RETIRED": Badge("", "archive-box", "Retired"),
    "REJECTED": Badge("red", "x-mark", "Rejected"),
}
BADGES = {
    "posting": _POSTING,
    "case": _CASE,
    "inbox": _INBOX,
    "fact": _FACT,
    "attempt": _ATTEMPT,
    "connection": _CONNECTION,
    "run": _RUN,
    "verdict": _VERDICT,
    "break": _BREAK,
    "mapping": _MAPPING,
}


def badge_of(kind: str, state: str | None) -> Badge:
    """Return how a state is shown; an unknown state shows its own word in grey, never as good or bad."""
    key = state or ""
    if kind == "attempt" and key.startswith("FOUND_"):  # FOUND_2: a look-up that saw two documents
        number = key.removeprefix("FOUND_")
        return BADGES[kind]["FOUND"] if number == "1" else Badge("red", "document-duplicate", f"Found {number}")
    return BADGES[kind].get(key) or Badge("", "tag", key.replace("_", " ").capitalize() or "None")


def words_of(kind: str) -> dict[str, str]:
    """Return the word of every state of a kind, for facets."""
    return {state: badge.word for state, badge in BADGES[kind].items()}
