"""SimERP as a server of its own: ``python -m connectors.simulator.server --port 0 --seed 1``.

Prints its address on the first line. ``GET /_sandbox/state`` shows every document, ``POST /_sandbox/weather`` with
``{"rough": true}`` or ``{"rough": false}`` starts and ends the faults, ``{"answer_seconds": 0.02}`` sets its pace.
"""

import argparse
import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.simulator.erp import Reply, SimERP
from connectors.simulator.faults import CALM, ROUGH
from connectors.simulator.in_process import answer

BODY_BYTES_MAX = 1024 * 1024
# One server shows every class: which document type is treated how. The connector declares the same table.
CLASS_OF = {
    "customer": "B", "invoice": "B", "payment": "A", "journal": "C", "payment_application": "C", "subscription": "D",
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """Serves one SimERP; requests are processed one at a time, as by one database."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, erp: SimERP, port: int = 0, *, answer_seconds: float = 0.0, delay_seconds_max: float = 2.0
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.erp, self.answer_seconds, self.delay_seconds_max = erp, answer_seconds, delay_seconds_max
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def control(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Change the weather."""
        if "rough" in wish:
            rough = replace(ROUGH, delay_seconds_max=self.delay_seconds_max, retry_after_seconds=0.2)
            self.erp.weather.menu = rough if wish["rough"] else CALM
        self.answer_seconds = float(wish.get("answer_seconds", self.answer_seconds))
        self.erp.closed_before = str(wish.get("closed_before", self.erp.closed_before))
        self.erp.locked_out = bool(wish.get("locked_out", self.erp.locked_out))
        return {"rough": self.erp.weather.menu is not CALM}

    def state(self) -> dict[str, Any]:
        """Return every document, and how many are still on the way."""
        self.erp.land(time.time())
        return {"documents": [item.answer() for item in self.erp.documents], "on_the_way": self.erp.on_the_way}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = min(int(self.headers.get("content-length") or 0), BODY_BYTES_MAX)
        body = self.rfile.read(length)
        with self.server.lock:
            if parts.path == "/_sandbox/weather":
                reply = Reply(200, self.server.control(json.loads(body)))
            elif parts.path == "/_sandbox/state":
                reply = Reply(200, self.server.state())
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = dict(parse_qsl(parts.query))
                reply = answer(self.server.erp, time.time(), self.command, parts.path, headers, body, query)
        if self.server.answer_seconds and not parts.path.startswith("/_sandbox"):
            time.sleep(self.server.answer_seconds)
        self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        if reply.unreachable:  # a listening socket cannot refuse; a documented 503 says the same: not processed
            reply = Reply(503, retry_after_seconds=0.2)
        if reply.status is None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if reply.retry_after_seconds is not None:
            self.send_header("retry-after", str(reply.retry_after_seconds))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet; what it knows is under /_sandbox/state."""


def main() -> None:
    """Serve from the command line until interrupted."""
    parser = argparse.ArgumentParser(description="A simulated ERP")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rough", action="store_true", help="start with faults")
    parser.add_argument("--lag", type=float, default=0.5, help="seconds until a class C search shows a document")
    parser.add_argument("--delay", type=float, default=2.0, help="seconds a late request is late at most")
    given = parser.parse_args()
    erp = SimERP(seed=given.seed, lag_seconds=given.lag, class_of=CLASS_OF)
    server = Server(erp, given.port, delay_seconds_max=given.delay)
    server.control({"rough": given.rough})
    print(server.url, flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
