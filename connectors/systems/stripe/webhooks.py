"""Stripe's webhook signature: ``Stripe-Signature: t=<seconds>,v1=<hex>[,v1=…]``, HMAC-SHA256 over ``t.body``.

The tolerance holds both ways, every active secret meets every signature, nothing leaves the loop early
(reliability.md 6.1). The official library accepts future times and is therefore not used here.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from connectors.contract import SignatureCheck
from connectors.reading import Cursor, UnreadableBody, read_json
from connectors.signatures import HEADER_CHARACTERS_MAX, TOLERANCE_SECONDS, header

SCHEME = "v1"
TIMESTAMP_DIGITS_MAX = 15
DELIVERIES_AT_ONCE = 16  # a process serves about as many at the same time


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> SignatureCheck:
    """Check the signature of one delivery at ``now``. Never raises."""
    sent = header(headers, "stripe-signature")
    if not sent or len(sent) > HEADER_CHARACTERS_MAX:
        return SignatureCheck(ok=False, reason="Stripe-Signature is missing or too long")
    parts = [part.strip().partition("=") for part in sent.split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    offered = [value.encode("utf-8", "replace") for name, _, value in parts if name == SCHEME]
    if len(stamps) != 1 or not _is_whole(stamps[0]):
        return SignatureCheck(ok=False, reason="Stripe-Signature needs one time t in whole seconds")
    if not offered:
        return SignatureCheck(ok=False, reason=f"Stripe-Signature has no {SCHEME} signature")
    age_seconds = now.timestamp() - int(stamps[0])
    if abs(age_seconds) > TOLERANCE_SECONDS:
        return SignatureCheck(ok=False, reason=f"signed {age_seconds:.0f} s ago, not within {TOLERANCE_SECONDS} s")
    signed = stamps[0].encode() + b"." + body
    found = False
    for secret in filter(None, secrets):  # an empty secret would let anyone sign
        expected = hmac.new(secret.encode("utf-8", "replace"), signed, hashlib.sha256).hexdigest().encode()
        for signature in offered:
            found |= hmac.compare_digest(expected, signature)
    return SignatureCheck(ok=found, reason="" if found else "no signature fits an active secret")


def event_id(body: bytes) -> str | None:
    """Return ``evt_…`` of an event, or None where it cannot be read."""
    return _named(body)[0] or None


def event_type(body: bytes) -> str:
    """Return the event's type, such as ``invoice.paid``; "" where it cannot be read."""
    return _named(body)[1]


@lru_cache(maxsize=DELIVERIES_AT_ONCE)
def _named(body: bytes) -> tuple[str, str]:
    """Return id and type; the door asks for one after the other and the body is read once."""
    try:
        event = read_json(body)
    except UnreadableBody:
        return "", ""
    return _identifier(event, "id"), _identifier(event, "type")


def _identifier(event: Cursor, name: str) -> str:
    try:
        return event[name].identifier()
    except UnreadableBody:
        return ""


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= TIMESTAMP_DIGITS_MAX
