"""The doors in the browser: health of connections, kept letters, and reading one again."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from connectors import selectors
from connectors.filtersets import FACETS, EventFilter
from connectors.models import InboxMessage
from finsync.canonical.models import Fact
from finsync.kit import facets
from finsync.kit.keyset import Order, page
from finsync.kit.permissions import Ability, needs
from finsync.kit.views import go_back, page_or_fragment, signed_in


@require_GET
@signed_in
def connections(request: HttpRequest) -> HttpResponseBase:
    """Show every connection with its health."""
    return render(request, "connections/index.html", {"nav": "connections", "health": selectors.health()})


@require_GET
@signed_in
def connection(request: HttpRequest, name: str) -> HttpResponseBase:
    """Show one connection."""
    found = next((row for row in selectors.health() if row.connection.name == name), None)
    if found is None:
        raise Http404(f"There is no connection {name}.")
    return render(request, "connections/detail.html", {"nav": "connections", "row": found})


@require_GET
@signed_in
def events(request: HttpRequest) -> HttpResponseBase:
    """Show kept letters, newest first."""
    rows = InboxMessage.objects.all()
    found = selectors.letters(EventFilter(request.GET, queryset=rows).qs)
    rest = request.GET.copy()
    rest.pop("cursor", None)
    context = {
        "nav": "events",
        "page": page(found, Order("pk"), request.GET.get("cursor", "")),
        "counted": facets.count(EventFilter, request.GET, rows, FACETS),
        "filtered": any(request.GET.get(name) for name in EventFilter.base_filters),
        "query": rest.urlencode(),
    }
    return page_or_fragment(request, "events/index.html", context, "rows")


@require_GET
@signed_in
def event(request: HttpRequest, letter_id: int) -> HttpResponseBase:
    """Show one letter as it came, and what became of it."""
    found = selectors.letter_file(letter_id)
    if found is None:
        raise Http404(f"There is no event {letter_id}.")
    return render(request, "events/detail.html", {"nav": "events", "file": found, "address": request.get_full_path()})


@require_GET
@signed_in
def event_of_fact(request: HttpRequest, fact_id: int) -> HttpResponseBase:
    """Lead from a fact to the letter it came from."""
    origin = Fact.objects.filter(pk=fact_id).values_list("origin", flat=True).first()
    if origin is None:
        raise Http404(f"There is no fact {fact_id}.")
    return redirect("event", letter_id=origin)


@require_POST
@signed_in
@needs(Ability.REPLAY)
def replay(request: HttpRequest, letter_id: int) -> HttpResponseBase:
    """Read one letter again; what was understood before gives the same facts, and nothing is posted twice."""
    from connectors.services.inbox import replay as read_again

    try:
        letter = read_again(letter_id)
    except InboxMessage.DoesNotExist:
        raise Http404(f"There is no event {letter_id}.") from None
    sentence = "is read again. Known facts change nothing and nothing is posted twice."
    messages.success(request, f"Event {letter.pk} {sentence}")
    return go_back(request, reverse("event", args=[letter_id]))
