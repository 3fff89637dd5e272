"""JSON-RPC to a Tryton server through ``connectors.transport``: sign-in, values on the wire, one call per method.

The server restarts a call's transaction by itself on lock conflicts; here nothing is ever sent twice, except after a
401 (refused before the call was run) and after an answered question.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors.errors import AuthFailed, OutcomeUnknown, Rejected, TryLater
from connectors.systems.tryton.refusals import POST_REJECTED, AnswerNeeded, fault, http_failure
from connectors.transport import Transport
from finsync.core.keys import bytes_hash

ROWS_PER_PAGE = 1_000
PAGES_MAX = 1_000  # a list longer than a million rows is a defect of the question, not an answer
ANSWERS_PER_CALL_MAX = 4  # questions the policy answers before a call counts as refused

# Questions answered with yes, because the source's dates are facts: an invoice dated tomorrow (an entity east of the
# server), a due date that has passed (a late document). Every other question is a refusal for a person to read.
ANSWERED_QUESTIONS = ("invoice_date_future", "invoice_payment_term")

_LANGUAGE = "en"  # refusals are recognised by their English text

# Open sessions of this process, like a pool of connections: signing in costs the server 0.14 s of password hashing, as
# much as posting a journal entry. Losing one costs a 401 and another sign-in, nothing else.
_SESSIONS: dict[tuple[str, str, str, str], str] = {}

Row = dict[str, Any]


class TrytonClient:
    """One signed-in user on one database. ``touched`` says whether the document at hand may exist by now."""

    def __init__(self, transport: Transport, database: str, user: str, password: str) -> None:
        self._transport, self._database, self._user, self._password = transport, database, user, password
        self._account = (transport.base_url, database, user, bytes_hash(password.encode()))
        self._session = _SESSIONS.get(self._account, "")
        self.touched = False

    # ---- questions ---------------------------------------------------------------------------------------------

    def rows(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        limit: int = 0,
        order: Sequence[tuple[str, str]] = (("id", "ASC"),),
        context: Mapping[str, Any] | None = None,
    ) -> list[Row]:
        """Return the records of a search with the named fields, all pages or at most ``limit`` rows (0: all)."""
        found: list[Row] = []
        for page in range(PAGES_MAX):
            size = min(ROWS_PER_PAGE, limit - len(found)) if limit else ROWS_PER_PAGE
            offset = page * ROWS_PER_PAGE
            rows = self.call(f"model.{model}.search_read", domain, offset, size, order, fields, context=context)
            found.extend(rows)
            if len(rows) < size or (limit and len(found) >= limit):
                return found
        raise Rejected(f"{model}: more than {PAGES_MAX * ROWS_PER_PAGE} records match", code=POST_REJECTED)

    def row(self, model: str, domain: Sequence[Any], fields: Sequence[str], **options: Any) -> Row | None:
        """Return the first record of a search, or None."""
        return next(iter(self.rows(model, domain, fields, limit=1, **options)), None)

    def call(self, method: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """Call a method that stores nothing. Raises TryLater where it cannot be answered now, or a closed error."""
        try:
            return self._signed_in(method, params, context, writes=False)
        except OutcomeUnknown as lost:
            raise TryLater(lost.detail, http_status=lost.http_status) from lost
        except AnswerNeeded as question:
            raise Rejected(question.text, code=POST_REJECTED) from question

    # ---- changes -----------------------------------------------------------------------------------------------

    def change(self, method: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """Call a method that stores something, answering the questions the policy names.

        TryLater and Rejected mean that the server rolled this call back; OutcomeUnknown that it may have run.
        """
        for _ in range(ANSWERS_PER_CALL_MAX + 1):
            try:
                result = self._signed_in(method, params, context, writes=True)
            except AnswerNeeded as question:
                self._answer(question)
                continue
            except OutcomeUnknown:
                self.touched = True
                raise
            self.touched = True
            return result
        raise Rejected(f"{method}: still asking after {ANSWERS_PER_CALL_MAX} answers", code=POST_REJECTED)

    @contextmanager
    def one_document(self, *, exists: bool) -> Iterator[None]:
        """Keep the promise of the six errors over several calls that make one document.

        Nothing stored yet: whatever happened, it may be sent again (TryLater). Something stored: what is no refusal is
        in doubt, so that the document is looked up and resumed and never created a second time.
        """
        self.touched = exists
        try:
            yield
        except (TryLater, AuthFailed) as error:
            if self.touched:
                raise OutcomeUnknown(f"half made: {error.detail}", http_status=error.http_status) from error
            raise
        except OutcomeUnknown as error:
            if not self.touched:
                raise TryLater(error.detail, http_status=error.http_status) from error
            raise

    def _answer(self, question: AnswerNeeded) -> None:
        if question.name.rpartition(".")[2] not in ANSWERED_QUESTIONS:
            raise Rejected(f"Tryton asks: {question.text}", code=POST_REJECTED) from question
        self._signed_in("model.res.user.warning.skip", (question.name, False), None, writes=True)

    # ---- the wire ----------------------------------------------------------------------------------------------

    def server_version(self) -> str:
        """Return the server's series, without signing in."""
        return str(self._post("/rpc/", "common.server.version", [], writes=False))

    def sign_in(self) -> None:
        """Open a session. Raises AuthFailed, or TryLater where the server cannot say."""
        _SESSIONS.pop(self._account, None)
        self._session = ""
        try:
            user_id, token, *_ = self._post(
                f"/{self._database}/rpc/",
                "common.db.login",
                [self._user, {"password": self._password}, _LANGUAGE],
                writes=False,
            )
        except OutcomeUnknown as lost:
            raise TryLater(lost.detail, http_status=lost.http_status) from lost
        session = f"{self._user}:{user_id}:{token}".encode()
        self._session = _SESSIONS[self._account] = "Session " + base64.b64encode(session).decode()

    def _signed_in(self, method: str, params: Sequence[Any], context: Mapping[str, Any] | None, *, writes: bool) -> Any:
        fresh = not self._session
        if fresh:
            self.sign_in()
        arguments = [*params, {"language": _LANGUAGE, **(context or {})}]
        try:
            return self._post(f"/{self._database}/rpc/", method, arguments, writes=writes)
        except AuthFailed:
            if fresh:
                raise
            self.sign_in()  # the session has run out; the call was refused before it was run
            return self._post(f"/{self._database}/rpc/", method, arguments, writes=writes)

    def _post(self, path: str, method: str, params: Sequence[Any], *, writes: bool) -> Any:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",  # the server says gzip on long answers either way
        }
        if self._session:
            headers["Authorization"] = self._session
        content = json.dumps({"id": 1, "method": method, "params": to_wire(params)}).encode()
        response = self._transport.request("POST", path, headers=headers, content=content)
        if response.status_code == 401:
            raise AuthFailed("Tryton refuses the user or the session", http_status=401, code="ERP_AUTH_FAILED")
        if response.status_code != 200:
            raise http_failure(response.status_code, response.text, response.headers.get("Retry-After"), writes=writes)
        return _result(response.content)


def _result(body: bytes) -> Any:
    try:
        answer = json.loads(body, object_hook=_from_wire, parse_float=Decimal)
    except ValueError as error:
        raise OutcomeUnknown(f"unreadable answer: {body[:200]!r}") from error
    if isinstance(answer, dict) and "error" in answer:
        raise fault(answer["error"])
    if not isinstance(answer, dict) or "result" not in answer:
        raise OutcomeUnknown(f"an answer without a result: {body[:200]!r}")
    return answer["result"]


def to_wire(value: Any) -> Any:
    """Return a value as Tryton's JSON: exact decimals and dates as tagged objects."""
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, date) and not isinstance(value, datetime):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    if isinstance(value, Mapping):
        return {name: to_wire(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(item) for item in value]
    return value


def _from_wire(item: dict[str, Any]) -> Any:
    kind = item.get("__class__")
    if kind == "Decimal":
        return Decimal(item["decimal"])
    if kind == "date":
        return date(item["year"], item["month"], item["day"])
    return item
