"""The simulated ERP itself: documents, the four ways to treat a repeated POST, and a search that may lag.

Pure: the caller says what time it is (seconds). ``receive_*`` are its network side, where faults happen;
``documents`` is the truth a test compares with.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.simulator.faults import Menu, PostFault, ReadFault, Weather

Body = dict[str, Any]


@dataclass(slots=True)
class Stored:
    """One document as the ERP holds it; a search shows it from ``visible_at`` on."""

    id: str
    reference: str
    content: Body
    visible_at: float
    complete: bool = True

    def answer(self) -> Body:
        """Return what the API says of it."""
        return {"id": self.id, "number": f"DOC-{self.id}", **self.content, "complete": self.complete}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller gets. ``status`` None is silence; ``unreachable`` means that not a byte was sent."""

    status: int | None = None
    body: Body = field(default_factory=dict)
    retry_after_seconds: float | None = None
    unreachable: bool = False


@dataclass(slots=True)
class _Request:
    at: float
    key: str
    content: Body


class SimERP:
    """One ERP of class A (remembers keys), B (refuses a second reference), C (search only) or D (not even that).

    ``class_of`` may give each document type a class of its own. ``lag_seconds`` delays what a class C search shows.
    """

    def __init__(
        self,
        idempotency: str = "B",
        *,
        seed: int = 0,
        menu: Menu | None = None,
        lag_seconds: float = 0.0,
        key_window_seconds: float = 24 * 3_600.0,
        class_of: Mapping[str, str] | None = None,
    ) -> None:
        self.idempotency, self.class_of = idempotency, dict(class_of or {})
        self.lag_seconds, self.key_window_seconds = lag_seconds, key_window_seconds
        self.weather = Weather(seed, menu or Menu())
        self.documents: list[Stored] = []
        self.closed_before = ""  # accounting dates before this ISO date are refused
        self.locked_out = False  # credentials are refused
        self._by_reference: dict[str, list[Stored]] = {}
        self._keys: dict[str, tuple[float, Body, Reply]] = {}
        self._on_the_way: list[_Request] = []
        self._numbers = itertools.count(1)

    # ---- the network side ------------------------------------------------------------------------------------

    def receive_post(self, now: float, key: str, content: Body) -> Reply:  # noqa: PLR0911  (one per fault)
        """Take one POST /documents, with whatever happens to it on the way."""
        self.land(now)
        fault = self.weather.of_post()
        match fault:
            case PostFault.UNREACHABLE:
                return Reply(unreachable=True)
            case PostFault.LOST_REQUEST:
                return Reply()
            case PostFault.LATE:
                self._on_the_way.append(_Request(now + self.weather.delay_seconds(), key, content))
                return Reply()
            case PostFault.THROTTLED:
                return Reply(429, retry_after_seconds=self.weather.menu.retry_after_seconds)
            case PostFault.SERVER_ERROR_BEFORE:
                return Reply(500)
        reply = self._process(now, key, content, half=fault is PostFault.HALF_MADE)
        match fault:
            case PostFault.LOST_ANSWER | PostFault.HALF_MADE:
                return Reply()
            case PostFault.EMPTY_ANSWER:
                return Reply(200)
            case PostFault.SERVER_ERROR_AFTER:
                if key in self._keys:  # class A keeps what it answered, errors included
                    self._keys[key] = (now, content, Reply(500))
                return Reply(500)
            case PostFault.RESENT:
                self._process(now, key, content)
        return reply

    def receive_completion(self, now: float, document_id: str) -> Reply:
        """Take one POST /documents/<id>/complete: finish a half-made document."""
        self.land(now)
        fault = self.weather.of_post()
        if fault is PostFault.UNREACHABLE:
            return Reply(unreachable=True)
        if fault in (PostFault.LOST_REQUEST, PostFault.LATE):
            return Reply()
        found = next((document for document in self.documents if document.id == document_id), None)
        if found is None:
            return Reply(404, {"error": {"code": "not_found", "message": document_id}})
        found.complete = True
        return Reply() if fault is PostFault.LOST_ANSWER else Reply(200, found.answer())

    def receive_search(self, now: float, reference: str) -> Reply:
        """Take one GET /documents?reference=…"""
        self.land(now)
        match self.weather.of_read():
            case ReadFault.UNREACHABLE:
                return Reply(unreachable=True)
            case ReadFault.SILENCE:
                return Reply()
            case ReadFault.SERVER_ERROR:
                return Reply(500)
        if self.locked_out:
            return Reply(401)
        shown = [document for document in self._by_reference.get(reference, ()) if document.visible_at <= now]
        return Reply(200, {"documents": [document.answer() for document in shown]})

    # ---- inside the ERP --------------------------------------------------------------------------------------

    def land(self, now: float) -> None:
        """Process the late requests that have arrived by now."""
        if not self._on_the_way:
            return
        arrived = sorted((item for item in self._on_the_way if item.at <= now), key=lambda item: item.at)
        self._on_the_way = [item for item in self._on_the_way if item.at > now]
        for item in arrived:
            self._process(item.at, item.key, item.content)

    @property
    def on_the_way(self) -> int:
        """How many late requests have not arrived yet."""
        return len(self._on_the_way)

    def _process(self, now: float, key: str, content: Body, *, half: bool = False) -> Reply:
        held = self.class_of.get(str(content.get("doc_type")), self.idempotency)
        known = self._keys.get(key) if held == "A" else None
        if known is not None and now - known[0] < self.key_window_seconds:
            same = known[1] == content
            return known[2] if same else Reply(422, {"error": {"code": "key_reused", "message": "another body"}})
        if self.locked_out:
            return Reply(401)
        refusal = self._refusal(content)
        if refusal is not None:
            return refusal
        existing = self._by_reference.get(content["reference"])
        if held == "B" and existing:
            return Reply(409, existing[0].answer())
        document = self._store(now, content, complete=not half, at_once=held in ("A", "B"))
        reply = Reply(201, document.answer())
        if held == "A":
            self._keys[key] = (now, content, reply)
        return reply

    def _store(self, now: float, content: Body, *, complete: bool, at_once: bool) -> Stored:
        visible_at = now if at_once else now + self.lag_seconds
        document = Stored(str(next(self._numbers)), content["reference"], dict(content), visible_at, complete)
        self.documents.append(document)
        self._by_reference.setdefault(document.reference, []).append(document)
        return document

    def _refusal(self, content: Body) -> Reply | None:
        if "refuse" in str(content.get("narrative", "")):
            return Reply(422, {"error": {"code": "account_blocked", "message": "account 4000 is blocked"}})
        if self.closed_before and str(content["accounting_date"]) < self.closed_before:
            return Reply(422, {"error": {"code": "period_closed", "message": f"closed before {self.closed_before}"}})
        return None
