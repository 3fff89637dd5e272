"""Production: everything from the environment; refuses to start on anything that looks like a demo."""

import os

from django.core.exceptions import ImproperlyConfigured

from finsync.settings.base import *  # noqa: F403
from finsync.settings.base import database

SECRET_KEY_CHARACTERS_MIN = 50


def _required(name: str, meaning: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. It must hold {meaning}; see docs/operations.md.")
    return value


DEBUG = False
ENVIRONMENT_LABEL = os.environ.get("FINSYNC_ENVIRONMENT_LABEL", "")
SECRET_KEY = _required("SECRET_KEY", "at least 50 random characters")
if SECRET_KEY.startswith(("local-", "test-", "django-insecure-")) or len(SECRET_KEY) < SECRET_KEY_CHARACTERS_MIN:
    raise ImproperlyConfigured("SECRET_KEY is a demo key or too short. Generate at least 50 random characters.")
# id:key pairs, newest first: FINSYNC_DATA_KEYS="2026b:…,2026a:…"
FINSYNC_DATA_KEYS = dict(
    pair.split(":", 1) for pair in _required("FINSYNC_DATA_KEYS", "id:key pairs that encrypt stored secrets").split(",")
)
if {"local", "test"} & set(FINSYNC_DATA_KEYS):
    raise ImproperlyConfigured("FINSYNC_DATA_KEYS holds a demo key. Generate new keys for production.")
ALLOWED_HOSTS = _required("ALLOWED_HOSTS", "the host names of this site, comma separated").split(",")
CSRF_TRUSTED_ORIGINS = [f"https://{host.lstrip('.')}" for host in ALLOWED_HOSTS if host != "*"]
DATABASES = {"default": database(_required("DATABASE_URL", "a postgresql:// URL"))}
REDIS_URL = _required("REDIS_URL", "a redis:// or rediss:// URL of a Redis with maxmemory-policy noeviction")

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-finsync_session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-finsync_csrf"
