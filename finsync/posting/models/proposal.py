"""What a person asked for and a second one has to confirm."""

from django.db import models
from django.db.models.functions import Now

from finsync.posting.models.posting import Posting


class Proposal(models.Model):
    """One person's proposal to link a posting to a target document, or to cancel one that was sent (four eyes).

    ``proposed_by`` and ``confirmed_by`` are actors (``user:ada``). The database refuses one person as both, and a
    second open proposal per posting.
    """

    class Kind(models.TextChoices):
        """What is asked for."""

        LINK = "LINK"
        CANCEL = "CANCEL"

    posting = models.ForeignKey(Posting, models.PROTECT, related_name="proposals")
    kind = models.CharField(max_length=6, choices=Kind)
    document_id = models.TextField(blank=True)
    number = models.TextField(blank=True)
    evidence = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField(db_default=Now())
    confirmed_by = models.TextField(null=True)  # noqa: DJ001  (null means still open)
    decided_at = models.DateTimeField(null=True)
    withdrawn_by = models.TextField(null=True)  # noqa: DJ001

    class Meta:
        db_table = "posting_proposal"
        constraints = [
            models.UniqueConstraint(
                fields=["posting"],
                condition=models.Q(confirmed_by__isnull=True, withdrawn_by__isnull=True),
                name="posting_one_open_proposal",
            ),
            models.CheckConstraint(
                condition=~models.Q(proposed_by=models.F("confirmed_by")), name="posting_proposal_four_eyes"
            ),
            models.CheckConstraint(
                condition=~models.Q(kind="LINK") | ~models.Q(document_id=""), name="posting_proposal_names_document"
            ),
        ]
