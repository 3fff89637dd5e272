"""`make lint`: every check that needs no running system, each with its duration; all run, then it fails if one did."""

import os
import secrets
import subprocess
import sys
import time

from tests.architecture.sources import ROOT

PYTHON = (sys.executable, "-m")
MANAGE = (sys.executable, "-W", "ignore::RuntimeWarning", "manage.py")
CHECKS = {
    "ruff": (*PYTHON, "ruff", "check", "."),
    "format": (*PYTHON, "ruff", "format", "--check", "--quiet", "."),
    "floors and tidiness": (*PYTHON, "pytest", "-q", "-p", "no:django", "-W", "ignore", "tests/architecture"),
    "types": (*PYTHON, "mypy"),
    "deployment": (*MANAGE, "check", "--deploy", "--fail-level", "WARNING"),
    "migrations": (*MANAGE, "makemigrations", "--check", "--dry-run"),
}


def production_environment() -> dict[str, str]:
    """Return an environment that production settings accept; no service in it needs to answer."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "finsync.settings.production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FINSYNC_DATA_KEYS": f"lint:{secrets.token_urlsafe(32)}",
        "ALLOWED_HOSTS": "finsync.example.com",
        "DATABASE_URL": "postgresql://finsync@127.0.0.1:1/finsync",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }


def main() -> int:
    """Run every check; print what failed in full and the rest in one line each."""
    failed = 0
    for name, command in CHECKS.items():
        started = time.monotonic()
        env = production_environment() if "manage.py" in command else None
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        print(f"  {name:<22}{time.monotonic() - started:6.1f} s  {'FAILED' if done.returncode else 'ok'}", flush=True)
        if done.returncode:
            failed += 1
            print(done.stdout + done.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
