"""Webhooks signed as Stripe signs them, at each attempt anew. Written apart from the code that verifies them."""

import hashlib
import hmac
import time

from connectors.doubles.deliveries import Deliveries


class StripeDeliveries(Deliveries):
    """The outbox of the double."""

    def headers(self, event_id: str, body: bytes) -> dict[str, str]:
        """Return ``Stripe-Signature`` for a letter sent now; the event's id is in the body."""
        return {"stripe-signature": signature(self.secret, body, int(time.time()))}


def signature(secret: str, body: bytes, second: int) -> str:
    """The value of Stripe-Signature; the secret is used whole, its prefix included."""
    digest = hmac.digest(secret.encode(), b"%d." % second + body, hashlib.sha256).hex()
    return f"t={second},v1={digest}"
