"""Salesforce over REST: a session by client credentials, paged queries, every failure as one of the six errors.

Numbers come back as the text they were written in, so nothing passes through a float.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from connectors.contract import ConnectionConfig
from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, TryLater, Unsupported
from connectors.transport import Transport

API_VERSION_DEFAULT = "v64.0"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of a query; ``next_url`` is "" on the last one."""

    rows: list[Row]
    next_url: str


class LocatorExpired(TryLater):
    """The server forgot where a paged query stood: ask again from the start."""


class Client:
    """Reads only. The session token is asked for once and again when the server no longer knows it."""

    def __init__(self, config: ConnectionConfig, transport: Transport) -> None:
        self._config, self._transport = config, transport
        self._data = f"/services/data/{config.options.get('api_version', API_VERSION_DEFAULT)}"
        self._token = ""

    def first(self, soql: str, *, deleted_too: bool = False) -> Rows:
        """Return the first page of a query. ``deleted_too`` reads the recycle bin as well."""
        path = f"{self._data}/{'queryAll' if deleted_too else 'query'}"
        return _rows(self._get(path, {"q": soql}))

    def next(self, url: str) -> Rows:
        """Return the page behind a ``nextRecordsUrl``. Raises LocatorExpired."""
        if not url.startswith("/services/data/"):  # the server names a path; we never follow it to another host
            raise OutcomeUnknown(f"the answer names an unexpected next page {url[:200]!r}")
        return _rows(self._get(url))

    def pages(self, soql: str, *, deleted_too: bool = False) -> Iterator[list[Row]]:
        """Yield every page of a query."""
        page = self.first(soql, deleted_too=deleted_too)
        yield page.rows
        while page.next_url:
            page = self.next(page.next_url)
            yield page.rows

    def limits(self) -> Row:
        """Return what is left of the day's calls."""
        answer = self._get(f"{self._data}/limits")
        return answer if isinstance(answer, dict) else {}

    def _get(self, path: str, params: dict[str, str] | None = None) -> Any:
        for fresh in (False, True):
            if fresh or not self._token:
                self._token = self._log_in()
            headers = {"authorization": f"Bearer {self._token}", "accept": "application/json"}
            response = self._transport.request("GET", path, headers=headers, params=params)
            if response.status_code != httpx.codes.UNAUTHORIZED:
                break
        return _answer(response)

    def _log_in(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.secrets.get("client_id", ""),
            "client_secret": self._config.secrets.get("client_secret", ""),
        }
        body = str(httpx.QueryParams(form)).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        before = len(self._transport.exchanges)
        try:
            response = self._transport.request("POST", "/services/oauth2/token", headers=headers, content=body)
        finally:
            del self._transport.exchanges[before:]  # evidence must not keep a password or a token
        if response.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise AuthFailed("Salesforce refuses the client credentials", http_status=response.status_code)
        answer = _answer(response)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise OutcomeUnknown("the token answer holds no access_token", http_status=response.status_code)
        return token


def quoted(text: str) -> str:
    """Return a text as a SOQL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _rows(answer: Any) -> Rows:
    rows = answer.get("records") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise OutcomeUnknown("a query answer holds no list of records")
    return Rows(rows, "" if answer.get("done", True) else str(answer.get("nextRecordsUrl", "")))


def _answer(response: httpx.Response) -> Any:
    """The JSON of a success, or one of the six errors."""
    status = response.status_code
    if status == httpx.codes.OK:
        try:
            return json.loads(response.content, parse_float=str)
        except (ValueError, RecursionError):
            raise OutcomeUnknown("a success that cannot be read", http_status=status) from None
    code, message = _words(response)
    detail = f"{status} {code}: {message}"
    if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE) or code == "REQUEST_LIMIT_EXCEEDED":
        raise TryLater(detail, retry_after_seconds=_retry_after(response), http_status=status, code="ING_RATE_LIMITED")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise AuthFailed(detail, http_status=status)
    if status == httpx.codes.NOT_FOUND:
        raise NotFound(detail, http_status=status)
    if code == "INVALID_QUERY_LOCATOR":
        raise LocatorExpired(detail, http_status=status)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status < httpx.codes.MULTIPLE_CHOICES:
        raise OutcomeUnknown(detail, http_status=status)
    raise Unsupported(detail, http_status=status)  # a malformed query or a field this org lacks: a set-up fault


def _words(response: httpx.Response) -> tuple[str, str]:
    """Salesforce words an error as a list of one; anything else is quoted as it came."""
    try:
        first = json.loads(response.content)[0]
        return str(first["errorCode"]), str(first["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return "", response.content[:500].decode("utf-8", "replace")


def _retry_after(response: httpx.Response) -> int | None:
    text = response.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() else None
