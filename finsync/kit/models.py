"""API tokens: shown once, stored as a hash."""

import hashlib
import re
import secrets
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from finsync.audit.services import current_actor, recording

LIFETIME_DAYS_MAX = 90
_TEXT = re.compile(r"fs_([0-9a-f]{8})_[\w-]{43}", re.ASCII)


class Scope(models.TextChoices):
    """What a token may be used for; acting also needs the owner's role."""

    READ = "read"
    ACT = "act"


class ApiToken(models.Model):
    """A token ``fs_<8 characters>_<43 characters>`` (256 bits) of one person, with scopes and an end."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    label = models.CharField(max_length=80)
    prefix = models.CharField(max_length=8, unique=True)
    digest = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=20), default=list)  # of Scope
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "api_token"

    @classmethod
    def issue(
        cls, owner: AbstractBaseUser, label: str, scopes: list[str], days: int = LIFETIME_DAYS_MAX
    ) -> tuple[Self, str]:
        """Return a saved token and its text, which is never shown again. ``days`` is capped at 90."""
        prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        text = f"fs_{prefix}_{secret}"
        expires = timezone.now() + timedelta(days=min(days, LIFETIME_DAYS_MAX))
        token = cls(owner=owner, label=label, prefix=prefix, digest=_digest(text), scopes=scopes, expires_at=expires)
        with recording(current_actor() or f"user:{owner.get_username()}"):
            token.save()
        return token, text

    @classmethod
    def find(cls, text: str) -> Self | None:
        """Return the live token for a text, or None."""
        shape = _TEXT.fullmatch(text)
        if shape is None:
            return None
        token = cls.objects.select_related("owner").filter(prefix=shape[1], revoked_at=None).first()
        if token is None or token.expires_at <= timezone.now():
            return None
        return token if secrets.compare_digest(token.digest, _digest(text)) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class JobRun(models.Model):
    """One slot of one timed job: whoever inserts the row runs it."""

    job = models.CharField(max_length=60)
    slot = models.BigIntegerField()
    started_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "job_run"
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="job_run_once")]


class ProcessBeat(models.Model):
    """Which processes are alive: each writes its row now and then; the health page and status read them."""

    name = models.CharField(max_length=80, primary_key=True)
    kind = models.CharField(max_length=20)
    seen_at = models.DateTimeField(db_default=Now())
    detail = models.TextField(blank=True)

    class Meta:
        db_table = "process_beat"
