"""What finsync can do with a Salesforce CRM: read it. It posts nothing there."""

from connectors.capabilities import Capabilities, PollStream

ACCOUNTS, ORDERS = "accounts", "orders"
OVERLAP_SECONDS = 300  # rows committed late under an older SystemModstamp (domain.md 5.3)
POLL_SECONDS = 30

CAPABILITIES = Capabilities(
    kind="salesforce",
    title="Salesforce CRM",
    roles=("crm",),
    webhook=True,
    poll=(
        PollStream(name=ACCOUNTS, overlap_seconds=OVERLAP_SECONDS, interval_seconds=POLL_SECONDS),
        PollStream(name=ORDERS, overlap_seconds=OVERLAP_SECONDS, interval_seconds=POLL_SECONDS),
    ),
    fetches=("customer", "contract_version"),
    observes=("contract",),
)
