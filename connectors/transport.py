"""HTTP to outside systems: one attempt per call, every exchange kept, failures told apart by bytes written.

Rules: reliability.md 3.2 R5 (one attempt, no library retries), 3.6 traps (a connect error is 'not sent' only where no
byte was written), 6.2 (no redirects, no proxies from the environment, bounded answers).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.errors import OutcomeUnknown, TryLater

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 30.0
TOTAL_TIMEOUT_SECONDS = 45.0  # of one exchange, however slowly its answer trickles in
RESPONSE_BYTES_MAX = 10 * 1024 * 1024

# Raised by httpx before any byte of the request has left: surely not processed.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, as evidence: bytes as sent and received. Secrets live in headers, not here."""

    method: str
    url: str
    request_body: bytes
    status: int | None
    response_body: bytes
    elapsed_ms: int
    error: str = ""


@dataclass(slots=True)
class Transport:
    """A client bound to one base URL. ``exchanges`` collects evidence; a caller may clear it between calls.

    ``inner`` replaces the network in tests (an ``httpx.BaseTransport``).
    """

    base_url: str
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS
    inner: httpx.BaseTransport | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    _client: httpx.Client | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Send once and return whatever status came back. Raises TryLater (nothing sent) or OutcomeUnknown."""
        started = time.monotonic()
        request = self._http().build_request(method, path, headers=headers, content=content or None, params=params)
        try:
            response = self._http().send(request, stream=True)
            try:
                body = self._read_bounded(response, started)
            finally:
                response.close()
        except NOT_SENT as error:
            self._keep(request, content, started, error=repr(error))
            raise TryLater(f"could not reach {self.base_url}: {error}") from error
        except httpx.HTTPError as error:
            self._keep(request, content, started, error=repr(error))
            raise OutcomeUnknown(f"no complete answer from {self.base_url}: {error!r}") from error
        self._keep(request, content, started, status=response.status_code, body=body)
        return httpx.Response(response.status_code, headers=_plain_headers(response), content=body, request=request)

    def close(self) -> None:
        """Close the connection pool."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _http(self) -> httpx.Client:
        if self._client is None:
            timeout = httpx.Timeout(self.read_timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
            self._client = httpx.Client(
                base_url=self.base_url,
                timeout=timeout,
                transport=self.inner or httpx.HTTPTransport(retries=0),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    @staticmethod
    def _read_bounded(response: httpx.Response, started: float) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            if time.monotonic() - started > TOTAL_TIMEOUT_SECONDS:
                raise httpx.ReadTimeout(f"no complete answer within {TOTAL_TIMEOUT_SECONDS:.0f} s")
            size += len(chunk)
            if size > RESPONSE_BYTES_MAX:
                raise httpx.ReadError(f"answer larger than {RESPONSE_BYTES_MAX} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    def _keep(
        self,
        request: httpx.Request,
        content: bytes,
        started: float,
        *,
        status: int | None = None,
        body: bytes = b"",
        error: str = "",
    ) -> None:
        self.exchanges.append(
            Exchange(
                method=request.method,
                url=str(request.url),
                request_body=content,
                status=status,
                response_body=body,
                elapsed_ms=round((time.monotonic() - started) * 1000),
                error=error,
            )
        )


def _plain_headers(response: httpx.Response) -> httpx.Headers:
    """The body handed on is already decoded, so the headers must not announce an encoding."""
    headers = response.headers.copy()
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    return headers
