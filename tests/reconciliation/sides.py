"""Systems that show what a test says they hold, in place of connectors."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from connectors.capabilities import Capabilities
from connectors.contract import Window
from connectors.errors import ConnectorError
from connectors.models import Connection
from finsync.core.money import Money
from finsync.core.records.observed import Observed
from reconciliation.models import Run
from reconciliation.services.run import request, run_requested
from tests import factories as make

YEAR = Window(start=date(2026, 1, 1), end=date(2027, 1, 1))
SHOWS = {
    "crm": ("contract",),
    "billing": ("invoice", "payment"),
    "revenue": ("schedule", "revenue", "deferred"),
    "erp": ("document", "invoice", "payment", "revenue", "deferred"),
}


def shown(object: str, key: str, amount: str, *, entity: str = "US01", currency: str = "USD", period: str = "",
          state: str = "open", **more: Any) -> Observed:  # fmt: skip
    """One row as a system shows it; ``net`` and ``tax`` in major units."""
    day = more.pop("day", None)
    dated = day is not None and object in ("invoice", "payment", "document")
    for name in ("net", "tax"):
        if name in more:
            more[name] = Money.of(more[name], currency)
    return Observed(
        object=object, key=key, entity=entity, currency=currency, period=period or (f"{day:%Y-%m}" if dated else ""),
        amount=Money.of(amount, currency), state=state, source_id=more.pop("source_id", f"id-{key}"), document_date=day,
        **more,
    )  # fmt: skip


@dataclass
class Systems:
    """What every connection shows, by connection name and object; ``broken`` raises instead."""

    rows: dict[tuple[str, str], list[Observed]] = field(default_factory=lambda: defaultdict(list))
    broken: dict[str, ConnectorError] = field(default_factory=dict)
    asked: list[tuple[str, str, Window]] = field(default_factory=list)

    def show(self, system: str, *rows: Observed) -> None:
        """Replace what a system shows of the rows' object."""
        for object in {row.object for row in rows}:
            self.rows[system, object] = [row for row in rows if row.object == object]

    def connector_class(self, kind: str) -> type:
        class Class:
            capabilities = Capabilities(kind=kind, title=kind, roles=(kind,), observes=SHOWS[kind])

        return Class

    def connect(self, connection: Connection) -> "_Asked":
        return _Asked(self, connection.name)


@dataclass
class _Asked:
    systems: Systems
    name: str

    def observe(self, object: str, window: Window) -> Iterator[Observed]:
        self.systems.asked.append((self.name, object, window))
        for row in self.systems.rows[self.name, object]:
            if row.document_date is None or window.start <= row.document_date < window.end:
                yield row
        if self.name in self.systems.broken:
            raise self.systems.broken[self.name]


def company() -> None:
    """The four kinds of systems, connected."""
    for name, kind, *roles in (
        ("salesforce", "crm", "crm"), ("stripe", "billing", "billing", "gateway"), ("engine", "revenue", "revenue"),
        ("tryton", "erp", "erp"),
    ):  # fmt: skip
        make.connection(name, kind, name.title(), *roles)


def run(control: str, window: Window = YEAR) -> Run:
    """Run a control now."""
    asked = request(control, "user:ada", window)
    while run_requested():
        pass
    asked.refresh_from_db()
    return asked
