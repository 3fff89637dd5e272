"""Deterministic keys: what makes a second try the same try.

Source of the rules: reliability.md 3.1 (external reference) and domain.md 1.1 (business key, idempotency key).
"""

import base64
import hashlib
import json
from typing import Any

EXTERNAL_REF_HASH_CHARACTERS = 20  # 100 bits of sha256, base32: letters and digits 2-7 only, safe in every ERP field


def canonical_json(value: Any) -> bytes:
    """Return the one byte form of a JSON value: sorted keys, no spaces, UTF-8; floats are refused.

    Raises TypeError for a float, because two systems print the same float differently.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError(f"a float has no canonical form: {value!r}")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def content_hash(value: Any) -> str:
    """Return the sha256 hex of a JSON value's canonical form."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def bytes_hash(body: bytes) -> str:
    """Return the sha256 hex of raw bytes, as received or sent."""
    return hashlib.sha256(body).hexdigest()


def business_key(kind: str, *parts: object) -> str:
    """Return a readable deterministic key such as ``invoice:US01:INV-1:v1``.

    Parts are never timestamps, attempt numbers or random values (reliability.md 3.1). A part may not contain ``:``.
    """
    texts = [kind, *map(str, parts)]
    for text in texts:
        if not text or ":" in text:
            raise ValueError(f"a key part must be non-empty and free of ':': {text!r}")
    return ":".join(texts)


def external_ref(connection: str, doc_type: str, key: str) -> str:
    """Return the reference written into the target system: ``fs`` + 20 characters of ``[a-z2-7]``.

    One business key, one connection and one document type give one reference for ever, so that a repeated
    post is recognisable by the target (class B) or by a search (class C).
    """
    digest = hashlib.sha256(f"{connection}|{doc_type}|{key}".encode()).digest()
    return "fs" + base64.b32encode(digest).decode()[:EXTERNAL_REF_HASH_CHARACTERS].lower()


def idempotency_key(key: str, operation: str) -> str:
    """Return the value of an Idempotency-Key header: sha256 hex of business key (with version) and operation."""
    return hashlib.sha256(f"{key}|{operation}".encode()).hexdigest()
