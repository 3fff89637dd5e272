"""Settings of the test suite: real PostgreSQL and Redis, given by tests/conftest.py through the environment."""

import os

from finsync.settings.base import *  # noqa: F403
from finsync.settings.base import BASE_DIR, STORAGES, database

SECRET_KEY = "test-only"  # noqa: S105
FINSYNC_DATA_KEYS = {"test": "test-only-data-key"}
DEBUG = False
ENVIRONMENT_LABEL = ""
ALLOWED_HOSTS = ["*"]
DATABASES = {"default": database(os.environ.get("DATABASE_URL", "postgresql://postgres@/finsync"))}
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:1/0")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
HOME = BASE_DIR / "var"
