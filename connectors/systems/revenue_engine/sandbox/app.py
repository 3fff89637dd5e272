"""The engine over REST: contract versions in, schedules and balances out, signed news of every schedule."""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from connectors.doubles.server import Answer, Double, Request
from connectors.doubles.store import Store
from connectors.systems.revenue_engine.sandbox.book import Book, problem

API_KEY = "sandbox"
PAGE_SIZE, PAGE_SIZE_MAX = 50, 200
REFUSAL = "ssp_allocation_required"
REFUSAL_WORDS = "the amendment changes the price per unit: a stand-alone selling price must be allocated first"


class RevenueEngineDouble(Double):
    """A revenue engine with contracts, obligations, schedules and modifications."""

    def __init__(self, store: Store | None = None, **settings: Any) -> None:
        super().__init__(store, **settings)
        self.book = Book(self.store)
        self.route("PUT", "/v1/contracts/{contract}/versions/{version}", self._put_version)
        self.route("GET", "/v1/contracts/{contract}/versions/{version}", self._version)
        self.route("GET", "/v1/versions", self._versions)
        self.route("GET", "/v1/schedules", self._schedules)
        self.route("GET", "/v1/schedules/{schedule}", self._schedule)
        self.route("GET", "/v1/balances", self._balances)
        self.route("GET", "/v1/health", lambda request: Answer(200, {"contracts": len(self.book.newest())}))

    def authorise(self, request: Request) -> None:
        """Every call needs the key."""
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            raise problem(401, "unauthorized", "the API key is missing or unknown")

    def refusal(self, rule: Mapping[str, Any]) -> tuple[int, Any]:
        """The refusal of the story: the engine wants something a person has to decide."""
        error = {"code": rule.get("code", REFUSAL), "message": rule.get("message", REFUSAL_WORDS)}
        return int(rule.get("status", 422)), {"error": error}

    def _put_version(self, request: Request, contract: str, version: str) -> Answer:
        if not version.isdigit() or int(version) < 1:
            raise problem(400, "version_invalid", "versions count 1, 2, 3")
        try:
            kept, new = self.book.accept(contract, int(version), request.json())
        except (KeyError, ValueError, TypeError, ArithmeticError) as error:
            raise problem(400, "field_invalid", repr(error)) from None
        if new:
            self._announce(self.book.schedules()[-1])
        return Answer(201 if new else 200, _public(kept))

    def _version(self, request: Request, contract: str, version: str) -> Answer:
        kept = self.store.get("version", f"{contract}|{version}")
        if not kept:
            raise problem(404, "not_found", f"{contract} has no v{version}")
        return Answer(200, _public(kept))

    def _versions(self, request: Request) -> Answer:
        wanted = request.query.get("external_ref")
        rows = [_public(row) for row in self.store.all("version") if wanted in (None, row["external_ref"])]
        return _page(rows, request)

    def _schedules(self, request: Request) -> Answer:
        query = request.query
        before = query.get("newest_before")
        rows = self.book.newest(_day(before)) if before else self.book.schedules()
        if since := query.get("updated_since"):
            rows = [row for row in rows if _moment(row["updated_at"]) >= _moment(since)]
        return _page([row for row in rows if query.get("entity") in (None, row["entity"])], request)

    def _schedule(self, request: Request, schedule: str) -> Answer:
        found = [row for row in self.book.newest() if row["id"] == schedule]
        if not found:
            raise problem(404, "not_found", f"there is no schedule {schedule}")
        return Answer(200, found[0])

    def _balances(self, request: Request) -> Answer:
        first, last = request.query.get("from", "0000-00"), request.query.get("to", "9999-99")
        entity = request.query.get("entity")
        rows = [row for row in self.book.balances() if first <= row["period"] <= last]
        return _page([row for row in rows if entity in (None, row["entity"])], request)

    def _announce(self, schedule: dict[str, Any]) -> None:
        event = "schedule.created" if schedule["version"] == 1 else "schedule.revised"
        number = f"evt_{self.store.next('event'):08d}"
        body = {
            "id": number,
            "type": event,
            "created_at": datetime.now(UTC).isoformat(),
            "data": {"schedule": schedule},
        }
        facts = {"object": schedule["id"], "contract": schedule["contract"]}
        self.deliveries.enqueue(number, event, body, **facts)


def _public(version: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in version.items() if name != "asked"}


def _page(rows: list[dict[str, Any]], request: Request) -> Answer:
    """A page after an opaque cursor."""
    try:
        start = int(base64.urlsafe_b64decode(request.query.get("cursor", "")) or 0)
        size = min(int(request.query.get("limit", PAGE_SIZE)), PAGE_SIZE_MAX)
    except (ValueError, binascii.Error):
        raise problem(400, "cursor_invalid", "the cursor or limit cannot be read") from None
    more = start + size < len(rows)
    following = base64.urlsafe_b64encode(str(start + size).encode()).decode() if more else ""
    return Answer(200, {"data": rows[start : start + size], "has_more": more, "next_cursor": following})


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise problem(400, "date_invalid", text) from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise problem(400, "date_invalid", text) from None
