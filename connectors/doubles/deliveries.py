"""Webhooks a double sends: kept until they are taken, signed at each attempt, repeated with growing pauses.

Signatures follow the Standard Webhooks scheme unless a double says otherwise. Written apart from the code that
verifies them.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from connectors.doubles.faults import DELIVERY_ACTIONS, Faults
from connectors.doubles.store import Store

PAUSE_SECONDS_FIRST = 0.5
PAUSE_SECONDS_MAX = 60.0
ATTEMPTS_MAX = 15  # with the pauses above about eight minutes; after that only polling finds the change
DELAY_SECONDS_DEFAULT = 5.0
REORDER_SECONDS_MAX = 3.0
ANSWER_TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 0.5


class Deliveries:
    """The outbox of a double. Without a URL letters are only kept, for a test or for polling."""

    def __init__(self, store: Store, faults: Faults, url: str, secret: str) -> None:
        self.store, self.faults, self.url, self.secret = store, faults, url, secret
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def headers(self, event_id: str, body: bytes) -> dict[str, str]:
        """Return the headers that prove a letter sent now; a double of a vendor with its own scheme overrides this."""
        return sign(event_id, int(time.time()), body, self.secret)

    def enqueue(self, event_id: str, event: str, body: Mapping[str, Any], **facts: str) -> None:
        """Keep one letter for sending, as the faults in force want it. Call inside a transaction."""
        rule = self.faults.take(DELIVERY_ACTIONS, {"event": event, **facts}) or {"action": ""}
        pause = 0.0
        if rule["action"] == "delay":
            pause = float(rule.get("delay", DELAY_SECONDS_DEFAULT))
        elif rule["action"] == "reorder":
            pause = self.faults.random.uniform(0, float(rule.get("delay", REORDER_SECONDS_MAX)))
        for _ in range(2 if rule["action"] == "duplicate" else 1):
            number = self.store.next("delivery")
            letter = {
                "id": number,
                "event_id": event_id,
                "event": event,
                "body": json.dumps(body),
                "due": time.time() + pause,
                "attempts": 0,
                "state": "dropped" if rule["action"] == "drop" else "pending",
                "answer": "",
            }
            self.store.put("delivery", str(number), letter)
        self._wake.set()

    def pump(self) -> int:
        """Send what is due, once each, in order; return how many were taken."""
        if not self.url:
            return 0
        now, taken = time.time(), 0
        for letter in self.store.all("delivery"):
            if letter["state"] == "pending" and letter["due"] <= now:
                taken += self._attempt(letter)
        return taken

    def start(self) -> None:
        """Send in the background until ``stop``."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="deliveries")
        self._thread.start()

    def stop(self) -> None:
        """Stop sending; what is pending stays pending."""
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(ANSWER_TIMEOUT_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(IDLE_SECONDS)
            self._wake.clear()
            self.pump()

    def _attempt(self, letter: dict[str, Any]) -> bool:
        taken, answer = self._post(letter["event_id"], letter["body"].encode())
        attempts = letter["attempts"] + 1
        state = "delivered" if taken else "given_up" if attempts >= ATTEMPTS_MAX else "pending"
        pause = min(PAUSE_SECONDS_FIRST * 2 ** letter["attempts"], PAUSE_SECONDS_MAX)
        with self.store.transaction():
            if self.store.get("delivery", str(letter["id"])):  # a reset may have forgotten it meanwhile
                changed = {"attempts": attempts, "state": state, "answer": answer, "due": time.time() + pause}
                self.store.put("delivery", str(letter["id"]), letter | changed)
        return taken

    def _post(self, event_id: str, body: bytes) -> tuple[bool, str]:
        headers = {"content-type": "application/json", **self.headers(event_id, body)}
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")  # noqa: S310 - ours
        try:
            with self._opener.open(request, timeout=ANSWER_TIMEOUT_SECONDS) as response:
                return True, str(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return False, str(error.code)
        except (OSError, ValueError) as error:
            return False, repr(error)[:200]


def sign(event_id: str, timestamp: int, body: bytes, secret: str) -> dict[str, str]:
    """Return the three headers of the Standard Webhooks scheme; a secret is base64 after ``whsec_``, else text."""
    kind, prefix, encoded = secret.partition("whsec_")
    key = base64.b64decode(encoded) if prefix and not kind else secret.encode()
    digest = hmac.digest(key, b"%s.%d.%s" % (event_id.encode(), timestamp, body), hashlib.sha256)
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
