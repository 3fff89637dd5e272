"""Where a local installation keeps its state: one directory (FINSYNC_HOME), its sockets, ports and keys.

Standard library only: settings and child processes of any virtual environment may import it.
"""

import json
import os
import secrets
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).resolve().parents[2]
# sun_path holds 108 bytes on Linux and 104 on macOS, one of them the closing NUL.
SOCKET_PATH_BYTES_MAX = 103
POSTGRES_SOCKET = ".s.PGSQL.5432"
REDIS_SOCKET = "redis.sock"
DATABASE = "finsync"
# Which double or counterparty listens where is decided once per HOME and then kept, because connections remember it.
COUNTERPARTIES = ("salesforce", "stripe", "revenue_engine", "tryton")
WEBHOOK_SENDERS = ("salesforce", "stripe", "revenue_engine")


class LocalError(Exception):
    """Something a person must put right before the local installation can start; the message says what."""


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one local installation. Only ``make`` creates anything in it."""

    path: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """Return FINSYNC_HOME, or ``var`` in the project."""
        return cls(Path(os.environ.get("FINSYNC_HOME") or PROJECT / "var").expanduser().resolve())

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "pg"

    @property
    def redis(self) -> Path:
        """Redis' configuration, append-only file and socket."""
        return self.path / "redis"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.path / "logs"

    @property
    def progress(self) -> Path:
        """One small JSON file per slow provisioning."""
        return self.path / "progress"

    @property
    def doubles(self) -> Path:
        """The state files of the sandbox doubles."""
        return self.path / "doubles"

    @property
    def erp(self) -> Path:
        """The ERP's virtual environment, configuration and logs."""
        return self.path / "tryton"

    @property
    def keys(self) -> Path:
        """Keys and webhook secrets made at the first start."""
        return self.path / "keys"

    @property
    def lock(self) -> Path:
        """Held while a supervisor runs in this HOME; contains its process id."""
        return self.path / "supervisor.lock"

    @property
    def counterparties(self) -> Path:
        """JSON: where each counterparty of this HOME listens, see ``counterparties``."""
        return self.path / "counterparties.json"

    @property
    def demo(self) -> Path:
        """JSON: what ``seed_demo`` answered, among it the demo accounts."""
        return self.path / "demo.json"


# ---- sockets ---------------------------------------------------------------------------------------------------


def _remembered(preferred: Path) -> Path:
    return preferred.with_name(preferred.name + ".socket_directory")


def socket_directory(preferred: Path, socket_name: str) -> Path:
    """Return a directory in which a socket of this name can be bound: ``preferred``, or a short one made for it.

    A path over SOCKET_PATH_BYTES_MAX cannot be bound. The short directory that replaces it (private, in the system's
    temporary directory) is remembered beside ``preferred`` so that every later process finds it.
    """
    if len(os.fsencode(preferred / socket_name)) <= SOCKET_PATH_BYTES_MAX:
        return preferred
    known = known_socket_directory(preferred)
    if known != preferred and known.is_dir():
        return known
    base = "/tmp" if len(tempfile.gettempdir()) > 40 else tempfile.gettempdir()  # noqa: S108
    made = Path(tempfile.mkdtemp(prefix="finsync-", dir=base))
    _remembered(preferred).write_text(str(made))
    return made


def known_socket_directory(preferred: Path) -> Path:
    """Return where ``socket_directory`` decided the socket is, without making anything."""
    try:
        return Path(_remembered(preferred).read_text().strip())
    except FileNotFoundError:
        return preferred


def database_url(home: Home, name: str = DATABASE) -> str:
    """Return the URL of a database of the embedded PostgreSQL."""
    return f"postgresql://postgres@/{name}?host={quote(str(known_socket_directory(home.postgres)))}"


def redis_url(home: Home) -> str:
    """Return Celery's URL of the embedded Redis."""
    return f"redis+socket://{known_socket_directory(home.redis) / REDIS_SOCKET}"


# ---- ports and secrets -----------------------------------------------------------------------------------------


def port_is_free(port: int) -> bool:
    """Whether 127.0.0.1:port can be listened on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def local_secret(home: Home, name: str) -> str:
    """Return a random secret kept in HOME/keys, made at the first call. Only its owner may read it."""
    path = home.keys / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def counterparties(home: Home) -> dict[str, dict[str, str]]:
    """Return name → base_url and, for webhook senders, webhook_url and webhook_secret; empty before the first start."""
    try:
        known: dict[str, dict[str, str]] = json.loads(home.counterparties.read_text())
    except FileNotFoundError:
        return {}
    return known


def settle_counterparties(home: Home, web_port: int) -> dict[str, dict[str, str]]:
    """Decide where every counterparty listens and write it down. A port decided before is kept while it is free."""
    before = counterparties(home)
    settled: dict[str, dict[str, str]] = {}
    for name in COUNTERPARTIES:
        port = port_of(before[name]) if name in before else 0
        if not port or not port_is_free(port):
            port = free_port()
        settled[name] = {"base_url": f"http://127.0.0.1:{port}"}
        if name in WEBHOOK_SENDERS:
            settled[name]["webhook_url"] = f"http://127.0.0.1:{web_port}/webhooks/{name}/"
            settled[name]["webhook_secret"] = local_secret(home, f"webhook_{name}")
    part = home.counterparties.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(settled, indent=1))
    part.replace(home.counterparties)
    return settled


def port_of(counterparty: dict[str, str]) -> int:
    """Return the TCP port of a counterparty's base URL."""
    return int(counterparty["base_url"].rsplit(":", 1)[1])
