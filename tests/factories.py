"""Builders of rows for tests: one function per kind, every write under the actor ``test``.

They write through the same services as the pipeline where one exists (entities, cases), and through the models where
the pipeline would need an outside system (letters, postings, attempts, reconciliation runs).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User

from connectors.models import Connection, Cursor, InboxMessage
from exceptions_queue.models import ExceptionCase
from exceptions_queue.services import Subject, raise_case
from finsync.audit.services import recording
from finsync.canonical.models import Aggregate, CanonicalChange, Fact, LegalEntity
from finsync.canonical.services.entities import write_entity
from finsync.core.keys import bytes_hash, content_hash, external_ref
from finsync.core.money import Money
from finsync.core.records import Lineage, Record, fact_hash, to_json
from finsync.core.records.document import DocType, PostingDocument
from finsync.core.sequencing import VersionKind
from finsync.mappings.models import MappingVersion
from finsync.posting.models import Attempt, Posting, PostingLine, PostingMove
from reconciliation.models import Cell, Item, Run, Variance

ACTOR = "test"
PASSWORD = "a-password-for-tests"


def person(username: str, *roles: str, name: str = "") -> User:
    """Return a person holding roles (group names); the password is ``PASSWORD``."""
    first, _, last = name.partition(" ")
    user = User.objects.create_user(username, password=PASSWORD, first_name=first, last_name=last)
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
    return user


def entity(
    code: str = "US01", name: str = "Lighthouse Inc.", currency: str = "USD", country: str = "US"
) -> LegalEntity:
    """Return a legal entity of ours."""
    with recording(ACTOR):
        return LegalEntity.objects.create(code=code, name=name, currency=currency, country=country)


def connection(name: str, kind: str, title: str, *roles: str, streams: Sequence[str] = (), **values: Any) -> Connection:
    """Return a connection with its poll cursors."""
    with recording(ACTOR):
        made = Connection.objects.create(
            name=name, kind=kind, title=title, roles=list(roles), base_url="http://127.0.0.1:9/", **values
        )
        for stream in streams:
            Cursor.objects.create(connection=made, stream=stream, items_seen=240, items_missed_by_webhook=3)
    return made


def letter(source: Connection, event_id: str, object: str, body: Any, at: datetime, **values: Any) -> InboxMessage:
    """Return a kept letter; ``body`` is bytes, or JSON values to encode."""
    raw = body if isinstance(body, bytes) else json.dumps(body, indent=2).encode()
    values = {"state": "NORMALISED", "next_action_at": None, "processed_at": at + timedelta(milliseconds=380)} | values
    with recording(ACTOR):
        return InboxMessage.objects.create(
            connection=source,
            channel=values.pop("channel", "webhook"),
            event_id=event_id,
            object=object,
            headers=values.pop("headers", {"content-type": "application/json", "x-signature": "(redacted)"}),
            body=raw,
            sha256=bytes_hash(raw),
            received_at=at,
            source_ts=at - timedelta(seconds=2),
            **values,
        )


def lineage(
    source: Connection, object: str, source_id: str, at: datetime, correlation: str, ordinal: int = 0, **values: Any
) -> Lineage:
    """Return where a record came from; ``ordinal`` 0 means ordered by time."""
    return Lineage(
        system=source.name,
        object=object,
        source_id=source_id,
        source_version=str(ordinal or int(at.timestamp() * 1000)),
        version_kind=VersionKind.CONTIGUOUS if ordinal else VersionKind.TIMESTAMP,
        ordinal=ordinal or int(at.timestamp() * 1000),
        source_ts=at,
        correlation_id=correlation,
        **values,
    )


def applied(record: Record, origin: InboxMessage, explanation: str = "newest version, applied") -> CanonicalChange:
    """Return the change that made a record true, with its fact and its entity row."""
    stated, mark, line = to_json(record), fact_hash(record), record.lineage
    at = origin.received_at + timedelta(milliseconds=540)
    with recording(ACTOR):
        lane, _ = Aggregate.objects.get_or_create(
            key=record.aggregate_key, defaults={"record_type": record.record_type}
        )
        fact = Fact.objects.create(
            aggregate=lane,
            record_type=record.record_type,
            source_system=line.system,
            ordinal=line.ordinal,
            version_kind=line.version_kind,
            content_hash=mark,
            record=stated,
            origin=origin.pk,
            state="APPLIED",
            explanation=explanation,
            decided_at=at,
        )
        change = CanonicalChange.objects.create(
            aggregate=lane,
            record_type=record.record_type,
            business_key=record.business_key,
            entity=getattr(record, "entity", ""),
            ordinal=line.ordinal,
            content_hash=mark,
            record=stated,
            fact=fact,
            supersedes=lane.changes.order_by("-ordinal").first(),
            correlation_id=line.correlation_id,
            origin=origin.pk,
            source_ts=line.source_ts,
            recorded_at=at,
            explanation=explanation,
            plan_state="PLANNED",
            next_action_at=None,
        )
        write_entity(record, change)
    return change


def mapping(
    name: str, kind: str, document: dict[str, Any], author: User, approver: User, version: int = 1
) -> MappingVersion:
    """Return an approved, active version of a rule set or mapping set."""
    with recording(ACTOR):
        return MappingVersion.objects.create(
            name=name,
            kind=kind,
            version=version,
            base_version=version - 1,
            document=document,
            content_hash=content_hash(document),
            state="ACTIVE",
            effective_from=date(2026, 1, 1),
            author=author,
            approver=approver,
            approved_at=datetime.fromisoformat("2026-01-02T10:00:00+00:00"),
            reason="First approved version",
        )


def posting(
    change: CanonicalChange,
    record: Record,
    target: Connection,
    doc_type: DocType,
    amount: Money | None,
    journal: Sequence[tuple[str, str, int, str, str, str]] = (),
    status: str = "READY",
    rules: MappingVersion | None = None,
    sets: Mapping[str, MappingVersion] | None = None,
    **values: Any,
) -> Posting:
    """Return a posting in any state. ``journal`` rows are (side, account, minor units, rule, mapping set, row)."""
    entity_code, currency = change.entity, amount.currency if amount else ""
    ref = external_ref(target.name, doc_type, change.business_key)
    day = change.source_ts.date()
    document = PostingDocument(
        doc_type=doc_type,
        external_ref=ref,
        business_key=change.business_key,
        correlation_id=change.correlation_id,
        entity=entity_code,
        currency=currency,
        amount=amount,
        document_date=day,
        accounting_date=day,
        record=record,
        narrative=f"{doc_type} {change.business_key}",
    )
    facts = to_json(document) | {"record": to_json(record)}
    settled = {"POSTED", "CANCELLED", "EXCEPTION"}
    defaults = {
        "created_at": change.recorded_at + timedelta(milliseconds=160),
        "next_action_at": None if status in settled else change.recorded_at,
        "contract_number": getattr(record, "contract_number", ""),
        "contract_version": getattr(record, "contract_version", getattr(record, "version", None)),
        "customer_key": f"customer:{record.account_id}" if hasattr(record, "account_id") else "",
        "posted_at": change.recorded_at + timedelta(seconds=3) if status == "POSTED" else None,
        "erp_document_id": f"{ref[2:8]}" if status == "POSTED" else None,
    }
    with recording(ACTOR):
        row = Posting.objects.create(
            connection=target,
            doc_type=doc_type,
            business_key=change.business_key,
            external_ref=ref,
            content_hash=content_hash(facts),
            entity=entity_code,
            currency=currency,
            amount_minor=amount.minor if amount else None,
            document=facts,
            document_date=day,
            accounting_date=day,
            correlation_id=change.correlation_id,
            change=change,
            mapping_version=rules,
            lane=change.aggregate_id,
            status=status,
            source_ts=change.source_ts,
            **(defaults | values),
        )
        PostingLine.objects.bulk_create(
            PostingLine(
                posting=row,
                line_no=number,
                side=side,
                account=account,
                currency=currency,
                amount_minor=minor,
                rule_id=rule,
                mapping_set=mapping_set,
                row_id=row_id,
                set_version=(sets or {}).get(mapping_set),
            )
            for number, (side, account, minor, rule, mapping_set, row_id) in enumerate(journal, 1)
        )
    return row


def moved(row: Posting, frm: str, to: str, at: datetime, reason: str = "", by: str = "system:dispatch") -> PostingMove:
    """Return one entry of a posting's diary, as the trigger would have written it."""
    with recording(ACTOR):
        return PostingMove.objects.create(posting=row, at=at, actor=by, frm=frm, too=to, fence=row.fence, reason=reason)


