"""Secrets at rest: AES-256-GCM, key id in front, bound to the row they belong to (reliability.md 6.2)."""

import hashlib
import json
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES = 12


def _cipher(key_id: str) -> AESGCM:
    key = settings.FINSYNC_DATA_KEYS[key_id]
    return AESGCM(hashlib.sha256(f"finsync data key {key}".encode()).digest())


def seal(value: dict[str, Any], bound_to: str) -> bytes:
    """Return ``value`` encrypted under the newest key. ``bound_to`` (table, key, field) is needed again to open it."""
    key_id = next(iter(settings.FINSYNC_DATA_KEYS))
    nonce = os.urandom(NONCE_BYTES)
    sealed = _cipher(key_id).encrypt(nonce, json.dumps(value).encode(), bound_to.encode())
    return key_id.encode() + b":" + nonce + sealed


def unseal(sealed: bytes, bound_to: str) -> dict[str, Any]:
    """Return the value. Raises InvalidTag for bytes that were changed or moved, KeyError for a lost key."""
    key_id, rest = bytes(sealed).split(b":", 1)
    plain = _cipher(key_id.decode()).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], bound_to.encode())
    value: dict[str, Any] = json.loads(plain)
    return value
