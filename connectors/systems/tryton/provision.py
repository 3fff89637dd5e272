"""Bringing up a Tryton ERP of our own: its virtual environment, a template database built once, clones, a server.

``python -m connectors.systems.tryton.provision build | clone | serve --help``; the same as functions below. It needs a
running PostgreSQL (URI or socket directory) and writes only into the folders it is given. Every step can be killed and
started again: the environment and the template count as made only once they carry their mark.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

TEMPLATE_DATABASE = "erp_template"
API_LOGIN = "finsync"  # the user company_setup.py makes
_BUILDING_DATABASE = "erp_template_building"

_BUILD_LOCK = 7_468_311  # any number: who holds it is the only one building on this server

START_SECONDS_MAX = 60.0
_START_POLL_SECONDS = 0.1
_START_ATTEMPT_SECONDS = 0.5
SESSION_SECONDS = 30 * 86_400  # a session that runs out costs a sign-in in the middle of a post
TRANSACTION_RESTARTS_MAX = 40  # on lock conflicts over the gapless sequences, instead of answering 503

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "requirements-tryton.txt"
_SETUP = _HERE / "company_setup.py"
_PASSWORD_FILES = ("api-password", "admin-password")

Progress = Callable[[str], None]


class ProvisionFailed(Exception):
    """A step of the provisioning failed; the message ends with what the step printed."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL server: ``uri`` is a URI, or the directory of its Unix socket."""

    uri: str

    @property
    def for_tryton(self) -> str:
        """The server as Tryton wants it: a URI without a database."""
        if not self.uri.startswith("/"):
            parts = urlsplit(self.uri)
            return urlunsplit((parts.scheme, parts.netloc or "postgres:@", "/", parts.query, ""))
        return f"postgresql://postgres:@/?host={quote(self.uri)}"

    def connect(self) -> psycopg.Connection:
        """Open a connection to the maintenance database, outside transactions. Raises ProvisionFailed."""
        parts = urlsplit(self.for_tryton)
        try:
            return psycopg.connect(urlunsplit((*parts[:2], "/postgres", *parts[3:])), autocommit=True)
        except psycopg.OperationalError as error:
            raise ProvisionFailed(f"PostgreSQL does not answer: {error}") from error


# ---- steps -----------------------------------------------------------------------------------------------------


def build_template(venv_dir: Path, pg_uri: str, work_dir: Path, progress: Progress = print) -> Path:
    """Build the ERP's environment and the template database, both only where they are missing or out of date.

    Returns the file with the API user's password (user ``finsync``). Raises ProvisionFailed.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    server = PostgresServer(pg_uri)
    build_environment(venv_dir, progress)
    api_password, admin_password = (_password_file(work_dir, name) for name in _PASSWORD_FILES)
    recipe = _fingerprint(_REQUIREMENTS, _SETUP, api_password)
    with server.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_BUILD_LOCK])  # let go with the connection
        if _mark_of(connection, TEMPLATE_DATABASE) == recipe:
            progress("ERP template database is ready")
            return api_password
        _drop(connection, _BUILDING_DATABASE)
        _drop(connection, TEMPLATE_DATABASE)
        connection.execute(f"CREATE DATABASE {_BUILDING_DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        progress("ERP template database: activating the modules (about a minute)")
        environment = {
            "TRYTOND_DATABASE_URI": server.for_tryton,
            "TRYTONPASSFILE": str(admin_password),
            "FINSYNC_ERP_PASSWORD": api_password.read_text().strip(),
        }
        _run([_python(venv_dir), str(_SETUP), _BUILDING_DATABASE], environment, progress)
        # The rename is the last step and cannot be half done: a database of this name is a finished one.
        mark = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(_BUILDING_DATABASE), recipe)
        connection.execute(mark)
        connection.execute(f"ALTER DATABASE {_BUILDING_DATABASE} RENAME TO {TEMPLATE_DATABASE}")
    progress("ERP template database is ready")
    return api_password


def build_environment(venv_dir: Path, progress: Progress = print) -> None:
    """Create the ERP's virtual environment with the pinned packages; one without our mark is made anew."""
    venv_dir.parent.mkdir(parents=True, exist_ok=True)
    with venv_dir.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a test run and the demo may share one environment
        mark = venv_dir / "finsync-requirements"
        if not mark.exists() or mark.read_text() != _fingerprint(_REQUIREMENTS):
            progress("ERP packages: installing Tryton into its own virtual environment")
            _install(venv_dir, progress, lock.fileno())
            mark.write_text(_fingerprint(_REQUIREMENTS))


def _install(venv_dir: Path, progress: Progress, lock: int) -> None:
    """Fill a new environment. The steps inherit the lock: one that outlives us when we are killed still holds it."""
    shutil.rmtree(venv_dir, ignore_errors=True)
    if importlib.util.find_spec("pip"):  # our own pip installs into the new environment: saves installing another
        _run([sys.executable, "-m", "venv", "--without-pip", str(venv_dir)], {}, progress, lock)
        pip = [sys.executable, "-m", "pip", "--python", _python(venv_dir)]
    else:
        _run([sys.executable, "-m", "venv", str(venv_dir)], {}, progress, lock)
        pip = [_python(venv_dir), "-m", "pip"]
    packages = ["install", "--quiet", "--disable-pip-version-check", "-r", str(_REQUIREMENTS)]
    _run([*pip, *packages], {}, progress, lock)


