"""Postings, their lines, needs, attempts and moves, and the accounting periods of the ERPs."""

from finsync.posting.models.period import AccountingPeriod
from finsync.posting.models.posting import Attempt, Lane, Need, Posting, PostingLine, PostingMove, Recognition
from finsync.posting.models.proposal import Proposal

__all__ = [
    "AccountingPeriod",
    "Attempt",
    "Lane",
    "Need",
    "Posting",
    "PostingLine",
    "PostingMove",
    "Proposal",
    "Recognition",
]
