"""Signed webhooks after the Standard Webhooks scheme: ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``.

The signature is HMAC-SHA256 over ``id.timestamp.body`` on the raw bytes, in base64 after ``v1,``; several may be sent
while a sender rotates its secret, and several of our secrets may be live. Rules: reliability.md 6.1.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.contract import SignatureCheck

TOLERANCE_SECONDS = 300  # both ways: an old letter may be a replay, a future one outlives any window
SECRET_PREFIX = "whsec_"  # noqa: S105 - the scheme's mark before a base64 secret
HEADER_CHARACTERS_MAX = 4_096


def header(headers: Mapping[str, str], name: str) -> str:
    """Return a header whatever its case, "" where it is absent."""
    return next((value for key, value in headers.items() if key.lower() == name), "")


def check_standard_webhook(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> SignatureCheck:
    """Check id, timestamp and signature; never raises. Every secret meets every signature, without an early exit."""
    message_id, stamp, sent = (header(headers, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    if not message_id or not stamp or not sent or len(message_id) + len(sent) > HEADER_CHARACTERS_MAX:
        return SignatureCheck(ok=False, reason="a signature header is missing or too long")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
        return SignatureCheck(ok=False, reason="the timestamp is not a whole number of seconds")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        return SignatureCheck(ok=False, reason=f"the timestamp is more than {TOLERANCE_SECONDS} s away")
    signed = f"{message_id}.{stamp}.".encode("utf-8", "replace") + body
    offered = [part.removeprefix("v1,").encode("utf-8", "replace") for part in sent.split() if part.startswith("v1,")]
    found = False
    for secret in filter(None, secrets):  # an empty secret would let anyone sign
        expected = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
        for signature in offered:
            found |= hmac.compare_digest(expected, signature)
    return SignatureCheck(ok=True) if found else SignatureCheck(ok=False, reason="no signature fits an active secret")


def _key(secret: str) -> bytes:
    """The bytes of a secret: base64 after ``whsec_``, else the text itself (also where the base64 is broken)."""
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode("utf-8", "replace")
