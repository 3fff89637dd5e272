"""Repair is receiving again: what a system holds and finsync does not is fetched from it, never typed in."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse

from connectors.models import Connection
from exceptions_queue.services import ResolutionAction, action_for
from exceptions_queue.services.work import NotPossible
from finsync.canonical.models import Invoice, Payment
from finsync.canonical.services.facts import wish_fetch
from finsync.core.records.document import DocType
from finsync.posting.models import Posting
from reconciliation.causes import contract_number
from reconciliation.controls import CONTROLS, Held, Shown
from reconciliation.models import Break, Item, Variance
from reconciliation.services.cases import SUBJECT_TYPE

# Where the document of side A stands in the book, by what it is received as.
_BOOK: Mapping[str, type[Invoice] | type[Payment]] = {"invoice": Invoice, "payment": Payment}
_MOVING = ("HELD", "READY", "SENDING", "UNKNOWN", "ACCEPTED")


@dataclass(frozen=True)
class _Source:
    """Where a document is received from: the connection, what it is there, and its id."""

    system: str
    record_type: str
    source_id: str


def receive_again(break_id: int, actor: str) -> str:
    """Start what heals a break; returns what happens now. Raises NotPossible with what to do instead.

    A posting in exception is retried by its own action (looked up first, never sent blindly); else the document is
    fetched again from the system that holds it.
    """
    broken = Break.objects.get(pk=break_id)
    parked = parked_posting(broken)
    if parked is not None:
        action = action_for("posting")
        if action is None:
            raise NotPossible(f"posting {parked.pk} stands in exception: {parked.status_reason}; retry it there")
        return action.perform(parked.pk, actor)
    moving = _postings(broken).filter(status__in=_MOVING).first()
    if moving is not None:
        return f"{moving.business_key} is on its way already ({moving.status_reason or moving.status.lower()})"
    source = _source(broken)
    if source is None:
        raise NotPossible("nothing can be received that would change this: compare both sides and correct one")
    wish_fetch(
        source.record_type, source.source_id, aggregate_key="", system=source.system,
        reason=f"{broken.control} {broken.key}: {broken.break_class}",
    )  # fmt: skip
    return f"{source.record_type} {source.source_id} is fetched again from {source.system}; the next run compares anew"


def parked_posting(broken: Break) -> Posting | None:
    """Return the posting whose exception keeps the two sides apart, None where there is none."""
    return _postings(broken).filter(status="EXCEPTION").order_by("contract_version", "pk").first()


def _postings(broken: Break) -> QuerySet[Posting]:
    """The postings that could explain a break."""
    control, latest = CONTROLS[broken.control], _latest(broken)
    if control.about_contract:
        found = Posting.objects.filter(entity=broken.entity, contract_number=contract_number(broken))
        return found.filter(doc_type=DocType.REVENUE_CONTRACT) if isinstance(control.a, Held) else found
    book = _BOOK.get(control.a.record_type) if isinstance(control.a, Shown) else None
    if book is None or latest is None:
        return Posting.objects.filter(external_ref=broken.key)
    keys = list(book.objects.filter(source_id=latest.source_id_a).values_list("aggregate_key", flat=True)[:2])
    return Posting.objects.filter(business_key__in=[*keys, *(f"{key}:v1" for key in keys)])


def _latest(broken: Break) -> Variance | None:
    return Variance.objects.filter(standing=broken).order_by("-pk").first()


def _source(broken: Break) -> _Source | None:
    """Side A is upstream: its document is received again where it has one."""
    control, latest = CONTROLS[broken.control], _latest(broken)
    if latest is None:
        return None
    if isinstance(control.a, Shown):
        if not (control.a.record_type and latest.source_id_a):
            return None
        item = Item.objects.filter(run=latest.run_id, side="A", entity=broken.entity, key=broken.key).first()
        return _Source(_system(item, control.a), control.a.record_type, latest.source_id_a)
    if control.about_contract and latest.version_b > latest.version_a:
        return _Source("", "contract_version", contract_number(broken))
    return None


def _system(item: Item | None, side: Shown) -> str:
    """The connection an item came from; once its items are pruned the only one of its role, else any owner ("")."""
    if item is not None and item.system:
        return item.system
    names = list(Connection.objects.filter(roles__contains=[side.role]).values_list("name", flat=True)[:2])
    return names[0] if len(names) == 1 else ""


def page_of(break_id: int) -> str:
    """Return the page of a break: the parked posting where one explains it, else the cell of its newest run."""
    broken = Break.objects.get(pk=break_id)
    parked, action = parked_posting(broken), action_for("posting")
    if parked is not None and action is not None:
        return action.link(parked.pk)
    try:
        return reverse("reconciliation-cell", args=[broken.last_run_id, broken.entity, broken.currency])
    except NoReverseMatch:
        return ""


ACTION = ResolutionAction(SUBJECT_TYPE, "Receive again", receive_again, page_of)
