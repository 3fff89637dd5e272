"""What the Stripe connector can do, as the engines read it."""

from connectors.capabilities import Capabilities, IdempotencyClass, Lane, PollStream, PostingCapability
from finsync.core.records.document import DocType

# Stripe may forget an Idempotency-Key after 24 h (docs.stripe.com/api/idempotent_requests). Within that window a repeat
# is answered from memory; afterwards the document is looked up by the reference in its metadata, as class C demands.
KEY_WINDOW_SECONDS = 24 * 60 * 60
EVENTS = "events"
EVENTS_OVERLAP_SECONDS = 600
EVENTS_INTERVAL_SECONDS = 60

_KEYED = PostingCapability(
    idempotency=IdempotencyClass.KEY, findable=True, lane=Lane.AGGREGATE, key_window_seconds=KEY_WINDOW_SECONDS
)

CAPABILITIES = Capabilities(
    kind="stripe",
    title="Stripe billing and gateway",
    roles=("billing", "gateway"),
    webhook=True,
    poll=(PollStream(name=EVENTS, overlap_seconds=EVENTS_OVERLAP_SECONDS, interval_seconds=EVENTS_INTERVAL_SECONDS),),
    fetches=("invoice", "payment", "payment_application", "subscription", "customer"),
    posts={DocType.CUSTOMER: _KEYED, DocType.SUBSCRIPTION: _KEYED},
    observes=("invoice", "payment", "subscription"),
)
