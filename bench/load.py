"""A load generator: requests made beforehand, sent over keep-alive connections, each after the answer to the last."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What came back: requests per second, and how long the slowest hundredth took at least, in milliseconds."""

    per_second: float
    p99_ms: float


class _Sender(asyncio.Protocol):
    """One connection: sends the next request as soon as the answer to the last is complete."""

    def __init__(self, waiting: "deque[bytes]", times: list[float], refused: list[bytes], done: asyncio.Event) -> None:
        self.waiting, self.times, self.refused, self.done = waiting, times, refused, done
        self.answer, self.sent_at = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, ended, body = self.answer.partition(b"\r\n\r\n")
        if not ended or len(body) < _length(head):
            return
        self.times.append(time.perf_counter() - self.sent_at)
        if not head.startswith(b"HTTP/1.1 200"):
            self.refused.append(self.answer)
        self.answer = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set()

    def _next(self) -> None:
        if not self.waiting:
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(self.waiting.popleft())


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Return one POST as it goes over the wire."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def send(port: int, requests: Sequence[bytes], connections: int) -> Load:
    """Send every request once. Raises RuntimeError if any was not answered with 200."""
    return asyncio.run(_send(port, requests, connections))


async def _send(port: int, requests: Sequence[bytes], connections: int) -> Load:
    waiting, times, refused = deque(requests), list[float](), list[bytes]()
    ends = [asyncio.Event() for _ in range(connections)]
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    for done in ends:
        await loop.create_connection(
            lambda done=done: _Sender(waiting, times, refused, done),
            "127.0.0.1",
            port,  # type: ignore[misc]
        )
    for done in ends:
        await done.wait()
    elapsed = time.perf_counter() - started
    if refused or len(times) != len(requests):
        raise RuntimeError(f"{len(times)} of {len(requests)} answered, {len(refused)} not with 200: {refused[:1]}")
    return Load(len(requests) / elapsed, 1000 * sorted(times)[int(len(times) * 0.99)])