def clone(pg_uri: str, database: str, *, replace: bool = False) -> bool:
    """Create a database as a copy of the template; True where it was made now, False where it existed and was kept."""
    with PostgresServer(pg_uri).connect() as connection:
        if replace:
            _drop(connection, database)
        elif _exists(connection, database):
            return False
        if not _exists(connection, TEMPLATE_DATABASE):
            raise ProvisionFailed(f"there is no {TEMPLATE_DATABASE}: build it first")
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(database), sql.Identifier(TEMPLATE_DATABASE)))
    return True


def drop(pg_uri: str, database: str) -> None:
    """Remove a database, ending the connections it still has."""
    with PostgresServer(pg_uri).connect() as connection:
        _drop(connection, database)


def start_server(
    venv_dir: Path, pg_uri: str, work_dir: Path, database: str, port: int, *, wait_seconds: float = START_SECONDS_MAX
) -> subprocess.Popen[bytes]:
    """Start a server for a database on 127.0.0.1 and return it once it answers. The caller ends it (``terminate``).

    One that was left over by a killed caller is ended first. The log is ``tryton-<database>.log`` in ``work_dir``.
    Raises ProvisionFailed where the server ends or does not answer.
    """
    pid_file = work_dir / f"tryton-{database}.pid"
    _end_left_over(pid_file, database)
    if _answers(port):
        raise ProvisionFailed(f"port {port} is taken")
    log_path = work_dir / f"tryton-{database}.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            server_command(venv_dir, pg_uri, work_dir, database, port), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    pid_file.write_text(str(process.pid))
    deadline = time.monotonic() + wait_seconds
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise ProvisionFailed(f"the ERP server does not answer on port {port}, see {log_path}")
        time.sleep(_START_POLL_SECONDS)
    return process


def server_command(venv_dir: Path, pg_uri: str, work_dir: Path, database: str, port: int) -> list[str]:
    """Write the server's configuration and return the command that runs it, for a supervisor."""
    work_dir.mkdir(parents=True, exist_ok=True)
    config = work_dir / f"tryton-{database}.conf"
    config.write_text(
        f"[database]\nuri = {PostgresServer(pg_uri).for_tryton}\nretry = {TRANSACTION_RESTARTS_MAX}\nlist = False\n"
        f"[web]\nlisten = 127.0.0.1:{port}\n"
        f"[session]\ntimeout = {SESSION_SECONDS}\n"
    )
    return [_python(venv_dir), str(venv_dir / "bin" / "trytond"), "-c", str(config), "-d", database]


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---- small parts -----------------------------------------------------------------------------------------------


def _python(venv_dir: Path) -> str:
    return str(venv_dir / "bin" / "python")


def _run(command: list[str], environment: dict[str, str], progress: Progress, *held: int) -> None:
    """Run a step, passing each line it prints to ``progress``."""
    settings = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=held
    )
    printed = []
    try:
        for line in process.stdout or ():
            printed.append(line)
            if not line.startswith(("WARNING", " ", "Traceback")):
                progress(f"ERP: {line.strip()}")
        if process.wait() != 0:
            raise ProvisionFailed(f"{' '.join(command[:4])} … failed:\n{''.join(printed[-20:])}")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _end_left_over(pid_file: Path, database: str) -> None:
    """End the server a killed caller left behind; another program that has its process id by now is left alone."""
    pid = pid_file.read_text().strip() if pid_file.exists() else ""
    if not pid.isdigit():
        return
    shown = subprocess.run(["ps", "-o", "args=", "-p", pid], capture_output=True, text=True, check=False).stdout
    if f"tryton-{database}.conf" in shown:
        os.kill(int(pid), signal.SIGTERM)
        time.sleep(_START_ATTEMPT_SECONDS)
    pid_file.unlink()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_START_ATTEMPT_SECONDS):
            return True
    except OSError:
        return False


def _password_file(work_dir: Path, name: str) -> Path:
    path = work_dir / name
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(secrets.token_urlsafe(24) + "\n")
        partial.rename(path)
    return path


def _fingerprint(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _exists(connection: psycopg.Connection, database: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is not None


def _mark_of(connection: psycopg.Connection, database: str) -> str | None:
    question = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    row = connection.execute(question, [database]).fetchone()
    return row[0] if row else None


def _drop(connection: psycopg.Connection, database: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def main() -> None:
    """Run one command; ``serve`` becomes the server, so that a supervisor's signals reach it."""
    parser = argparse.ArgumentParser(description="Bring up a Tryton ERP on a running PostgreSQL.")
    parser.add_argument("command", choices=("build", "clone", "serve"))
    parser.add_argument("--venv", type=Path, default=Path("var/tryton/venv"), help="the ERP's virtual environment")
    parser.add_argument("--work", type=Path, default=Path("var/tryton"), help="configuration, passwords and logs")
    parser.add_argument("--postgres", required=True, help="URI or socket directory")
    parser.add_argument("--database", default="erp")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    try:
        if arguments.command == "build":
            build_template(arguments.venv, arguments.postgres, arguments.work)
        elif arguments.command == "clone":
            made = clone(arguments.postgres, arguments.database)
            print(f"{arguments.database} {'made' if made else 'kept'}")
        else:
            port = arguments.port or free_port()
            command = server_command(arguments.venv, arguments.postgres, arguments.work, arguments.database, port)
            print(f"http://127.0.0.1:{port}", flush=True)
            os.execv(command[0], command)  # noqa: S606 -- our own interpreter, no shell
    except ProvisionFailed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
