"""Postings in the browser: the list called Transactions, and starting one again."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from finsync.audit.services import current_actor
from finsync.kit import facets, preferences
from finsync.kit.keyset import Order, page
from finsync.kit.permissions import Ability, needs
from finsync.kit.views import go_back, page_or_fragment, signed_in
from finsync.posting import selectors
from finsync.posting.filtersets import FACETS, PostingFilter
from finsync.posting.models import Posting


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponseBase:
    """Show postings, newest first, under a tab, filters and a search by any id."""
    view, scope = request.GET.get("view", "all"), preferences.entity(request)
    asked = request.GET.copy()
    # The text is resolved to ids once, not once per facet.
    rows = selectors.postings(view, scope).filter(selectors.found_by("".join(asked.pop("q", [])[-1:])))
    matching = selectors.listed(PostingFilter(asked, queryset=rows).qs)
    found = page(matching, Order("pk"), request.GET.get("cursor", ""))
    for row in found.rows:
        row.reached, row.tone = selectors.reached(row)
    rest = request.GET.copy()
    rest.pop("cursor", None)
    context = {
        "nav": "transactions",
        "view": view,
        "page": found,
        "counted": facets.count(PostingFilter, asked, rows, FACETS),
        "filtered": any(request.GET.get(name) for name in PostingFilter.base_filters),
        "query": rest.urlencode(),
        "steps": selectors.STEPS,
    }
    if not getattr(request, "htmx", None):
        counts = facets.count_each({name: selectors.postings(name, scope) for name, _ in selectors.VIEWS})
        context["tabs"] = [(name, title, counts[name]) for name, title in selectors.VIEWS]
    return page_or_fragment(request, "transactions/index.html", context, "rows")


@require_POST
@signed_in
@needs(Ability.RETRY)
def retry(request: HttpRequest, posting_id: int) -> HttpResponseBase:
    """Start one posting again. What was sent before is looked up first; nothing is sent blindly."""
    from finsync.posting.services.actions import ConflictError
    from finsync.posting.services.actions import retry as start_again

    try:
        outcome = start_again(posting_id, current_actor())
    except Posting.DoesNotExist:
        raise Http404(f"There is no posting {posting_id}.") from None
    except ConflictError as refusal:
        messages.error(request, f"Nothing was started. {refusal}")
    else:
        messages.success(request, f"{outcome[:1].upper()}{outcome[1:]}.".replace("..", "."))
    return go_back(request, reverse("trace", args=[posting_id]))
