"""PostgreSQL and Redis for the tests: embedded, under var/test, started when the first test asks, never the demo's.

Several test runs may use one checkout at the same time: they share the servers, the last one stops them, and each has
a database name of its own.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from finsync.local.places import PROJECT
from finsync.local.postgres import WITHOUT_DURABILITY, Postgres
from finsync.local.redis_server import Redis

HOME = PROJECT / "var" / "test"
RUNS_MAX = 16  # at the same time


@dataclass(frozen=True)
class Services:
    """The running servers and this run's number, which no other run in this checkout has at the moment."""

    postgres: Postgres
    redis: Redis
    run: int

    @property
    def database(self) -> str:
        """This run's database; pytest-django puts ``test_`` before it."""
        return f"finsync_{self.run}"

    @property
    def redis_url(self) -> str:
        """This run's Redis database, in Celery's form."""
        return f"{self.redis.url()}?virtual_host={self.run}"


@contextmanager
def services(home: Path = HOME) -> Iterator[Services]:
    """Start both servers, or join a run that already uses them; stop them if nobody else does any more."""
    home.mkdir(parents=True, exist_ok=True)
    postgres = Postgres(home / "pg", home / "logs" / "postgresql.log", WITHOUT_DURABILITY)
    redis = Redis(home / "redis", home / "logs" / "redis.log")
    with (home / "starting.lock").open("w") as starting, (home / "using.lock").open("w") as using:
        with _locked(starting):
            fcntl.flock(using, fcntl.LOCK_SH)
            run, number = _run_number(home)
            postgres.start()
            redis.start()
        try:
            yield Services(postgres, redis, run)
        finally:
            number.close()
            with _locked(starting):
                if _nobody_else(using):
                    redis.stop()
                    postgres.stop()


@contextmanager
def _locked(file: TextIO) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _nobody_else(using: TextIO) -> bool:
    try:
        fcntl.flock(using, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _run_number(home: Path) -> tuple[int, TextIO]:
    for run in range(RUNS_MAX):
        file = (home / f"run-{run}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        file.write(str(os.getpid()))
        file.flush()
        return run, file
    raise RuntimeError(f"{RUNS_MAX} test runs use {home} already")
