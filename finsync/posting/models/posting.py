"""The posting state machine's tables. States and rules: reliability.md 3.2; invariants as DDL: 3.4.

The legal moves, the frozen columns and the one-row-per-move log are enforced by triggers (migration 0002).
"""

from django.db import models
from django.db.models.functions import Now

from connectors.models import Connection
from finsync.canonical.models import CanonicalChange
from finsync.core.lifecycle import PostingState
from finsync.mappings.models import MappingVersion

TERMINAL_OR_PARKED = ("POSTED", "CANCELLED", "EXCEPTION", "REJECTED")


class Posting(models.Model):
    """One document finsync intends to have exactly once in one target system.

    ``document`` is the frozen PostingDocument without references (JSON of the core record); ``amount_minor`` its
    control amount in ``currency`` (null for master data). ``fence`` grows at every claim and every janitor move;
    a write-back carries the fence it was given. ``intent`` is what a person asked for while the outcome is unknown.
    """

    connection = models.ForeignKey(Connection, models.PROTECT, related_name="postings")
    doc_type = models.CharField(max_length=24)
    business_key = models.TextField()
    external_ref = models.CharField(max_length=40)
    content_hash = models.CharField(max_length=64)
    entity = models.CharField(max_length=20)
    currency = models.CharField(max_length=3, blank=True)
    amount_minor = models.BigIntegerField(null=True)
    document = models.JSONField()
    document_date = models.DateField()
    accounting_date = models.DateField()
    original_period = models.CharField(max_length=7, blank=True)
    correlation_id = models.TextField(blank=True)
    contract_number = models.TextField(blank=True)
    contract_version = models.IntegerField(null=True)
    customer_key = models.TextField(blank=True)
    change = models.ForeignKey(CanonicalChange, models.PROTECT, related_name="postings")
    mapping_version = models.ForeignKey(MappingVersion, models.PROTECT, null=True, related_name="postings")
    reverses = models.OneToOneField("self", models.PROTECT, null=True, related_name="reversed_by")
    lane = models.TextField()

    status = models.CharField(max_length=10, default=PostingState.HELD)
    held_for = models.CharField(max_length=20, blank=True)  # DEPENDENCY, MAPPING, PERIOD, ROUTE
    status_reason = models.TextField(blank=True)
    exception_code = models.CharField(max_length=40, null=True)  # noqa: DJ001  (null is the invariant I6)
    intent = models.CharField(max_length=6, default="post")  # post or cancel
    sends = models.SmallIntegerField(default=0)
    attempts = models.SmallIntegerField(default=0)
    lookups = models.SmallIntegerField(default=0)
    negatives = models.SmallIntegerField(default=0)
    first_negative_at = models.DateTimeField(null=True)
    last_lease_until = models.DateTimeField(null=True)
    render_no = models.SmallIntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    lease_owner = models.TextField(null=True)  # noqa: DJ001  (null is the invariant I4)
    lease_until = models.DateTimeField(null=True)
    next_action_at = models.DateTimeField(null=True, db_default=Now())
    not_before = models.DateField(null=True)
    resume_id = models.TextField(blank=True)
    erp_document_id = models.TextField(null=True)  # noqa: DJ001  (null is the invariant I3)
    erp_number = models.TextField(blank=True)
    posted_at = models.DateTimeField(null=True)
    verified_count = models.SmallIntegerField(default=0)
    verify_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    source_ts = models.DateTimeField()

    class Meta:
        db_table = "posting"
        constraints = [
            models.UniqueConstraint(fields=["connection", "external_ref"], name="posting_i1_ref"),
            models.UniqueConstraint(fields=["connection", "doc_type", "business_key"], name="posting_i1_key"),
            models.UniqueConstraint(
                fields=["connection", "doc_type", "erp_document_id"],
                # An amended subscription is the same object of the target, changed; everything else is a new document.
                condition=models.Q(erp_document_id__isnull=False) & ~models.Q(doc_type="subscription"),
                name="posting_i2_one_effect",
            ),
            models.CheckConstraint(
                condition=(models.Q(status="POSTED", erp_document_id__isnull=False, posted_at__isnull=False))
                | (~models.Q(status="POSTED") & models.Q(erp_document_id__isnull=True, posted_at__isnull=True)),
                name="posting_i3_posted_has_document",
            ),
            models.CheckConstraint(
                condition=models.Q(status="SENDING", lease_owner__isnull=False, lease_until__isnull=False)
                | (~models.Q(status="SENDING") & models.Q(lease_owner__isnull=True, lease_until__isnull=True)),
                name="posting_i4_sending_has_lease",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=TERMINAL_OR_PARKED) | models.Q(next_action_at__isnull=False),
                name="posting_i5_liveness",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=("EXCEPTION", "REJECTED"), exception_code__isnull=False)
                | (~models.Q(status__in=("EXCEPTION", "REJECTED")) & models.Q(exception_code__isnull=True)),
                name="posting_i6_exception_has_code",
            ),
            models.CheckConstraint(condition=models.Q(intent__in=("post", "cancel")), name="posting_intent"),
        ]
        indexes = [
            models.Index(
                fields=["next_action_at", "id"],
                condition=models.Q(status__in=("HELD", "UNKNOWN", "SENDING", "ACCEPTED", "REJECTED")),
                name="posting_due",
            ),
            models.Index(
                fields=["lane", "id"], condition=models.Q(status__in=("READY", "SENDING")), name="posting_lane"
            ),
            models.Index(fields=["verify_at"], condition=models.Q(verify_at__isnull=False), name="posting_verify"),
            models.Index(fields=["correlation_id"], name="posting_correlation"),
            models.Index(fields=["business_key"], name="posting_business_key"),
            models.Index(fields=["status", "-id"], name="posting_status"),
            models.Index(fields=["change"], name="posting_change"),
            models.Index(fields=["contract_number"], name="posting_contract"),
            # What people search by and what the home page counts; filled only once posted.
            models.Index(fields=["erp_number"], name="posting_erp_number", condition=~models.Q(erp_number="")),
            models.Index(fields=["erp_document_id"], name="posting_erp_document"),
            models.Index(fields=["customer_key", "-id"], name="posting_customer"),
            models.Index(fields=["posted_at"], name="posting_posted_at"),
        ]

    prepared_lines: "list[PostingLine] | None" = None

    def save_lines(self) -> None:
        """Write the lines rendering prepared, in place of earlier ones; the caller has saved the posting."""
        if self.prepared_lines is None:
            return
        self.lines.all().delete()
        for line in self.prepared_lines:
            line.posting = self
        PostingLine.objects.bulk_create(self.prepared_lines)
        self.prepared_lines = None


