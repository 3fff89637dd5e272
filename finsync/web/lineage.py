"""The rail of a trace: from the contract to the ledger, six stages, each true or missing.

Built from the change log and the postings of one commercial thread; nothing is inferred from names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from finsync.canonical.models import CanonicalChange, Invoice, Payment, PaymentApplication
from finsync.core.money import Money
from finsync.core.records import contract_key, invoice_key
from finsync.kit.wording import plain, span, tail
from finsync.posting.models import Posting
from finsync.posting.selectors import PostingFile

CHANGES_READ_MAX = 300
_BAD = ("EXCEPTION", "REJECTED")


@dataclass
class Stage:
    """One stage of the rail. ``tone``: ok, warn, bad or none; ``event`` is what its link selects."""

    kind: str
    system: str = ""
    document: str = ""
    amount: Money | None = None
    signed: bool = False
    fact: str = ""
    tone: str = "none"
    event: str = ""
    link: str = ""
    at: datetime | None = None
    hop: str = ""
    current: bool = False
    broken: bool = False


def thread(file: PostingFile) -> list[CanonicalChange]:
    """Return the changes of the posting's commercial thread, oldest first; one query."""
    row = file.posting
    record = row.change.record
    fixed = {row.change.aggregate_id}
    invoices: set[str] = set()
    if row.contract_number:
        fixed |= {contract_key(row.entity, row.contract_number), f"schedule:{row.entity}:{row.contract_number}"}
    if row.change.record_type == "invoice":
        invoices.add(row.change.aggregate_id)
    if row.change.record_type == "payment_application":
        invoices.add(invoice_key(row.entity, record["invoice_system"], record["invoice_number"]))
        fixed.add(f"payment:{row.change.aggregate_id.split(':')[1]}:{record['payment_id']}")
    fixed |= invoices
    keys = _keys(row, invoices)
    found = CanonicalChange.objects.filter(aggregate__in=fixed)
    if row.correlation_id:
        found = found.union(CanonicalChange.objects.filter(correlation_id=row.correlation_id))
    for part in keys:
        found = found.union(CanonicalChange.objects.filter(aggregate__in=part))
    return sorted(found[:CHANGES_READ_MAX], key=lambda change: (change.recorded_at, change.pk))


def _keys(row: Posting, invoices: Iterable[str]) -> list[QuerySet[Any, Any]]:
    """Return the aggregate keys that hang on the contract or on named invoices: invoices, applications, payments."""
    of_contract = Invoice.objects.filter(contract_number=row.contract_number, entity=row.entity).values("aggregate_key")
    named = [of_contract] if row.contract_number else []
    applied = [PaymentApplication.objects.filter(invoice_key__in=list(invoices))] if invoices else []
    applied += [PaymentApplication.objects.filter(invoice_key__in=of_contract)] if row.contract_number else []
    if row.change.record_type == "payment":
        paid = PaymentApplication.objects.filter(payment_id=row.change.record["payment_id"])
        named.append(paid.values("invoice_key"))
        applied.append(paid)
    payments = [Payment.objects.filter(payment_id__in=part.values("payment_id")) for part in applied]
    return [*named, *(part.values("aggregate_key") for part in (*applied, *payments))]


def rail(
    file: PostingFile, changes: Sequence[CanonicalChange], others: Sequence[Posting], titles: dict[str, str]
) -> list[Stage]:
    """Build the six stages for one posting. ``others`` are the postings of its thread, ``titles`` names of systems."""
    build = _Rail(file, changes, others, titles)
    stages = [build.contract(), build.amendment(), build.invoice(), build.payment(), build.schedule(), build.posting()]
    before: datetime | None = None
    for number, stage in enumerate(stages):
        if stage.at is not None:
            later = before is not None and stage.at >= before
            stage.hop = f"+ {span(stage.at - before)}" if later and before else f"{stage.at.day} {stage.at:%b %Y}"
            before = stage.at
        elif stage.tone == "bad":
            stage.hop = "Missing"
        if number and stage.tone == "bad":
            stages[number - 1].broken = True
    return stages


