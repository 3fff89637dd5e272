"""Mappings in the browser: the live tables of accounts, and every version behind a posting. Reading only."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from finsync.kit.views import signed_in
from finsync.mappings import selectors


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponseBase:
    """Show the live rule sets and mapping sets."""
    rules, sets = selectors.live()
    return render(
        request,
        "mappings/index.html",
        {
            "nav": "mappings",
            "groups": [
                ("Posting rules", "Which journal lines an event makes", rules),
                ("Mapping sets", "Which account or code an input stands for", sets),
            ],
        },
    )


@require_GET
@signed_in
def detail(request: HttpRequest, name: str) -> HttpResponseBase:
    """Show one version as a table: the live one, or ``?version=``; ``?row=`` marks the row a posting used."""
    asked = request.GET.get("version", "")
    found = selectors.sheet(name, int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else None)
    if found is None:
        raise Http404(f"There is no mapping {name}.")
    context = {"nav": "mappings", "sheet": found, "marked": request.GET.get("row", "")}
    return render(request, "mappings/detail.html", context)
