"""`make run` on one machine: everything embedded, under FINSYNC_HOME, with keys made at the first start.

Never use these settings where others can reach the machine: production settings refuse what is generated here.
"""

import os
import secrets
from pathlib import Path

from finsync.local.places import Home, database_url, redis_url
from finsync.settings.base import *  # noqa: F403
from finsync.settings.base import BASE_DIR, FINSYNC, database

DEBUG = False
ENVIRONMENT_LABEL = "Demo: sample company, local counterparties"
HOME = Path(os.environ.get("FINSYNC_HOME", BASE_DIR / "var")).resolve()
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]


def _local_key(name: str) -> str:
    """Return a random key kept in HOME, made at the first call."""
    path = HOME / "keys" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}")
        made.write_text(secrets.token_urlsafe(48))
        made.chmod(0o600)
        try:
            os.link(made, path)  # the first process wins, the others read its key
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text().strip()


SECRET_KEY = "local-" + _local_key("secret_key")
FINSYNC_DATA_KEYS = {"local": _local_key("data_key")}
# The running supervisor names both; a bare manage.py finds the embedded servers of this HOME.
DATABASES = {"default": database(os.environ.get("DATABASE_URL") or database_url(Home(HOME)))}
REDIS_URL = os.environ.get("REDIS_URL") or redis_url(Home(HOME))
FINSYNC = {**FINSYNC, "RECONCILE_EVERY_SECONDS": 60}  # a demo is watched for minutes, not for days
SESSION_COOKIE_NAME = f"finsync_{os.environ.get('PORT', '8000')}"  # several demos on one host keep apart
