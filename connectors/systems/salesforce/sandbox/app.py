"""The public side of the double: OAuth, query with locators, single records, limits."""

import secrets
from typing import Any
from urllib.parse import parse_qsl

from connectors.doubles.server import Answer, Double, Refused, Request, retry_after
from connectors.doubles.store import Store
from connectors.systems.salesforce.sandbox.commands import Commands
from connectors.systems.salesforce.sandbox.records import Records, error

CLIENT_ID = "finsync"
CLIENT_SECRET = "sandbox"  # noqa: S105 - the double's own, for loopback only
API = "/services/data/{version}"
PAGE_SIZE = 200  # records per query answer, the smallest batch Salesforce offers
LOCATORS_KEPT = 10  # open query locators per user; an older one has expired
DAILY_REQUESTS = 15_000


class SalesforceDouble(Double):
    """A CRM with Salesforce's REST shapes: accounts, contracts, orders with items and actions."""

    def __init__(self, store: Store | None = None, *, page_size: int = PAGE_SIZE, **settings: Any) -> None:
        super().__init__(store, **settings)
        self.page_size = page_size
        self.records = Records(self.store)
        self._locators: dict[str, list[dict[str, Any]]] = {}
        self.route("POST", "/services/oauth2/token", self._token)
        self.route("GET", f"{API}/query", lambda request, version: self._query(request, version, deleted=False))
        self.route("GET", f"{API}/queryAll", lambda request, version: self._query(request, version, deleted=True))
        self.route("GET", f"{API}/query/{{locator}}", self._next)
        self.route("GET", f"{API}/sobjects/{{table}}/{{key}}", self._record)
        self.route("GET", f"{API}/limits", self._limits)
        self.route("POST", "/_sandbox/expire_tokens", self._expire_tokens)
        Commands(self, self.records).add_routes()

    def handle(self, request: Request) -> Answer:
        """Answer one request and tell, as Salesforce does, how much of the day's limit is used."""
        if request.path.startswith("/_sandbox/"):
            return super().handle(request)
        with self.store.transaction():
            used = {"sforce-limit-info": f"api-usage={self.store.next('api')}/{DAILY_REQUESTS}"}
        try:
            answer = super().handle(request)
        except Refused as refused:
            raise Refused(refused.answer.status, refused.answer.body, {**refused.answer.headers, **used}) from None
        return Answer(answer.status, answer.body, {**answer.headers, **used})

    def authorise(self, request: Request) -> None:
        """Every call but the one for a token needs a living session."""
        if request.path == "/services/oauth2/token":
            return
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token or self.store.get("session", token) is None:
            raise error(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def too_many(self, rule: Any) -> tuple[int, Any, Any]:
        """Salesforce says REQUEST_LIMIT_EXCEEDED with 403 for the day's limit and 429 for bursts."""
        if rule["action"] == "503":
            body = [{"message": "Server unavailable", "errorCode": "SERVER_UNAVAILABLE"}]
            return 503, body, retry_after(rule)
        body = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
        return int(rule.get("status", 429)), body, retry_after(rule)

    def _token(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            raise Refused(400, {"error": "unsupported_grant_type", "error_description": "grant type not supported"})
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise Refused(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        token = secrets.token_urlsafe(24)
        self.store.put("session", token, {})
        answer = {"access_token": token, "token_type": "Bearer", "instance_url": "", "scope": "api"}
        return Answer(200, answer)

    def _query(self, request: Request, version: str, *, deleted: bool) -> Answer:
        rows = self.records.select(request.query.get("q", ""), deleted=deleted)
        locator = f"01g{self.store.next('locator'):012d}AAA"
        self._locators[locator] = rows
        while len(self._locators) > LOCATORS_KEPT:
            del self._locators[next(iter(self._locators))]
        return self._page(version, locator, 0)

    def _next(self, request: Request, version: str, locator: str) -> Answer:
        name, _, start = locator.rpartition("-")
        if name not in self._locators or not start.isdigit():
            raise error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(version, name, int(start))

    def _page(self, version: str, locator: str, start: int) -> Answer:
        rows, end = self._locators[locator], start + self.page_size
        body = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if not body["done"]:
            body["nextRecordsUrl"] = f"/services/data/{version}/query/{locator}-{end}"
        return Answer(200, body)

    def _record(self, request: Request, version: str, table: str, key: str) -> Answer:
        return Answer(200, self.records.whole(table, key))

    def _limits(self, request: Request, version: str) -> Answer:
        left = DAILY_REQUESTS - self.store.next("api")
        return Answer(200, {"DailyApiRequests": {"Max": DAILY_REQUESTS, "Remaining": left}})

    def _expire_tokens(self, request: Request) -> Answer:
        self.store.remove_all("session")
        return Answer(200, {})
