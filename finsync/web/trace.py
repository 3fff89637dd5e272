"""Reading a trace: one posting from the contract to the ledger, in a fixed number of statements."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BinaryField, Case, F, OuterRef, Q, When
from django.db.models.functions import JSONObject

from connectors.models import InboxMessage
from exceptions_queue.models import ExceptionCase, Occurrence
from finsync.canonical.models import CanonicalChange
from finsync.core.lifecycle import CaseState
from finsync.posting.models import Attempt, Posting, PostingLine
from finsync.posting.selectors import PostingFile, posting_file, related
from finsync.web import lineage, timeline
from finsync.web.evidence import TABS, Evidence, evidence

LETTERS_READ_MAX = 300
OCCURRENCES_READ_MAX = 50


@dataclass
class Trace:
    """Everything the trace page shows."""

    file: PostingFile
    stages: list[lineage.Stage]
    events: list[timeline.Event]
    evidence: Evidence
    finding: ExceptionCase | None
    event: str
    level: str
    journal: "Journal"
    thread: timeline.Thread
    tabs: Sequence[tuple[str, str]] = TABS


@dataclass
class Journal:
    """The journal with its totals per side, in minor units of the one currency it is in."""

    lines: list[PostingLine]
    currency: str = ""
    debit: int = 0
    credit: int = 0
    versions: list[Any] = field(default_factory=list)


def read(posting_id: int, event: str, tab: str, level: str) -> Trace | None:
    """Read a trace; None where there is no such posting. Eight queries, whatever the posting went through."""
    file = posting_file(posting_id)
    if file is None:
        return None
    row = file.posting
    changes = lineage.thread(file)
    others = related([change.pk for change in changes], row.contract_number, row.entity)
    sends = [attempt for attempt in file.attempts if attempt.kind == "SEND"]
    event = event or (f"a{sends[-1].pk}" if sends else f"c{row.change_id}")
    attempt, change = _selected(event, file, changes, sends)
    origin = int(event[1:]) if event.startswith("m") and event[1:].isdigit() else change.origin
    letters = _letters([one.origin for one in changes] + [row.change.origin], origin)
    occurrences = _occurrences([one.pk for one in others], {one.business_key for one in changes} | {row.business_key})
    thread = timeline.Thread(file, changes, others, letters, occurrences)
    titles = {one.connection.name: one.connection.title for one in letters}
    titles |= {one.connection.name: one.connection.title for one in others}
    stages = lineage.rail(file, changes, others, titles)
    for stage in stages:
        stage.current = stage.event == event or (stage.kind == "Posting" and event[0] in "ap")
    number = next((place for place, one in enumerate(sends, 1) if attempt is not None and one.pk == attempt.pk), None)
    return Trace(
        file=file,
        stages=stages,
        events=timeline.events(thread, every=level == "every"),
        evidence=evidence(
            row,
            event,
            tab,
            number=number,
            change=change,
            attempt=attempt,
            letter=next((one for one in letters if one.pk == origin), None),
            lines=[_line(line) for line in file.lines],
        ),
        finding=_finding(occurrences),
        event=event,
        level=level,
        journal=_journal(file.lines),
        thread=thread,
    )


def read_evidence(posting_id: int, event: str, tab: str) -> Evidence | None:
    """Read only the panel for one event; None where the posting does not exist. Three queries."""
    line = PostingLine.objects.filter(posting=OuterRef("pk")).order_by("line_no")
    stated = JSONObject(minor="amount_minor", currency="currency", rule="rule_id", set="mapping_set", row="row_id")
    sends = Attempt.objects.filter(posting=OuterRef("pk"), kind="SEND").order_by("started_at", "id")
    rows = Posting.objects.select_related("change").annotate(
        stated=ArraySubquery(line.values(json=stated)), send_ids=ArraySubquery(sends.values("pk"))
    )
    row = rows.filter(pk=posting_id).first()
    if row is None:
        return None
    kind, wanted = event[:1], int(event[1:]) if event[1:].isdigit() else 0
    attempt: Attempt | None = None
    change: CanonicalChange | None = None
    if kind == "c" and wanted != row.change_id:
        change = CanonicalChange.objects.filter(pk=wanted).first()
    elif kind == "m":
        change = CanonicalChange.objects.filter(origin=wanted).order_by("pk").first()
    elif kind == "a" or row.send_ids:
        attempt = row.attempt_log.filter(pk=wanted if kind == "a" else row.send_ids[-1]).first()
    change = change or row.change
    letter = (
        InboxMessage.objects.select_related("connection").filter(pk=wanted if kind == "m" else change.origin).first()
    )
    number = row.send_ids.index(attempt.pk) + 1 if attempt and attempt.pk in row.send_ids else None
    return evidence(row, event, tab, number=number, change=change, attempt=attempt, letter=letter, lines=row.stated)


def _selected(
    event: str, file: PostingFile, changes: Sequence[CanonicalChange], sends: Sequence[Attempt]
) -> tuple[Attempt | None, CanonicalChange]:
    kind, wanted = event[:1], event[1:]
    last = sends[-1] if sends else None
    if kind == "a":
        return next((one for one in file.attempts if str(one.pk) == wanted), last), file.posting.change
    if kind == "m":
        return last, next((one for one in changes if str(one.origin) == wanted), file.posting.change)
    return last, next((one for one in changes if kind == "c" and str(one.pk) == wanted), file.posting.change)


def _letters(origins: list[int], selected: int) -> list[InboxMessage]:
    """Letters without their bodies, except the selected one's: bodies are up to a megabyte each."""
    body = Case(When(pk=selected, then=F("body")), default=None, output_field=BinaryField())
    wanted = sorted({*origins, selected})[:LETTERS_READ_MAX]
    rows = InboxMessage.objects.filter(pk__in=wanted).select_related("connection").defer("body", "headers")
    found = list(rows.annotate(selected_body=body).order_by("received_at", "id"))
    for letter in found:
        letter.body = bytes(letter.selected_body or b"")
    return found


def _occurrences(posting_ids: list[int], business_keys: set[str]) -> list[Occurrence]:
    about = Q(subject_type="posting", subject_id__in=posting_ids) | Q(business_key__in=business_keys)
    rows = Occurrence.objects.filter(about).select_related("case").order_by("first_seen_at", "id")
    return list(rows[:OCCURRENCES_READ_MAX])


def _finding(occurrences: Sequence[Occurrence]) -> ExceptionCase | None:
    """The most severe case that stands."""
    standing = [row.case for row in occurrences if row.cleared_at is None and row.case.state != CaseState.RESOLVED]
    return max(standing, key=lambda case: (case.severity_score, -case.pk), default=None)


def _line(line: PostingLine) -> dict[str, Any]:
    return {
        "minor": line.amount_minor,
        "currency": line.currency,
        "rule": line.rule_id,
        "set": line.mapping_set,
        "row": line.row_id,
    }


def _journal(lines: list[PostingLine]) -> Journal:
    currencies = {line.currency for line in lines}
    journal = Journal(lines, currencies.pop() if len(currencies) == 1 else "")
    journal.debit = sum(line.amount_minor for line in lines if line.side == "DR")
    journal.credit = sum(line.amount_minor for line in lines if line.side == "CR")
    return journal