class _Rail:
    def __init__(
        self, file: PostingFile, changes: Sequence[CanonicalChange], others: Sequence[Posting], titles: dict[str, str]
    ) -> None:
        self.file, self.row, self.titles, self.others = file, file.posting, titles, others
        self.by_type: dict[str, list[CanonicalChange]] = {}
        for change in changes:
            self.by_type.setdefault(change.record_type, []).append(change)

    def _newest(self, record_type: str, **facts: Any) -> CanonicalChange | None:
        """The newest change of a kind that carries these facts."""
        rows = self.by_type.get(record_type, [])
        fits = [row for row in rows if all(row.record.get(name) == value for name, value in facts.items())]
        return fits[-1] if fits else None

    def _system(self, change: CanonicalChange) -> str:
        name = change.record.get("lineage", {}).get("system", "")
        return self.titles.get(name, plain(name))

    def _base(self, kind: str, change: CanonicalChange | None) -> Stage:
        if change is None:
            return Stage(kind)
        return Stage(
            kind,
            self._system(change),
            tail(change.business_key),
            tone="ok",
            event=f"c{change.pk}",
            at=change.source_ts,
            current=False,
        )

    def contract(self) -> Stage:
        """Version 1 of the contract."""
        change = self._newest("contract_version", version=1)
        stage = self._base("Contract", change)
        first = next((version for version in self.file.versions if version["version"] == 1), None)
        if first and self.file.contract:
            stage.amount = Money(first["added"], self.file.contract["currency"])
        if change:
            stage.fact = f"{_quantity(change)}, {change.record['term_start']} to {change.record['term_end']}"
        return stage

    def amendment(self) -> Stage:
        """The version this posting belongs to, or the newest one, where it is not the first."""
        wanted = self.row.contract_version or 0
        numbers = [version["version"] for version in self.file.versions if version["version"] > 1]
        number = wanted if wanted in numbers else max(numbers, default=0)
        stage = self._base("Amendment", self._newest("contract_version", version=number) if number else None)
        if not number:
            stage.fact = "None so far" if self.file.contract else "No contract"
            return stage
        version = next(one for one in self.file.versions if one["version"] == number)
        currency = self.file.contract["currency"] if self.file.contract else ""
        stage.amount, stage.signed = (Money(version["added"], currency) if currency else None), True
        targets = [one for one in self.others if one.change_id == version["change_id"]]
        refused = [one for one in targets if one.status in _BAD]
        if refused:
            stage.tone = "warn"
            stage.fact = f"Stopped at {', '.join(sorted(one.connection.title for one in refused))}"
        elif targets:
            there = sum(one.status == "POSTED" for one in targets)
            stage.fact = f"Reached {there} of {len(targets)} systems"
        else:
            stage.fact = plain(version["change"])
        return stage

    def invoice(self) -> Stage:
        """The invoice of this posting, or of its contract version."""
        row, record = self.row, self.row.change.record
        if row.change.record_type == "invoice":
            change: CanonicalChange | None = self._newest("invoice", number=record["number"])
        elif row.change.record_type == "payment_application":
            change = self._newest("invoice", number=record["invoice_number"])
        else:
            change = self._newest("invoice", contract_version=row.contract_version) or self._newest("invoice")
        stage = self._base("Invoice", change)
        if change is None:
            return stage
        total, tax = change.record["total"], change.record["tax"]
        stage.amount = Money(total["minor"], total["currency"])
        stage.fact = f"Includes tax {Money(tax['minor'], tax['currency']).major:,f}" if tax["minor"] else "No tax"
        self.invoice_number = change.record["number"]
        return stage

    def payment(self) -> Stage:
        """The payment that settled the invoice."""
        number = getattr(self, "invoice_number", None)
        applied = self._newest("payment_application", invoice_number=number) if number else None
        change = self._newest("payment", payment_id=applied.record["payment_id"]) if applied else None
        if change is None and self.row.change.record_type == "payment":
            change = self.row.change
        stage = self._base("Payment", change)
        if change is None:
            stage.fact = "Not paid yet" if number else ""
            return stage
        amount = change.record["amount"]
        stage.amount = Money(amount["minor"], amount["currency"])
        status, method = change.record["status"], change.record["method"]
        stage.fact = f"{plain(status)}, {method}" if method else plain(status)
        stage.tone = {"succeeded": "ok", "failed": "bad"}.get(status, "warn")
        return stage

    def schedule(self) -> Stage:
        """The revenue schedule as the engine last stated it; behind its contract is red."""
        change = self._newest("revenue_schedule")
        stage = self._base("Schedule", change)
        contract = self.file.contract
        if change is None:
            if contract and any(one.doc_type == "revenue_contract" for one in self.others):
                stage.tone, stage.fact = "bad", "No schedule stated yet"
            return stage
        total, version = change.record["total"], change.record["contract_version"]
        stage.amount = Money(total["minor"], total["currency"])
        stage.fact = f"Amortises version {version}"
        if contract and version < contract["version"]:
            stage.tone = "bad"
            stage.document = f"{stage.document}, still v{version}"
            stage.fact = f"Expected {Money(contract['price'], contract['currency'])}"
        return stage

    def posting(self) -> Stage:
        """The posting itself."""
        row = self.row
        sends = sum(attempt.kind == "SEND" for attempt in self.file.attempts)
        table = row.mapping_version
        mapped = f", {table.name.split(':')[-1]} v{table.version}" if table else ""
        return Stage(
            "Posting",
            row.connection.title,
            row.erp_number or plain(row.doc_type),
            Money(row.amount_minor, row.currency) if row.amount_minor is not None else None,
            fact=f"{sends} {'attempt' if sends == 1 else 'attempts'}{mapped}",
            tone="ok" if row.status == "POSTED" else "bad" if row.status in _BAD else "warn",
            event="posting",
            at=row.posted_at or row.created_at,
            current=True,
        )


def _quantity(change: CanonicalChange) -> str:
    lines = change.record.get("lines") or []
    if len(lines) != 1:
        return f"{len(lines)} lines"
    amount = str(lines[0]["quantity"])
    return f"{amount.rstrip('0').rstrip('.') if '.' in amount else amount} × {lines[0]['product']}"
