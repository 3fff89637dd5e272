"""Reconciliation in the browser: the matrix, both sides of a cell, and asking for a run."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from finsync.kit import preferences
from finsync.kit.permissions import Ability, needs
from finsync.kit.views import go_back, signed_in
from reconciliation import selectors
from reconciliation.controls import CONTROLS, titles


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponseBase:
    """Show the matrix of the newest runs and the history of all."""
    context = {
        "nav": "reconciliation",
        "matrix": selectors.matrix(titles(), preferences.entity(request)),
        "runs": selectors.recent_runs(),
        "address": request.get_full_path(),
    }
    return render(request, "reconciliation/index.html", context)


@require_GET
@signed_in
def cell(request: HttpRequest, run_id: int, entity: str, currency: str) -> HttpResponseBase:
    """Show both sides of one cell, item by item."""
    show = request.GET.get("show", "open")
    found = selectors.drill(run_id, entity, currency, show, request.GET.get("after", ""))
    if found is None:
        raise Http404("There is no such cell. Runs are kept; open it from the list of runs.")
    control = CONTROLS.get(found.square.run.control)
    context = {
        "nav": "reconciliation",
        "drill": found,
        "show": show,
        "title": control.title if control else found.square.run.control,
        "question": control.question if control else "",
        "left": control.a.name if control else "Side A",
        "right": control.b.name if control else "Side B",
    }
    return render(request, "reconciliation/cell.html", context)


@require_POST
@signed_in
@needs(Ability.RECONCILE)
def run_now(request: HttpRequest) -> HttpResponseBase:
    """Ask for a run of one control; a worker does it."""
    from reconciliation.services.run import request as ask

    control = request.POST.get("control", "")
    if control not in CONTROLS:
        messages.error(request, "Choose a control to run.")
    else:
        ask(control)
        messages.success(request, f"{control} is asked for. Its row shows the new result when the run has ended.")
    return go_back(request, reverse("reconciliation"))
