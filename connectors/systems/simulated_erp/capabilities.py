"""What the simulated ERP can do: one document type for each idempotency class."""

from connectors.capabilities import Capabilities, IdempotencyClass, PostingCapability
from finsync.core.records.document import DocType

KEY_WINDOW_SECONDS = 24 * 3_600

CAPABILITIES = Capabilities(
    kind="simulated_erp",
    title="Simulated ERP",
    roles=("erp",),
    posts={
        DocType.CUSTOMER: PostingCapability(idempotency=IdempotencyClass.UNIQUE_REF, findable=True),
        DocType.INVOICE: PostingCapability(idempotency=IdempotencyClass.UNIQUE_REF, findable=True),
        DocType.PAYMENT: PostingCapability(
            idempotency=IdempotencyClass.KEY, findable=True, key_window_seconds=KEY_WINDOW_SECONDS
        ),
        DocType.JOURNAL: PostingCapability(idempotency=IdempotencyClass.SEARCHABLE, findable=True),
        DocType.PAYMENT_APPLICATION: PostingCapability(idempotency=IdempotencyClass.SEARCHABLE, findable=True),
        DocType.SUBSCRIPTION: PostingCapability(idempotency=IdempotencyClass.BLIND, findable=False),
    },
    observes=("document",),
)
