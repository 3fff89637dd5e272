"""The append-only, hash-chained record of every change to financial and configuration rows.

Rows are written by database triggers only (see ``sql.py``), so bulk and raw SQL writes are seen too. Design:
reliability.md 5.2 and 5.3; chaining at commit is argued in docs/decisions/0003-audit-chain-at-commit.md.
"""

from django.db import models

CHAINS = 16  # independent hash chains, so that writers do not queue behind one head row


class AuditEntry(models.Model):
    """One insert, update or delete of one row. For an update ``old`` and ``new`` hold only the changed columns."""

    at = models.DateTimeField()
    actor = models.TextField()
    on_behalf_of = models.TextField(blank=True)
    correlation_id = models.TextField(blank=True)
    table_name = models.TextField()
    row_pk = models.TextField()
    operation = models.CharField(max_length=6)
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)
    transaction_id = models.BigIntegerField(db_index=True)

    class Meta:
        db_table = "audit_log"
        indexes = [
            models.Index(fields=["table_name", "row_pk"], name="audit_log_row"),
            models.Index(fields=["actor", "-id"], name="audit_log_actor"),
        ]


class AuditLink(models.Model):
    """The place of an entry in its hash chain: ``hash = sha256(previous hash ‖ canonical entry)``."""

    entry = models.OneToOneField(AuditEntry, models.DO_NOTHING, primary_key=True, related_name="link")
    chain = models.SmallIntegerField()
    sequence = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        db_table = "audit_link"
        constraints = [models.UniqueConstraint(fields=["chain", "sequence"], name="audit_link_sequence")]


class AuditHead(models.Model):
    """The newest link of each chain; comparing it with the links shows a cut-off tail."""

    chain = models.SmallIntegerField(primary_key=True)
    sequence = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        db_table = "audit_head"
