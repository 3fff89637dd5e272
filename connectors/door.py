"""The webhook door: a small WSGI application in front of Django.

A webhook needs no session, no CSRF token, no template and no middleware. Going round them, and committing letters of
concurrent requests together, pays for most of the signature check and the deduplication; what was measured stands in
docs/decisions/0004-webhook-door.md. Every other request goes on to Django.

Answers: 200 stored (also a second time), 401 not authentic, 405, 411, 413, 415, 503 try again.
"""

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from django.db import close_old_connections

from connectors.services.receive import BODY_BYTES_MAX, Committer, Refusal, judge

logger = logging.getLogger(__name__)

PREFIX = "/webhooks/"
RETRY_AFTER_SECONDS = "5"

REASONS = {
    200: "OK",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    503: "Service Unavailable",
}

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class WebhookDoor:
    """Wrap Django's WSGI application; ``POST /webhooks/<connection>/`` is answered here."""

    def __init__(self, inside: WSGIApplication, committer: Committer | None = None) -> None:
        self.inside = inside
        self.committer = committer or Committer()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a webhook or pass the request on."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self.inside(environ, start_response)
        status, body = self._receive(environ, path[len(PREFIX) :].strip("/"))
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if status == 503:
            headers.append(("Retry-After", RETRY_AFTER_SECONDS))
        start_response(f"{status} {REASONS[status]}", headers)
        return [body]

    def _receive(self, environ: dict[str, Any], name: str) -> tuple[int, bytes]:
        refusal = _refused_early(environ)
        if refusal is not None:
            return _answer(refusal)
        length = int(environ["CONTENT_LENGTH"])
        body = environ["wsgi.input"].read(length)
        if len(body) != length:
            return _answer(Refusal(411, "the body is shorter than its Content-Length"))
        try:
            letter = judge(name, _headers(environ), body)
            if isinstance(letter, Refusal):
                logger.info("webhook refused at %s: %s", name, letter.detail)
                return _answer(letter)
            kept = self.committer.store(letter)
        except Exception:
            logger.exception("webhook at %s could not be stored", name)
            return _answer(Refusal(503, "not stored; send it again"))
        finally:
            close_old_connections()
        return 200, b'{"stored":true}' if kept.fresh else b'{"stored":true,"seen_before":true}'


def _refused_early(environ: dict[str, Any]) -> Refusal | None:
    """Refuse what cannot be a letter before reading it."""
    if environ.get("REQUEST_METHOD") != "POST":
        return Refusal(405, "webhooks are delivered by POST")
    if environ.get("HTTP_CONTENT_ENCODING", "identity") not in ("", "identity"):
        return Refusal(415, "send the body uncompressed")
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdigit():
        return Refusal(411, "send a Content-Length")
    if int(length) > BODY_BYTES_MAX:
        return Refusal(413, f"at most {BODY_BYTES_MAX} bytes")
    return None


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    return headers


def _answer(refusal: Refusal) -> tuple[int, bytes]:
    return refusal.status, json.dumps({"detail": refusal.detail}).encode()
