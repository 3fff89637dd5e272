"""What the engine keeps: every contract version it accepted, and every schedule version it computed from them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from connectors.doubles.server import Refused
from connectors.doubles.store import Store
from connectors.systems.revenue_engine.sandbox import accounting
from finsync.core.money import Money

REQUIRED = (
    "external_ref",
    "entity",
    "currency",
    "customer",
    "effective_date",
    "term_start",
    "term_end",
    "amount",
    "lines",
)


def problem(status: int, code: str, message: str) -> Refused:
    """A refusal as the engine words it."""
    return Refused(status, {"error": {"code": code, "message": message}})


class Book:
    """Contracts by number. Nothing is ever changed; a modification makes the next version."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def accept(self, contract: str, version: int, asked: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Keep a contract version and compute its schedule; returns it and whether it is new. Raises Refused."""
        known = self.store.get("version", f"{contract}|{version}")
        if known:
            if known["asked"] != asked:
                raise problem(409, "version_conflict", f"{contract} v{version} was accepted with another content")
            return known, False
        if other := self.by_reference(str(asked.get("external_ref"))):
            raise problem(
                409, "reference_conflict", f"the reference belongs to {other['contract']} v{other['version']}"
            )
        earlier = self.versions(contract)
        if version != len(earlier) + 1:
            raise problem(409, "version_gap", f"{contract} stands at v{len(earlier)}; v{version} cannot follow")
        self._check(asked, earlier)
        kept = {
            "id": f"rcv_{contract}_{version}",
            "object": "contract_version",
            "contract": contract,
            "version": version,
            **{name: asked[name] for name in ("external_ref", "entity", "currency", "amount", "effective_date")},
            "asked": asked,
        }
        self.store.put("version", f"{contract}|{version}", kept)
        self._make_schedule(contract, kept)
        return kept, True

    def versions(self, contract: str) -> list[dict[str, Any]]:
        """Return the accepted versions of a contract in order."""
        return [row for row in self.store.all("version") if row["contract"] == contract]

    def by_reference(self, reference: str) -> dict[str, Any] | None:
        """Return the version that carries a reference."""
        return next((row for row in self.store.all("version") if row["external_ref"] == reference), None)

    def schedules(self) -> list[dict[str, Any]]:
        """Return every schedule version, oldest first."""
        return self.store.all("schedule")

    def newest(self, before: date = date.max) -> list[dict[str, Any]]:
        """Return, per contract, the newest schedule version that takes effect before a day."""
        found = {row["contract"]: row for row in self.schedules() if date.fromisoformat(row["effective_date"]) < before}
        return list(found.values())

    def balances(self) -> list[dict[str, Any]]:
        """Return billed, recognised and deferred per contract and month, by each contract's newest schedule."""
        rows = []
        for schedule in self.newest():
            currency, running = schedule["currency"], Money.zero(schedule["currency"])
            versions = self.versions(schedule["contract"])[: schedule["contract_version"]]
            for line in schedule["periods"]:
                running += Money.of(line["amount"], currency)
                billed = sum(
                    (Money.of(row["amount"], currency) for row in versions if row["effective_date"] < line["ends_on"]),
                    Money.zero(currency),
                )
                names = ("contract", "contract_version", "entity", "currency")
                amounts = {"billed": _text(billed), "deferred": _text(billed - running)}
                rows.append({name: schedule[name] for name in names} | line | amounts | {"schedule": schedule["id"]})
        return rows

    def _check(self, asked: dict[str, Any], earlier: list[dict[str, Any]]) -> None:
        if missing := [name for name in REQUIRED if not asked.get(name)]:
            raise problem(400, "field_missing", ", ".join(missing))
        if asked.get("treatment", accounting.SEPARATE) not in accounting.TREATMENTS:
            raise problem(422, "treatment_unknown", str(asked["treatment"]))
        if earlier and (earlier[0]["entity"], earlier[0]["currency"]) != (asked["entity"], asked["currency"]):
            raise problem(409, "entity_mismatch", f"the contract belongs to {earlier[0]['entity']}")
        if sum(Decimal(line["amount"]) for line in asked["lines"]) != Decimal(asked["amount"]):
            raise problem(422, "amount_mismatch", "the lines do not sum to the amount")

    def _make_schedule(self, contract: str, newest: dict[str, Any]) -> None:
        plan = accounting.Plan()
        versions = self.versions(contract)
        for version in versions:
            asked = version["asked"]
            treatment = asked.get("treatment", accounting.SEPARATE)
            effective = date.fromisoformat(asked["effective_date"])
            plan = accounting.modified(plan, _lines(asked), effective, treatment)
        asked, currency = newest["asked"], newest["currency"]
        months = plan.months()
        number = self.store.next("schedule")
        schedule = {
            "id": f"rs_{contract}",
            "object": "schedule",
            "version": len(versions),
            "contract": contract,
            "contract_version": newest["version"],
            "entity": newest["entity"],
            "currency": currency,
            "effective_date": newest["effective_date"],
            "term_end": asked["term_end"],
            "treatment": asked.get("treatment", accounting.SEPARATE),
            "correlation_id": asked.get("correlation_id", ""),
            "external_ref": newest["external_ref"],
            "total": _text(Money(sum(months.values()), currency)),
            "obligations": [po for version in versions for po in _obligations(version)],
            "periods": [
                {
                    "period": f"{year:04d}-{month:02d}",
                    "ends_on": accounting.after((year, month)).isoformat(),
                    "amount": _text(Money(minor, currency)),
                }
                for (year, month), minor in months.items()
            ],
            "sequence": number,
            "updated_at": datetime.now(UTC).isoformat(),
        }
        self.store.put("schedule", f"{contract}|{len(versions)}", schedule)


def _lines(asked: dict[str, Any]) -> list[tuple[int, date, date]]:
    dated = [
        (line["amount"], date.fromisoformat(line["start"]), date.fromisoformat(line["end"])) for line in asked["lines"]
    ]
    if any(start >= end for _, start, end in dated):
        raise problem(422, "service_period_missing", "a line needs at least one day of service")
    return [(Money.of(amount, asked["currency"]).minor, start, end) for amount, start, end in dated]


def _obligations(version: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("product", "quantity", "start", "end")
    return [
        {"id": f"po_{version['contract']}_{version['version']}_{number}", "allocated": line["amount"]}
        | {name: line[name] for name in names}
        for number, line in enumerate(version["asked"]["lines"], 1)
    ]


def _text(money: Money) -> str:
    return str(money.major)
