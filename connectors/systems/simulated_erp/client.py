"""HTTP to the simulated ERP: every status becomes an answer or one of the six errors."""

import json
from typing import Any

from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, Rejected, TryLater
from connectors.transport import Transport

REASON_OF = {"period_closed": "ERP_PERIOD_CLOSED"}
NOT_PROCESSED = (429, 503)  # documented: refused before anything was done


class Client:
    """The API in its own words."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def create(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create a document; where its reference exists (409) return the one that exists."""
        headers = {"content-type": "application/json", "idempotency-key": key}
        return self._call("POST", "/documents", headers=headers, content=json.dumps(body).encode())

    def complete(self, document_id: str) -> dict[str, Any]:
        """Finish a half-made document."""
        return self._call("POST", f"/documents/{document_id}/complete")

    def search(self, reference: str) -> list[dict[str, Any]]:
        """Return the documents that carry a reference."""
        return list(self._call("GET", "/documents", params={"reference": reference}).get("documents", []))

    def documents(self) -> list[dict[str, Any]]:
        """Return every document."""
        return list(self._call("GET", "/documents").get("documents", []))

    def health(self) -> dict[str, Any]:
        """Ask whether it answers."""
        return self._call("GET", "/health")

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self.transport.request(method, path, **options)
        status = response.status_code
        try:
            body = response.json()
        except ValueError:
            body = None
        if status in (200, 201, 409):
            if not isinstance(body, dict):
                raise OutcomeUnknown(f"{status} with an unreadable body", http_status=status)
            return body
        if status in NOT_PROCESSED:
            wait = _seconds(response.headers.get("retry-after", ""))
            raise TryLater(f"answered {status}", retry_after_seconds=wait, http_status=status)
        if status in (401, 403):
            raise AuthFailed(f"answered {status}", http_status=status)
        if status in (404, 422) and isinstance(body, dict):
            error = body.get("error", {})
            if status == 404:
                raise NotFound(str(error.get("message")), http_status=status)
            code = REASON_OF.get(error.get("code"), "ERP_POST_REJECTED")
            raise Rejected(f"{error.get('code')}: {error.get('message')}", http_status=status, code=code)
        raise OutcomeUnknown(f"answered {status}", http_status=status)


def _seconds(text: str) -> float | None:
    """Read a pause in seconds; a date, which HTTP allows as well, says nothing here."""
    return float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None
