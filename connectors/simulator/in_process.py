"""SimERP without a network: a transport for the connector, for tests that take thousands of steps."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from connectors.errors import OutcomeUnknown, TryLater
from connectors.simulator.erp import Reply, SimERP
from connectors.transport import Exchange


class InProcessTransport:
    """Hands requests straight to a SimERP; ``clock`` returns its time in seconds. Has the shape of ``Transport``."""

    def __init__(self, erp: SimERP, clock: Callable[[], float]) -> None:
        self.erp, self.clock = erp, clock
        self.base_url = "http://simulated"
        self.exchanges: list[Exchange] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Answer at once. Raises TryLater where nothing was sent, OutcomeUnknown where nobody answers."""
        reply = answer(self.erp, self.clock(), method, path, dict(headers or {}), content, dict(params or {}))
        if reply.unreachable:
            raise TryLater("could not reach the simulated ERP")
        if reply.status is None:
            raise OutcomeUnknown("no answer from the simulated ERP")
        extra = {"retry-after": str(reply.retry_after_seconds)} if reply.retry_after_seconds else {}
        return httpx.Response(reply.status, content=json.dumps(reply.body).encode(), headers=extra)

    def close(self) -> None:
        """Nothing is open."""


def answer(  # noqa: PLR0917
    erp: SimERP,
    now: float,
    method: str,
    path: str,
    headers: Mapping[str, str],
    content: bytes,
    query: Mapping[str, Any],
) -> Reply:
    """Return the reply to one request of the API."""
    parts = path.strip("/").split("/")
    match method, parts:
        case "GET", ["health"]:
            return Reply(401) if erp.locked_out else Reply(200, {"documents": len(erp.documents)})
        case "GET", ["documents"] if "reference" in query:
            return erp.receive_search(now, str(query["reference"]))
        case "GET", ["documents"]:
            return Reply(200, {"documents": [document.answer() for document in erp.documents]})
        case "POST", ["documents"]:
            return erp.receive_post(now, headers.get("idempotency-key", ""), json.loads(content))
        case "POST", ["documents", document_id, "complete"]:
            return erp.receive_completion(now, document_id)
    return Reply(404, {"error": {"code": "no_route", "message": f"{method} {path}"}})
