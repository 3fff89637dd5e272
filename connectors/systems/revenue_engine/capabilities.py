"""What finsync can do with the revenue engine: post contract versions, read schedules and balances."""

from connectors.capabilities import Capabilities, IdempotencyClass, PollStream, PostingCapability
from finsync.core.records.document import DocType

SCHEDULES = "schedules"
OVERLAP_SECONDS = 600

CAPABILITIES = Capabilities(
    kind="revenue_engine",
    title="Revenue engine",
    roles=("revenue",),
    webhook=True,
    poll=(PollStream(name=SCHEDULES, overlap_seconds=OVERLAP_SECONDS, interval_seconds=30),),
    fetches=("revenue_schedule",),
    # The version's place and our reference are both unique there: the same PUT again answers what it made.
    posts={DocType.REVENUE_CONTRACT: PostingCapability(idempotency=IdempotencyClass.UNIQUE_REF, findable=True)},
    observes=("schedule", "revenue", "deferred"),
)
