"""Durable webhook intake over HTTP, beside a bare Django view with one INSERT behind the same server."""

import itertools
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import connection

from bench.bare import TABLE
from bench.figures import Figure, Scale, paired
from bench.ground import WEBHOOK_SECRET
from bench.letters import invoice_letters, signature
from bench.load import Load, request, send
from connectors.models import InboxMessage
from finsync.local.programs import WEB_THREADS, WEB_WORKERS

CONNECTIONS = 48
START_SECONDS_MAX = 30
DOOR = "/webhooks/stripe/"

_numbers = itertools.count(1)


def measure(scale: Scale, say: Callable[[str], None]) -> list[Figure]:
    """Return the figure of the webhook door."""
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
    slowest: dict[str, list[float]] = {"door": [], "bare": []}
    with _server("finsync.wsgi:application") as door, _server("bench.bare:application") as bare:
        say(f"intake: {scale.letters} signed letters a round, {CONNECTIONS} connections, {WEB_WORKERS} workers")
        _door(door, 500)
        _bare(bare, 500)

        def ours() -> float:
            return _note(slowest["door"], _door(door, scale.letters))

        def theirs() -> float:
            return _note(slowest["bare"], _bare(bare, scale.letters))

        figure = paired(
            scale.rounds, ours, theirs, unit="letters/s", reach=1.0,
            job="durable webhook intake: signature, dedupe, raw bytes, commit",
            against="a bare Django view with one INSERT, same server, same load",
        )  # fmt: skip
    p99 = {name: statistics.median(times) for name, times in slowest.items()}
    note = f"p99 {p99['door']:.0f} ms, bare {p99['bare']:.0f} ms; to reach with a door in ASGI: 3×"
    return [replace(figure, note=note)]


def _note(times: list[float], load: Load) -> float:
    times.append(load.p99_ms)
    return load.per_second


def _door(port: int, count: int) -> Load:
    before = InboxMessage.objects.count()
    letters = invoice_letters(count, next(_numbers) * 1_000_000)
    load = send(
        port,
        [request(DOOR, body, {"Stripe-Signature": signature(WEBHOOK_SECRET, body)}) for _, body in letters],
        CONNECTIONS,
    )
    kept = InboxMessage.objects.count() - before
    assert kept == count, f"{kept} of {count} letters were kept"
    return load


def _bare(port: int, count: int) -> Load:
    return send(port, [request(DOOR, body, {}) for _, body in invoice_letters(count)], CONNECTIONS)


@contextmanager
def _server(application: str) -> Iterator[int]:
    """Serve an application as `make run` serves the web; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS), "--log-level", "error", application,
    )  # fmt: skip
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}  # no static files were collected, none are served
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        _await(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start within {START_SECONDS_MAX} s")