class PostingLine(models.Model):
    """One journal line of a posting. Debits equal credits per posting and currency, checked at commit (I9)."""

    posting = models.ForeignKey(Posting, models.PROTECT, related_name="lines")
    line_no = models.SmallIntegerField()
    side = models.CharField(max_length=2)
    account = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    rule_id = models.CharField(max_length=40)
    mapping_set = models.CharField(max_length=80, blank=True)
    row_id = models.CharField(max_length=40, blank=True)
    set_version = models.ForeignKey(MappingVersion, models.PROTECT, null=True, related_name="+")
    source_line = models.TextField(blank=True)
    dimensions = models.JSONField(default=dict)

    class Meta:
        db_table = "posting_line"
        constraints = [
            models.UniqueConstraint(fields=["posting", "line_no"], name="posting_line_once"),
            models.CheckConstraint(condition=models.Q(side__in=("DR", "CR")), name="posting_line_side"),
            models.CheckConstraint(condition=models.Q(amount_minor__gte=0), name="posting_line_amount"),
        ]


class Need(models.Model):
    """What a posting waits for: another posting of the same target, by role (``customer``, ``invoice``, ``previous``).

    ``document_id`` is the target's id once it is posted; the posting is released when every need is met.
    """

    posting = models.ForeignKey(Posting, models.CASCADE, related_name="needs")
    role = models.CharField(max_length=20)
    doc_type = models.CharField(max_length=24)
    business_key = models.TextField()
    document_id = models.TextField(blank=True)
    met_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "posting_need"
        constraints = [models.UniqueConstraint(fields=["posting", "role"], name="posting_need_once")]
        indexes = [
            models.Index(fields=["business_key"], condition=models.Q(met_at__isnull=True), name="posting_need_open")
        ]


class Attempt(models.Model):
    """One send or look-up, stored before the socket opens; at most one open send per posting (I7)."""

    class Kind(models.TextChoices):
        """What was tried."""

        SEND = "SEND"
        LOOKUP = "LOOKUP"
        VERIFY = "VERIFY"

    posting = models.ForeignKey(Posting, models.PROTECT, related_name="attempt_log")
    fence = models.BigIntegerField()
    kind = models.CharField(max_length=6, choices=Kind)
    owner = models.TextField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, null=True)  # noqa: DJ001  (null means still open)
    http_status = models.SmallIntegerField(null=True)
    elapsed_ms = models.IntegerField(null=True)
    detail = models.TextField(blank=True)
    request = models.JSONField(default=dict)
    request_hash = models.CharField(max_length=64, blank=True)
    response = models.JSONField(default=dict)
    retry_after_seconds = models.FloatField(null=True)

    class Meta:
        db_table = "posting_attempt"
        constraints = [
            models.UniqueConstraint(fields=["posting", "fence", "kind"], name="attempt_once_per_fence"),
            models.UniqueConstraint(
                fields=["posting"],
                condition=models.Q(outcome__isnull=True, kind="SEND"),
                name="posting_i7_one_open_send",
            ),
        ]


class PostingMove(models.Model):
    """One row per move of a posting, written by the trigger: the machine's own diary. Append-only."""

    posting = models.ForeignKey(Posting, models.PROTECT, related_name="moves")
    at = models.DateTimeField()
    actor = models.TextField()
    frm = models.CharField(max_length=10)
    too = models.CharField(max_length=10)
    fence = models.BigIntegerField()
    reason = models.TextField(blank=True)

    class Meta:
        db_table = "posting_move"
        indexes = [models.Index(fields=["posting", "id"], name="posting_move_posting")]


class Lane(models.Model):
    """One row per ordering key of one connection: when its head is due, and who is working on it.

    Lanes are claimed with SKIP LOCKED, then their postings in order (performance.md 1), so that a busy hot key never
    slows the claim of others and at most one send per key is in flight.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="lanes")
    key = models.TextField()
    next_action_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "posting_lane_head"
        constraints = [models.UniqueConstraint(fields=["connection", "key"], name="posting_lane_once")]
        indexes = [
            models.Index(
                fields=["connection", "next_action_at"],
                condition=models.Q(next_action_at__isnull=False),
                name="posting_lane_due",
            )
        ]


class Recognition(models.Model):
    """How much revenue one journal recognises for one contract and month, so that a revised schedule posts only the
    difference. ``amount_minor`` is signed."""

    posting = models.OneToOneField(Posting, models.PROTECT, related_name="recognition")
    entity = models.CharField(max_length=20)
    contract_number = models.TextField()
    period = models.CharField(max_length=7)
    schedule_version = models.IntegerField()
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()

    class Meta:
        db_table = "posting_recognition"
        constraints = [
            models.UniqueConstraint(
                fields=["entity", "contract_number", "period", "schedule_version"], name="recognition_once"
            )
        ]
