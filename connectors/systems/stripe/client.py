"""HTTP to Stripe: form-encoded, one pinned API version; every answer becomes a value or one of the six errors."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from connectors.errors import AuthFailed, ConnectorError, NotFound, OutcomeUnknown, Rejected, TryLater
from connectors.reading import Cursor, UnreadableBody, read_json
from connectors.systems.stripe.origin import API_VERSION
from connectors.transport import Transport

PAGE_ROWS = 100  # the most Stripe gives per list
PAGES_MAX = 10_000  # a list that never ends is a defect of the source
RETRY_AFTER_SECONDS_MAX = 3_600.0
WHITESPACE = " \t\r\n"

Form = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its bytes as received, read once, and when the server says it was given."""

    raw: bytes
    body: Cursor
    date: datetime | None


class Client:
    """Stripe's API with one key. One attempt per call; evidence is kept by the transport."""

    def __init__(self, transport: Transport, api_key: str) -> None:
        self._transport, self._api_key = transport, api_key

    def get(self, path: str, params: Form | None = None) -> Answer:
        """Read one object or one page. Raises the six errors."""
        pairs = dict(form_pairs(params or {}))
        return _answer(self._transport.request("GET", path, headers=self._headers(), params=pairs), "GET")

    def post(self, path: str, form: Form, idempotency_key: str) -> Answer:
        """Change something, once per key. Raises the six errors."""
        headers = self._headers() | {
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": idempotency_key,
        }
        content = urlencode(form_pairs(form)).encode()
        return _answer(self._transport.request("POST", path, headers=headers, content=content), "POST")

    def list(self, path: str, params: Form | None = None) -> Iterator[Cursor]:
        """Yield every object of a list, page by page. Raises the six errors."""
        for page in self.pages(path, params):
            yield from page.body["data"]

    def pages(self, path: str, params: Form | None = None, starting_after: str = "") -> Iterator[Answer]:
        """Yield every page of a list, in the order the source keeps."""
        for _ in range(PAGES_MAX):
            after = {"starting_after": starting_after} if starting_after else {}
            page = self.get(path, {"limit": PAGE_ROWS, **(params or {}), **after})
            rows, more = page_rows(page)
            yield page
            if not more or not rows:
                return
            starting_after = rows[-1]["id"].identifier()
        raise OutcomeUnknown(f"{path}: more than {PAGES_MAX} pages")

    def _headers(self) -> dict[str, str]:
        if not self._api_key:
            raise AuthFailed("the connection has no secret api_key")
        return {"Authorization": f"Bearer {self._api_key}", "Stripe-Version": API_VERSION}


def page_rows(page: Answer) -> tuple[list[Cursor], bool]:
    """Return the objects of a page and whether more follow. Raises OutcomeUnknown for what is no list."""
    try:
        return list(page.body["data"]), page.body["has_more"].flag()
    except UnreadableBody as error:
        raise OutcomeUnknown(f"the answer is no list: {error}") from error


def rows_as_sent(page: Answer) -> list[bytes]:
    """Return each object of a page byte for byte, so that what is kept is what came."""
    try:
        return [text.encode() for text in _data_elements(page.raw.decode())]
    except (ValueError, IndexError, RecursionError) as error:
        raise OutcomeUnknown(f"the answer is no list: {error}") from error


def form_pairs(form: Form, prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested values into Stripe's bracket form: ``items[0][quantity]=15``. None is left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in form.items():
        key = f"{prefix}[{name}]" if prefix else str(name)
        if isinstance(value, list):
            pairs += form_pairs({str(place): item for place, item in enumerate(value)}, key)
        elif isinstance(value, Mapping):
            pairs += form_pairs(value, key)
        elif value is not None:
            pairs.append((key, str(value).lower() if isinstance(value, bool) else str(value)))
    return pairs


def _answer(response: httpx.Response, method: str) -> Answer:
    """The whole table of answers (docs.stripe.com/error-low-level)."""
    status = response.status_code
    if 200 <= status < 300:
        try:
            body = read_json(response.content)
            body["object"].text()
        except UnreadableBody as error:
            raise OutcomeUnknown(f"{status} with an unreadable answer: {error}", http_status=status) from error
        return Answer(response.content, body, _date(response))
    raise _refusal(response, status, method)


def _refusal(response: httpx.Response, status: int, method: str) -> ConnectorError:
    kind, code, detail = _words(response)
    match status:
        case 401 | 403:
            return AuthFailed(detail, http_status=status, code=code)
        case 404 if method == "GET":
            return NotFound(detail, http_status=status, code=code)
        case 429:
            return TryLater(detail, retry_after_seconds=_retry_after(response), http_status=status, code=code)
        case 400 if kind == "idempotency_error":
            # Our key came back with another body: what is under that key is not what we meant to send.
            return Rejected(detail, http_status=status, code="ERP_CONTENT_MISMATCH")
        case 400 | 402 | 404 | 422:
            code = "MDM_ACCOUNT_UNMAPPED" if "No such customer" in detail else "ERP_POST_REJECTED"
            return Rejected(detail, http_status=status, code=code)
        case _:  # 409 is the same key still at work; a 5xx may have been processed
            return OutcomeUnknown(detail, http_status=status, code=code)


def _words(response: httpx.Response) -> tuple[str, str, str]:
    """Error type, code and message of a refusal; an answer that is no error object speaks for itself."""
    try:
        error = read_json(response.content)["error"]
        said = {name: str(error[name].value) if error[name].given else "" for name in ("type", "code", "message")}
    except UnreadableBody:
        said = {"type": "", "code": "", "message": response.content[:500].decode("utf-8", "replace")}
    return said["type"], said["code"], " ".join(filter(None, [str(response.status_code), *said.values()]))


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    try:
        return min(max(float(text), 0.0), RETRY_AFTER_SECONDS_MAX)
    except ValueError:
        return None


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return None


def _data_elements(text: str) -> list[str]:
    """The elements of the member ``data`` of a JSON object, as substrings."""
    decoder = json.JSONDecoder()
    place = _skip(text, 0, "{")
    while True:
        name, place = decoder.raw_decode(text, place)
        place = _skip(text, place, ":")
        if name == "data":
            return _elements(text, place, decoder)
        _, place = decoder.raw_decode(text, place)
        place = _skip(text, place, ",")


def _elements(text: str, place: int, decoder: json.JSONDecoder) -> list[str]:
    place, found = _skip(text, place, "["), []
    while text[place] != "]":
        _, end = decoder.raw_decode(text, place)
        found.append(text[place:end])
        place = _skip(text, end, "")
        if text[place] == ",":
            place = _skip(text, place, ",")
    return found


def _skip(text: str, place: int, mark: str) -> int:
    """Pass white space, one expected mark, and white space."""
    while text[place] in WHITESPACE:
        place += 1
    if not text.startswith(mark, place):
        raise ValueError(f"{mark!r} is expected at character {place}")
    place += len(mark)
    while text[place] in WHITESPACE:
        place += 1
    return place
