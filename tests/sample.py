"""The sample company's configuration without its counterparties, for tests that send nothing."""

from datetime import date

from django.utils import timezone

from demo.company import ACCOUNTS
from demo.seed import seed
from finsync.audit.services import recording
from finsync.canonical.models import Aggregate, CanonicalChange
from finsync.canonical.services.apply import apply_due
from finsync.canonical.services.facts import Statement, store_facts
from finsync.posting.models import Posting
from finsync.posting.services.plan import plan_due
from finsync.posting.services.release import release_due

NOWHERE = "http://127.0.0.1:1"
ROLES = ("crm", "billing", "gateway", "revenue")
SYSTEMS = ("salesforce", "stripe", "revenue_engine", "tryton")


def sample_company() -> None:
    """Seed entities, people, connections that answer nowhere, and approved mappings."""
    seed(
        {name: {"base_url": NOWHERE} for name in SYSTEMS},
        {account.username: "long-enough-password" for account in ACCOUNTS},
        {"database": "erp", "user": "u", "password": "p"},
    )


def state(*records, origin: int = 1) -> None:
    """Let systems state records, and apply and plan them."""
    with recording("system:test"):
        store_facts([Statement(record=record, origin=origin, roles=ROLES) for record in records])
    for _ in range(3):
        Aggregate.objects.filter(blocked=False, next_action_at__isnull=False).update(next_action_at=timezone.now())
        apply_due()
    plan()


def plan() -> None:
    """Plan and release everything that is due."""
    CanonicalChange.objects.filter(next_action_at__isnull=False).update(next_action_at=timezone.now())
    plan_due()
    Posting.objects.filter(status="HELD").update(next_action_at=timezone.now())
    release_due()


def pretend_posted(posting: Posting, document_id: str = "") -> None:
    """Walk a released posting to POSTED without a target, through legal moves."""
    now = timezone.now()
    with recording("system:test"):
        posting.refresh_from_db()
        posting.status, posting.lease_owner, posting.lease_until, posting.sends = "SENDING", "test", now, 1
        posting.save()
        posting.status, posting.lease_owner, posting.lease_until = "POSTED", None, None
        posting.erp_document_id, posting.posted_at = document_id or f"doc-{posting.pk}", now
        posting.next_action_at = None
        posting.save()


def post_everything(until: date | None = None) -> None:
    """Post whatever can be released until nothing is left to release."""
    for _ in range(10):
        plan()
        ready = list(Posting.objects.filter(status="READY").order_by("pk"))
        if not ready:
            return
        for posting in ready:
            pretend_posted(posting)
