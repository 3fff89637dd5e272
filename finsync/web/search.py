"""Finding anything by any id: postings, cases and letters, each list short and with a link to the full one."""

from dataclasses import dataclass

from django.http import Http404
from django.urls import reverse

from connectors.filtersets import EventFilter
from connectors.models import InboxMessage
from connectors.selectors import letters
from exceptions_queue.filtersets import CaseFilter
from exceptions_queue.models import ExceptionCase
from finsync.canonical.models import CanonicalChange
from finsync.posting.models import Posting
from finsync.posting.selectors import found_by, listed

SHOWN_MAX = 10


@dataclass(frozen=True)
class Found:
    """What a text stands for; each list is newest first and holds at most ``SHOWN_MAX`` + 1."""

    postings: list[Posting]
    cases: list[ExceptionCase]
    letters: list[InboxMessage]

    @property
    def only(self) -> Posting | None:
        """The one posting, where nothing else was found."""
        return self.postings[0] if len(self.postings) == 1 and not self.cases and not self.letters else None


def page_of_change(change_id: int) -> str:
    """Return the page of a change: its first posting's trace, or the letter it came from. Raises Http404."""
    change = CanonicalChange.objects.filter(pk=change_id).defer("record").first()
    if change is None:
        raise Http404(f"There is no change {change_id}.")
    posting = change.postings.order_by("pk").values_list("pk", flat=True).first()
    return reverse("trace", args=[posting]) if posting else reverse("event", args=[change.origin])


def search(text: str) -> Found:
    """Look for a text everywhere, in four queries."""
    text = text.strip()
    if not text:
        return Found([], [], [])
    rows = listed(Posting.objects.filter(found_by(text))).order_by("-pk")
    cases = CaseFilter({"q": text}, queryset=ExceptionCase.objects.all()).qs.order_by("-pk")
    heard = letters(EventFilter({"q": text}, queryset=InboxMessage.objects.all()).qs).order_by("-pk")
    most = SHOWN_MAX + 1
    return Found(list(rows[:most]), list(cases[:most]), list(heard[:most]))