def attempt(row: Posting, fence: int, at: datetime, outcome: str, kind: str = "SEND", **values: Any) -> Attempt:
    """Return one send or look-up of a posting; ``response`` is the body that came back."""
    request = values.pop("request", {"reference": row.external_ref, "amount": str(row.amount_minor or "")})
    exchange = {
        "method": "POST" if kind == "SEND" else "GET",
        "url": f"{row.connection.base_url}documents",
        "sent": request,
        "status": values.get("http_status"),
        "received": values.pop("response", None),
        "elapsed_ms": values.get("elapsed_ms", 240),
        "error": "" if values.get("http_status") else "timed out",
    }
    with recording(ACTOR):
        return Attempt.objects.create(
            posting=row,
            fence=fence,
            response={"exchanges": [exchange]},
            kind=kind,
            owner="worker-1",
            started_at=at,
            finished_at=at + timedelta(milliseconds=values.get("elapsed_ms") or 240),
            outcome=outcome,
            request=request,
            request_hash=content_hash(request),
            **values,
        )


def case(
    code: str, dimensions: dict[str, Any], subject: Subject, at: datetime | None = None, **values: Any
) -> ExceptionCase:
    """Return a case raised through the desk's own service; ``at`` moves its opening into the past."""
    with recording(ACTOR):
        made = raise_case(code, dimensions=dimensions, subject=subject, **values)
        if at is not None:
            made.opened_at, made.sla_due_at = at, made.sla_due_at - (made.opened_at - at)
            made.save()
    return made


