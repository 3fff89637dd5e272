"""The HTTP side of a double: routes, faults before and after the work, and the control API under /_sandbox/."""

import argparse
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.doubles.deliveries import Deliveries
from connectors.doubles.faults import REQUEST_ACTIONS, Faults
from connectors.doubles.store import Store

HOST = "127.0.0.1"  # a double never listens to the outside
BODY_BYTES_MAX = 1024 * 1024
RETRY_AFTER_SECONDS_DEFAULT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object. Raises Refused (400)."""
        try:
            value = json.loads(self.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise Refused(400, {"error": {"code": "unreadable", "message": str(error)[:200]}}) from None
        if not isinstance(value, dict):
            raise Refused(400, {"error": {"code": "unreadable", "message": "a JSON object is needed"}})
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status and a JSON body."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """Stop working on a request and answer this instead; nothing is kept."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.answer = Answer(status, body, headers or {})


class Silence(Exception):
    """Close the connection without an answer."""


Handler = Callable[..., Answer]


class Double:
    """A system that is not there. Subclasses add routes and say how their vendor words a refusal."""

    def __init__(
        self, store: Store | None = None, *, seed: int = 1, webhook_url: str = "", webhook_secret: str = ""
    ) -> None:
        self.store = store or Store()
        self.faults = Faults(self.store, seed)
        self.deliveries = Deliveries(self.store, self.faults, webhook_url, webhook_secret)
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self.route("GET", "/_sandbox/health", lambda request: Answer(200, {"ok": True}))
        self.route("GET", "/_sandbox/state", lambda request: Answer(200, self.store.everything()))
        self.route("POST", "/_sandbox/reset", self._reset)
        self.route("POST", "/_sandbox/faults", self._set_faults)

    def route(self, method: str, path: str, handler: Handler) -> None:
        """Add a route; ``{name}`` in the path becomes an argument of the handler."""
        self._routes.append((method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), handler))

    def handle(self, request: Request) -> Answer:
        """Answer one request, faults included. Raises Silence where the caller shall hear nothing."""
        handler, names = self._find(request)
        if request.path.startswith("/_sandbox/"):
            return self._work(request, handler, names)
        self.authorise(request)
        with self.store.transaction():
            facts = {"method": request.method, "path": request.path, **names}
            actions = REQUEST_ACTIONS - {"refuse"} if request.method == "GET" else REQUEST_ACTIONS
            rule = self.faults.take(actions, facts) or {"action": ""}
        match rule["action"]:
            case "429" | "503":
                raise Refused(*self.too_many(rule))
            case "refuse":
                raise Refused(*self.refusal(rule))
            case "timeout_before":
                time.sleep(rule.get("delay", 0))
                raise Silence
        answer = self._work(request, handler, names)
        match rule["action"]:
            case "timeout_after":
                time.sleep(rule.get("delay", 0))
                raise Silence
            case "500_after":
                return Answer(500, {"error": {"code": "internal", "message": "something broke"}})
        return answer

    def authorise(self, request: Request) -> None:
        """Raise Refused where the caller has no key."""

    def too_many(self, rule: Mapping[str, Any]) -> tuple[int, Any, Mapping[str, str]]:
        """How the vendor says 'later'."""
        code = "rate_limited" if rule["action"] == "429" else "unavailable"
        return int(rule["action"]), {"error": {"code": code, "message": "try again later"}}, retry_after(rule)

    def refusal(self, rule: Mapping[str, Any]) -> tuple[int, Any]:
        """How the vendor words a business refusal."""
        code, message = rule.get("code", "refused"), rule.get("message", "refused")
        return 422, {"error": {"code": code, "message": message}}

    def _work(self, request: Request, handler: Handler, names: Mapping[str, str]) -> Answer:
        with self.store.transaction():
            return handler(request, **names)

    def _find(self, request: Request) -> tuple[Handler, dict[str, str]]:
        for method, pattern, handler in self._routes:
            if method == request.method and (match := pattern.fullmatch(request.path)):
                return handler, match.groupdict()
        raise Refused(404, {"error": {"code": "not_found", "message": f"{request.method} {request.path}"}})

    def _reset(self, request: Request) -> Answer:
        self.store.clear()
        return Answer(200, {})

    def _set_faults(self, request: Request) -> Answer:
        try:
            self.faults.replace(request.json().get("rules", []))
        except ValueError as error:
            raise Refused(400, {"error": {"code": "bad_rule", "message": str(error)}}) from None
        return Answer(200, {"rules": self.store.all("fault")})


def retry_after(rule: Mapping[str, Any]) -> dict[str, str]:
    """The header that says when, as the rule wants it."""
    return {"retry-after": str(rule.get("retry_after", RETRY_AFTER_SECONDS_DEFAULT))}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for head and body
    disable_nagle_algorithm = True
    double: Double

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(min(length, BODY_BYTES_MAX)),
        )
        try:
            answer = self.double.handle(request)
        except Refused as refused:
            answer = refused.answer
        except Silence:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"content-type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """A double is quiet; what it knows is under /_sandbox/state."""


@contextmanager
def running(double: Double, port: int = 0) -> Iterator[str]:
    """Serve a double on a port (0: a free one) while the block runs; yields its base URL."""
    server = ThreadingHTTPServer((HOST, port), type("Handler", (_Handler,), {"double": double}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    double.deliveries.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        double.deliveries.stop()


def run(double_class: type[Double], arguments: list[str] | None = None) -> None:
    """Serve a double from the command line until it is interrupted."""
    parser = argparse.ArgumentParser(description=(double_class.__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", required=True, help="file that keeps the state over restarts")
    parser.add_argument("--webhook-url", default="", help="where webhooks go; empty: they are only kept")
    parser.add_argument("--webhook-secret", default="")
    parser.add_argument("--seed", type=int, default=1, help="seed of the faults that happen by chance")
    given = parser.parse_args(arguments)
    double = double_class(
        Store(given.state), seed=given.seed, webhook_url=given.webhook_url, webhook_secret=given.webhook_secret
    )
    with running(double, given.port) as url:
        print(f"{double_class.__name__} at {url}", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    sys.exit(0)
