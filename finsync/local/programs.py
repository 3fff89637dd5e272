"""What runs on one machine, as commands. In production the same commands run on several (docs/operations.md)."""

import os
import sys

from finsync.local.kept import Program
from finsync.local.places import PROJECT, Home, database_url, port_of, redis_url

WEB_WORKERS = 2
WEB_THREADS = 8  # per worker; pages wait for the database most of the time
# Sending waits for slow systems; in a worker of its own it cannot hold up the stages before it.
CELERY_WORKERS = {"book": ("intake,apply,plan,reconcile", 2), "dispatch": ("dispatch", 2)}
STORY_SEED = "45"


def environment(home: Home, web_port: int) -> dict[str, str]:
    """Return the environment of every program: this HOME's services, never those a shell happens to name."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "finsync.settings.local",
        "FINSYNC_HOME": str(home.path),
        "PORT": str(web_port),
        "DATABASE_URL": database_url(home),
        "REDIS_URL": redis_url(home),
        "REMAP_SIGTERM": "SIGQUIT",  # Celery: stop soon and give work back, instead of finishing all of it first
        "PYTHONUNBUFFERED": "1",
    }


def web_address(web_port: int) -> str:
    """Return the address a person opens."""
    return f"http://127.0.0.1:{web_port}/"


def programs(home: Home, web_port: int, counterparties: dict[str, dict[str, str]]) -> list[Program]:
    """Return every program in the order they are started."""
    return [
        *_doubles(home, counterparties),
        _web(web_port),
        *_workers(home),
        Program(name="sweeper", command=(sys.executable, "manage.py", "sweeper", "--inline")),
        _python("erp", "finsync.local.erp"),
        _python("storyteller", "demo.storyteller", after=web_address(web_port), once=True),
    ]


def _python(name: str, module: str, *arguments: str, after: str = "", once: bool = False) -> Program:
    return Program(name=name, command=(sys.executable, "-m", module, *arguments), after=after, once=once)


def _web(port: int) -> Program:
    return _python(
        "web", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS), "--respawn-failed-workers",
        "--workers-kill-timeout", "5", "finsync.wsgi:application",
    )  # fmt: skip


def _workers(home: Home) -> list[Program]:
    celery = ("-A", "finsync.celery")
    quiet = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")
    workers = [
        _python(
            f"worker-{name}", "celery", *celery, "worker", "--queues", queues, "--concurrency", str(concurrency),
            "--pool", "prefork", "--hostname", f"{name}@local", *quiet,
        )
        for name, (queues, concurrency) in CELERY_WORKERS.items()
    ]  # fmt: skip
    (home.path / "beat").mkdir(exist_ok=True)
    schedule = ("--schedule", str(home.path / "beat" / "schedule"), "--pidfile=")
    return [*workers, _python("beat", "celery", *celery, "beat", *schedule)]


def _doubles(home: Home, counterparties: dict[str, dict[str, str]]) -> list[Program]:
    home.doubles.mkdir(exist_ok=True)
    return [
        _python(
            name.replace("_", "-"), f"connectors.systems.{name}.sandbox", "--port", str(port_of(double)),
            "--state", str(home.doubles / f"{name}.state"), "--webhook-url", double["webhook_url"],
            "--webhook-secret", double["webhook_secret"], "--seed", STORY_SEED,
        )
        for name, double in counterparties.items()
        if "webhook_url" in double and (PROJECT / "connectors" / "systems" / name).is_dir()
    ]  # fmt: skip