def run(control: str, cells: Sequence[dict[str, Any]], variances: Sequence[dict[str, Any]] = (), **values: Any) -> Run:
    """Return a finished run with its cells; each variance names its cell by index, both sides become items."""
    systems = dict(zip("ab", values.pop("systems", ("stripe", "tryton")), strict=True))
    with recording(ACTOR):
        made = Run.objects.create(
            control=control,
            window_start=date(2026, 1, 1),
            window_end=date(2026, 3, 1),
            requested_by="schedule",
            state=values.pop("state", "OPEN_ITEMS" if variances else "BALANCED"),
            variances=len(variances),
            **values,
        )
        rows = [Cell.objects.create(run=made, **cell) for cell in cells]
        for variance in variances:
            cell = rows[variance.get("cell", 0)]
            facts = {name: value for name, value in variance.items() if name != "cell"}
            Variance.objects.create(run=made, cell=cell, **facts)
            for side in ("a", "b"):
                amount = variance.get(f"amount_{side}_minor")
                if amount is not None:
                    Item.objects.create(
                        run=made,
                        side=side.upper(),
                        system=systems[side],
                        key=variance["key"],
                        entity=cell.entity,
                        currency=cell.currency,
                        period=cell.period,
                        amount_minor=amount,
                        state=variance.get(f"state_{side}", ""),
                        version=variance.get(f"version_{side}", 0),
                        source_id=variance.get(f"source_id_{side}", ""),
                    )
    return made
