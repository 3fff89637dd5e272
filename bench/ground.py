"""The ground a benchmark stands on: PostgreSQL with fsync on, Redis, and a fresh copy of the sample company's database.

Everything lives in one directory that is removed at the end; nothing of it is shared with `make run` or the tests.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from finsync.local.places import PROJECT
from finsync.local.postgres import Postgres
from finsync.local.redis_server import Redis

TEMPLATE = "finsync_template"
NOWHERE = "http://127.0.0.1:1"  # connections of the sample company that a measure does not call
SYSTEMS = ("salesforce", "stripe", "revenue_engine", "tryton")
WEBHOOK_SECRET = "whsec_benchmark"  # noqa: S105  (of a database that lives for minutes)
# A million rows are written in a few statements; the defaults of a small installation would measure its checkpoints.
SETTINGS = {"max_wal_size": "4GB", "shared_buffers": "256MB"}


@dataclass(frozen=True)
class Ground:
    """The running servers. ``environment`` is what a process needs to find its database."""

    home: Path
    postgres: Postgres
    redis: Redis

    def environment(self, database: str) -> dict[str, str]:
        """Return the environment of processes that use ``database``."""
        return {
            "DJANGO_SETTINGS_MODULE": "finsync.settings.local",
            "FINSYNC_HOME": str(self.home),
            "DATABASE_URL": self.postgres.dsn(database),
            "REDIS_URL": self.redis.url(),
        }

    def copy(self, name: str) -> dict[str, str]:
        """Make a fresh database from the template and return its environment."""
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
            )
        return self.environment(name)

    def drop(self, name: str) -> None:
        """Forget a database."""
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextmanager
def ground() -> Iterator[Ground]:
    """Start the servers in a directory of their own; stop them and remove it at the end, whatever happens."""
    base = PROJECT / "var" / "bench"
    base.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=base))
    home.chmod(0o755)  # PostgreSQL runs as a user of its own where we are root
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        postgres = Postgres(home / "pg", home / "logs" / "postgresql.log", SETTINGS)
        redis = Redis(home / "redis", home / "logs" / "redis.log")
        for server in (postgres, redis):
            stack.callback(server.stop)
            server.start()
        postgres.create_database(TEMPLATE)
        yield Ground(home, postgres, redis)


def prepare() -> None:
    """Migrate the template and make the sample company in it; called in a process of its own."""
    start_django()
    from django.core.management import call_command
    from django.db import connection

    from demo.company import ACCOUNTS
    from demo.seed import seed

    call_command("migrate", "--no-input", verbosity=0)
    places = {name: {"base_url": NOWHERE} for name in SYSTEMS}
    places["stripe"]["webhook_secret"] = WEBHOOK_SECRET
    passwords = {account.username: "long-enough-password" for account in ACCOUNTS}
    seed(places, passwords, {"database": "erp", "user": "u", "password": "p"})
    connection.close()


def start_django() -> None:
    """Set Django up from the environment, quietly."""
    import logging

    import django

    logging.disable(logging.INFO)
    assert os.environ["DJANGO_SETTINGS_MODULE"]
    django.setup()
