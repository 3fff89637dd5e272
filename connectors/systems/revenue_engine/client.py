"""The revenue engine over REST: pages, and every failure as one of the six errors."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

from connectors.contract import ConnectionConfig
from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, Rejected, TryLater
from connectors.transport import Transport

Row = dict[str, Any]
PAGE_SIZE = 100

# The engine's words for a refusal, and what they mean here. Any other 4xx refuses the amendment.
REASONS = {
    "version_gap": "CTR_VERSION_MISMATCH",
    "version_conflict": "ERP_CONTENT_MISMATCH",
    "reference_conflict": "ERP_DUPLICATE_POST",
    "entity_mismatch": "MDM_ENTITY_UNMAPPED",
    "service_period_missing": "REV_SERVICE_PERIOD_MISSING",
}
REFUSED = "REV_AMENDMENT_REFUSED"


class Client:
    """One engine. Secret: ``api_key``."""

    def __init__(self, config: ConnectionConfig, transport: Transport) -> None:
        self._transport = transport
        self._headers = {"authorization": f"Bearer {config.secrets.get('api_key', '')}", "accept": "application/json"}

    def get(self, path: str, params: dict[str, str] | None = None) -> Row:
        """Return one object."""
        return _answer(self._transport.request("GET", path, headers=self._headers, params=params))

    def put(self, path: str, body: Row) -> Row:
        """Write one object at its place."""
        headers = {**self._headers, "content-type": "application/json"}
        return _answer(self._transport.request("PUT", path, headers=headers, content=json.dumps(body).encode()))

    def page(self, path: str, params: dict[str, str], cursor: str = "") -> tuple[list[Row], str]:
        """Return one page of a list and the cursor after it, "" on the last one."""
        asked = {**params, "limit": str(PAGE_SIZE), **({"cursor": cursor} if cursor else {})}
        answer = self.get(path, asked)
        rows = answer.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise OutcomeUnknown("a list answer holds no list of objects")
        return rows, str(answer.get("next_cursor") or "") if answer.get("has_more") else ""

    def rows(self, path: str, params: dict[str, str]) -> Iterator[Row]:
        """Yield every row of a list."""
        cursor = ""
        while True:
            rows, cursor = self.page(path, params, cursor)
            yield from rows
            if not cursor:
                return


def _answer(response: httpx.Response) -> Row:
    """The JSON object of a success, or one of the six errors."""
    status = response.status_code
    if status in (httpx.codes.OK, httpx.codes.CREATED):
        try:
            value = json.loads(response.content, parse_float=str)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise OutcomeUnknown("a success that cannot be read", http_status=status)
        return value
    code, message = _words(response)
    detail = f"{status} {code}: {message}"
    if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
        raise TryLater(detail, retry_after_seconds=_retry_after(response), http_status=status, code="ING_RATE_LIMITED")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise AuthFailed(detail, http_status=status)
    if status == httpx.codes.NOT_FOUND:
        raise NotFound(detail, http_status=status)
    if httpx.codes.BAD_REQUEST <= status < httpx.codes.INTERNAL_SERVER_ERROR and status != httpx.codes.REQUEST_TIMEOUT:
        raise Rejected(detail, http_status=status, code=REASONS.get(code, REFUSED))
    raise OutcomeUnknown(detail, http_status=status)


def _words(response: httpx.Response) -> tuple[str, str]:
    try:
        error = json.loads(response.content)["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return "", response.content[:500].decode("utf-8", "replace")


def _retry_after(response: httpx.Response) -> int | None:
    text = response.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() else None
