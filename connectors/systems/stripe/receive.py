"""Asking Stripe: the list of events, which heals missed webhooks, and single objects as they are now.

The poll reads ``/v1/events`` in closed windows ``[since, until]`` of event time. An event polled is the very letter a
webhook carries, with the same id, so the inbox keeps it once and both collapse on one fact; nothing about order has to
be guessed. Because a window is closed on both sides, it does not matter whether a source lists newest first (Stripe) or
oldest first (localstripe). Windows overlap for events that became visible late. Stripe keeps events for 30 days; what
was missed longer ago is found by reconciliation and fetched.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from connectors.contract import Page, RawItem
from connectors.errors import OutcomeUnknown, Unsupported
from connectors.reading import UnreadableBody, read_json
from connectors.systems.stripe.amounts import moment, read_second
from connectors.systems.stripe.capabilities import EVENTS, EVENTS_OVERLAP_SECONDS
from connectors.systems.stripe.client import PAGE_ROWS, Answer, Client, page_rows, rows_as_sent
from connectors.systems.stripe.normalise import SNAPSHOT_PAGES
from connectors.systems.stripe.origin import Settings
from finsync.core.keys import bytes_hash

EVENTS_KEPT = timedelta(days=30)
SETTLE = timedelta(seconds=5)  # the newest seconds are left for the next window: events still being written
HASH_CHARACTERS = 12

PATHS = {
    "invoice": "/v1/invoices/{}",
    "payment_application": "/v1/invoices/{}",
    "payment": "/v1/charges/{}",
    "subscription": "/v1/subscriptions/{}",
    "customer": "/v1/customers/{}",
}
INVOICE_EXPANDED = ["customer", "lines.data.tax_amounts.tax_rate"]


def poll(client: Client, stream: str, cursor: str, now: datetime) -> Page:
    """Return the next page of events. A cursor is ``until:<s>`` between windows, ``page:<s>:<s>:<id>`` within one."""
    if stream != EVENTS:
        raise Unsupported(f"there is no stream {stream!r}, only {EVENTS!r}")
    since, until, after = _window(cursor, now)
    params = {"limit": PAGE_ROWS, "created": {"gte": since, "lte": until}}
    page = client.get("/v1/events", {**params, **({"starting_after": after} if after else {})})
    rows, more = page_rows(page)
    items = [_event_item(raw) for raw in rows_as_sent(page)]
    # Oldest first within the page: it does not matter for the outcome, but spares work that waits for its parent.
    items.sort(key=lambda item: (item.source_ts or now, item.event_id))
    if more and rows:
        return Page(items=items, cursor=f"page:{since}:{until}:{rows[-1]['id'].identifier()}", more=True)
    return Page(items=items, cursor=f"until:{until}", more=False)


def fetch(client: Client, settings: Settings, record_type: str, source_ids: Sequence[str]) -> list[RawItem]:
    """Return objects as they are now, each with the moment of its answer."""
    if record_type not in PATHS or (record_type == "customer" and not settings.standalone):
        raise Unsupported(f"{record_type} cannot be fetched from this connection")
    return [_snapshot(client, settings, record_type, source_id) for source_id in source_ids]


def _window(cursor: str, now: datetime) -> tuple[int, int, str]:
    kind, _, rest = cursor.partition(":")
    if kind == "page":
        since, until, after = rest.split(":", 2)
        return int(since), int(until), after
    newest = int((now - SETTLE).timestamp())
    if kind == "until":
        return min(int(rest), newest) - EVENTS_OVERLAP_SECONDS, newest, ""
    return int((now - EVENTS_KEPT).timestamp()), newest, ""


def _event_item(raw: bytes) -> RawItem:
    try:
        event = read_json(raw)
        return RawItem(
            event_id=event["id"].identifier(),
            object=event["type"].identifier(),
            body=raw,
            source_ts=moment(read_second(event["created"])),
        )
    except UnreadableBody:
        # Kept and quarantined by whoever reads it; it must not stop the others.
        return RawItem(event_id=f"poll:event:{bytes_hash(raw)}", object="", body=raw)


def _snapshot(client: Client, settings: Settings, record_type: str, source_id: str) -> RawItem:
    path = PATHS[record_type].format(source_id)
    answer = client.get(path, {"expand": _expanded(settings, record_type)})
    body = _whole_invoice(client, path, answer) if record_type in ("invoice", "payment_application") else answer.raw
    second = int(answer.date.timestamp()) if answer.date else 0
    return RawItem(
        event_id=f"poll:{record_type}:{source_id}:{second}-{bytes_hash(body)[:HASH_CHARACTERS]}",
        object=record_type,
        body=body,
        source_ts=answer.date,
    )


def _expanded(settings: Settings, record_type: str) -> list[str]:
    match record_type:
        case "invoice" | "payment_application":
            return INVOICE_EXPANDED
        case "payment":
            return ["customer", "invoice", *(["balance_transaction"] if settings.fetch_fees else [])]
        case "subscription":
            return ["customer"]
        case _:
            return []


def _whole_invoice(client: Client, path: str, answer: Answer) -> bytes:
    """The invoice as it came, or with all pages of its lines, each as it came."""
    try:
        if not answer.body["lines"]["has_more"].flag():
            return answer.raw
    except UnreadableBody as error:
        raise OutcomeUnknown(f"an invoice without a list of lines: {error}") from error
    pages = client.pages(f"{path}/lines", {"expand": ["data.tax_amounts.tax_rate"]})
    joined = b",".join(page.raw for page in pages)
    return b'{"object":"%s","invoice":%s,"pages":[%s]}' % (SNAPSHOT_PAGES.encode(), answer.raw, joined)
