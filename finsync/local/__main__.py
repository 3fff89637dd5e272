"""``python -m finsync.local run|reset|status``: what `make run`, `make reset` and `make status` call."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from finsync.local import lock, progress, steps
from finsync.local.kept import answers
from finsync.local.places import DATABASE, PROJECT, Home, LocalError, port_is_free, settle_counterparties
from finsync.local.postgres import Postgres
from finsync.local.programs import environment, programs, web_address
from finsync.local.redis_server import Redis
from finsync.local.supervisor import Lines, Supervisor, running

PORT_DEFAULT = 8000
ANNOUNCE_POLL_SECONDS = 0.2
PROGRESS_POLL_SECONDS = 1.0
# What `reset` removes. The ERP's virtual environment holds no data and takes long to install: it stays.
STATE = ("pg", "redis", "doubles", "progress", "beat", "logs", "keys", "counterparties.json", "demo.json")
ERP_STATE_KEPT = "venv"


def main() -> int:
    """Do what the first argument names; return the exit code."""
    commands = {"run": run, "reset": reset, "status": status}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        steps.complain(__doc__ or "")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return commands[sys.argv[1]]()
    except LocalError as error:
        steps.complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def run() -> int:
    """Bring everything up, say where it is, and keep it running until Ctrl-C."""
    home, port = Home.from_environment(), _web_port()
    with lock.exclusive(home):
        if not port_is_free(port):
            raise LocalError(f"Port {port} of 127.0.0.1 is in use. Choose another one:  PORT={port + 1} make run")
        steps.say(f"finsync in {home.path}")
        postgres, redis = _services(home)
        with running((postgres, redis)):
            postgres.create_database(DATABASE)
            counterparties = settle_counterparties(home, port)
            env = environment(home, port)
            _prepare(env)
            lines = Lines(home.logs, verbose=bool(os.environ.get("VERBOSE")))
            supervisor = Supervisor(lines, (postgres, redis), Announcer(home, port))
            for program in programs(home, port, counterparties):
                supervisor.add(program, cwd=PROJECT, env=env)
            supervisor.loop()
        steps.say("  stopped.")
    return 0


def reset() -> int:
    """Remove the data of this HOME: databases, Redis, doubles, logs, keys. Refuses while it runs."""
    home = Home.from_environment()
    if not home.path.is_dir():
        steps.say(f"Nothing to reset in {home.path}")
        return 0
    with lock.exclusive(home):
        for service in reversed(_services(home)):
            service.stop()  # left over from a supervisor that was killed
        erp = [path for path in home.erp.glob("*") if path.name != ERP_STATE_KEPT]
        for path in [*(home.path / name for name in STATE), *home.path.glob("*.socket_directory"), *erp]:
            _remove(path)
    steps.say(f"{home.path} is as before the first start.")
    return 0


def status() -> int:
    """Say whether the supervisor and the services run here; where they do, print `manage.py status` as well."""
    home = Home.from_environment()
    supervisor = lock.holder(home)
    rows = {"supervisor": f"process {supervisor}" if supervisor else "stopped"}
    services = _services(home)
    rows |= {service.name: "running" if service.is_running() else "stopped" for service in services}
    rows |= {one.name: f"{one.state}: {one.step}" for one in progress.read_all(home)}
    steps.say(f"{home.path}")
    for name, text in rows.items():
        steps.say(f"  {name:<14}{text}")
    if not services[0].is_running():
        return 1
    env = environment(home, _web_port())
    return subprocess.run([sys.executable, "manage.py", "status"], cwd=PROJECT, env=env, check=False).returncode


class Announcer:
    """Prints, beside the running programs, that the web answers, who may sign in, and how far the ERP is."""

    def __init__(self, home: Home, port: int) -> None:
        self._home = home
        self._address = web_address(port)

    def __call__(self, ending: threading.Event) -> None:
        """Run until everything was said or the supervisor ends."""
        started = time.monotonic()
        while not answers(self._address):
            if ending.wait(ANNOUNCE_POLL_SECONDS):
                return
        steps.done("web", time.monotonic() - started)
        self._say_where()
        said: dict[str, tuple[str, str]] = {}
        while not ending.wait(PROGRESS_POLL_SECONDS):
            for one in progress.read_all(self._home):
                if said.get(one.name) != (one.state, one.step):
                    said[one.name] = (one.state, one.step)
                    steps.done(one.name, one.seconds, f"{one.state}: {one.step}")

    def _say_where(self) -> None:
        accounts = json.loads(self._home.demo.read_text()).get("accounts", [])
        rows = [f"    {a['username']:<16} {a['password']:<24} {a.get('role', '')}" for a in accounts]
        steps.say(
            "\n".join(["", f"  Open {self._address} and sign in as", *rows, "", "  Ctrl-C stops everything.", ""])
        )


def _services(home: Home) -> tuple[Postgres, Redis]:
    return Postgres(home.postgres, home.logs / "postgresql.log"), Redis(home.redis, home.logs / "redis.log")


def _prepare(env: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-m", "finsync.local.prepare"], cwd=PROJECT, env=env, check=False)
    if done.returncode:
        raise LocalError("Preparing the database failed; the reason stands above.")


def _web_port() -> int:
    text = os.environ.get("PORT") or str(PORT_DEFAULT)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise LocalError(f"PORT must be a number from 1 to 65535, not {text!r}")
    return int(text)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
