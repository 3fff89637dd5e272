"""What the Tryton connector can do."""

from connectors.capabilities import Capabilities, IdempotencyClass, Lane, PostingCapability
from finsync.core.records.document import DocType

# Tryton numbers entries and invoices gaplessly: two posts for one company wait for the same locked row, so that
# sending them side by side gains nothing and costs restarts. Parties carry our own code and need no such order.
_BY_ENTITY = PostingCapability(idempotency=IdempotencyClass.SEARCHABLE, findable=True, lane=Lane.ENTITY)

CAPABILITIES = Capabilities(
    kind="tryton",
    title="Tryton ERP",
    roles=("erp",),
    posts={
        DocType.CUSTOMER: PostingCapability(idempotency=IdempotencyClass.UNIQUE_REF, findable=True),
        DocType.INVOICE: _BY_ENTITY,
        DocType.PAYMENT: _BY_ENTITY,
        DocType.PAYMENT_APPLICATION: _BY_ENTITY,
        DocType.JOURNAL: _BY_ENTITY,
    },
    observes=("document", "invoice", "payment", "revenue", "deferred"),
    knows_periods=True,
)
