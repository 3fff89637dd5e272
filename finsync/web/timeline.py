"""What happened to a posting and its thread, in one order; the grouped view only folds more than the full one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from connectors.models import InboxMessage
from exceptions_queue.models import Occurrence
from finsync.canonical.models import CanonicalChange
from finsync.kit.badges import badge_of
from finsync.kit.templatetags.finsync import actor
from finsync.kit.wording import milliseconds, minute, plain, tail
from finsync.posting.models import Attempt, Posting
from finsync.posting.selectors import PostingFile

_TONES = {"green": "ok", "red": "bad", "amber": "wait", "blue": "wait"}
_ICONS = {"ok": "check-circle", "bad": "x-circle", "wait": "clock", "": "minus-circle"}


@dataclass
class Event:
    """One line of the list. ``key`` selects its evidence, ``link`` leads to a page of its own instead."""

    at: datetime
    title: str
    tone: str = "ok"
    key: str = ""
    link: str = ""
    detail: str = ""
    badge: tuple[str, str] | None = None
    http: str = ""
    note: str = ""
    icon: str = ""
    minor: bool = False

    @property
    def shape(self) -> str:
        """The icon of the line."""
        return self.icon or _ICONS.get(self.tone, "minus-circle")


@dataclass(frozen=True)
class Thread:
    """All rows a list of events is made of."""

    file: PostingFile
    changes: Sequence[CanonicalChange]
    others: Sequence[Posting]
    letters: Sequence[InboxMessage]
    occurrences: Sequence[Occurrence]


def events(thread: Thread, *, every: bool) -> list[Event]:
    """Return the events, oldest first. Grouped leaves out machine moves and folds look-ups into their attempt."""
    found = [
        *_letters(thread),
        *_changes(thread),
        *_planned(thread.file),
        *_attempts(thread.file, every),
        *_moves(thread.file),
        *_others(thread),
        *_cases(thread.occurrences),
    ]
    return sorted((event for event in found if every or not event.minor), key=lambda event: event.at)


def _letters(thread: Thread) -> Iterable[Event]:
    for letter in thread.letters:
        more = f", delivered {letter.deliveries} times" if letter.deliveries > 1 else ""
        yield Event(
            letter.received_at,
            f"{letter.object or 'Letter'} received from {letter.connection.title}",
            key=f"m{letter.pk}",
            detail=f"{letter.get_channel_display()} {letter.event_id}{more}",
            tone=_TONES.get(badge_of("inbox", letter.state).tone, "ok"),
        )


def _changes(thread: Thread) -> Iterable[Event]:
    for change in thread.changes:
        own = change.pk == thread.file.posting.change_id
        yield Event(
            change.recorded_at,
            f"{plain(change.record_type)} {tail(change.business_key)} applied",
            key=f"c{change.pk}",
            detail=change.explanation,
            minor=not own,
        )


def _planned(file: PostingFile) -> Iterable[Event]:
    row, version = file.posting, file.posting.mapping_version
    if version is None:
        yield Event(
            row.created_at, f"Planned for {row.connection.title}", key="posting", detail="Needs no account mapping"
        )
        return
    approved = f"Approved by {version.approver.get_full_name() or version.approver}" if version.approver else ""
    when = f", {minute(version.approved_at)}" if version.approved_at else ""
    title = f"Mapped with {version.name.split(':')[-1]} v{version.version}"
    yield Event(row.created_at, title, key="posting", detail=f"{approved}{when}")


def _attempts(file: PostingFile, every: bool) -> Iterable[Event]:
    number, last = 0, None
    for attempt in file.attempts:
        if attempt.kind == "SEND":
            number += 1
            last = _sent(attempt, number)
            yield last
            continue
        seen = badge_of("attempt", attempt.outcome).word.lower()
        what = "Looked up by our reference" if attempt.kind == "LOOKUP" else "Read back to verify"
        if not every and last is not None and attempt.kind == "LOOKUP":
            last.detail = f"{last.detail + '. ' if last.detail else ''}{what}: {seen}"
            continue
        yield Event(
            attempt.started_at,
            what,
            key=f"a{attempt.pk}",
            badge=("attempt", attempt.outcome or ""),
            detail=attempt.detail,
            note=milliseconds(attempt.elapsed_ms),
            minor=attempt.kind == "VERIFY",
            icon="magnifying-glass",
            tone=_TONES.get(badge_of("attempt", attempt.outcome).tone, ""),
        )


def _sent(attempt: Attempt, number: int) -> Event:
    shown = badge_of("attempt", attempt.outcome)
    note = milliseconds(attempt.elapsed_ms) if attempt.elapsed_ms is not None else ""
    if attempt.retry_after_seconds is not None:
        note = f"retry after {attempt.retry_after_seconds:.0f} s"
    return Event(
        attempt.started_at,
        f"Posting attempt {number}",
        tone=_TONES.get(shown.tone, ""),
        key=f"a{attempt.pk}",
        badge=("attempt", attempt.outcome or ""),
        http=str(attempt.http_status or ""),
        note=note,
        detail=attempt.detail,
    )


def _moves(file: PostingFile) -> Iterable[Event]:
    for move in file.moves:
        frm, to = badge_of("posting", move.frm), badge_of("posting", move.too)
        yield Event(
            move.at,
            f"{frm.word} to {to.word.lower()}",
            minor=True,
            tone=_TONES.get(to.tone, ""),
            icon=to.icon,
            detail=", ".join(part for part in (move.reason, actor(move.actor)) if part),
        )


def _others(thread: Thread) -> Iterable[Event]:
    for row in thread.others:
        if row.pk == thread.file.posting.pk:
            continue
        shown = badge_of("posting", row.status)
        yield Event(
            row.posted_at or row.created_at,
            f"{plain(row.doc_type)} {tail(row.business_key)} to {row.connection.title}",
            link=reverse("trace", args=[row.pk]),
            badge=("posting", row.status),
            detail=row.status_reason or row.erp_number,
            tone=_TONES.get(shown.tone, ""),
            minor=row.status == "POSTED" and row.change_id != thread.file.posting.change_id,
        )


def _cases(occurrences: Sequence[Occurrence]) -> Iterable[Event]:
    seen: set[int] = set()
    for row in occurrences:
        if row.case_id in seen:
            continue
        seen.add(row.case_id)
        yield Event(
            row.first_seen_at,
            row.case.title,
            tone="bad",
            icon="flag",
            link=reverse("exception", args=[row.case.label]),
            badge=("case", row.case.state),
            detail=f"{row.case.label}, {row.case.code}",
        )
        if row.cleared_at is not None:
            yield Event(
                row.cleared_at,
                f"{row.case.label} cleared",
                detail=row.cleared_by,
                link=reverse("exception", args=[row.case.label]),
            )
