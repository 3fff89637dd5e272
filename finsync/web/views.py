"""Pages that span rooms: home, search, trace; sign-in, preferences and the error pages."""

import logging
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.template import loader
from django.views.decorators.http import require_GET, require_POST

from finsync.kit import preferences
from finsync.kit.permissions import Role
from finsync.kit.views import go_back, signed_in
from finsync.web import trace as traces
from finsync.web.search import SHOWN_MAX, page_of_change, search
from finsync.web.selectors import read_home

logger = logging.getLogger(__name__)
DEMO_ACCOUNTS_SHOWN_MAX = 12


@require_GET
@signed_in
def home(request: HttpRequest) -> HttpResponseBase:
    """Show how the thread runs: throughput, latency, ageing, replays, variance, and what is being set up."""
    return render(request, "home/index.html", {"nav": "home", "home": read_home(preferences.entity(request))})


@require_GET
@signed_in
def find(request: HttpRequest) -> HttpResponseBase:
    """Show what a text stands for; a single posting opens at once. ``change`` names a change instead of a text."""
    if request.GET.get("change", "").isdecimal():
        return redirect(page_of_change(int(request.GET["change"])))
    text = request.GET.get("q", "").strip()
    found = search(text)
    if found.only is not None:
        return redirect("trace", posting_id=found.only.pk)
    return render(request, "search/index.html", {"text": text, "found": found, "shown_max": SHOWN_MAX})


@require_GET
@signed_in
def trace(request: HttpRequest, posting_id: int) -> HttpResponseBase:
    """Show one posting from the contract to the ledger, or only the evidence panel where htmx asks for it."""
    event, tab = request.GET.get("event", ""), request.GET.get("tab", "")
    level = request.GET.get("level", "grouped")
    htmx = getattr(request, "htmx", None)
    if htmx and htmx.target == "evidence":
        panel = traces.read_evidence(posting_id, event, tab)
        if panel is None:
            raise Http404(f"There is no posting {posting_id}.")
        context = {"panel": panel, "posting_id": posting_id, "tabs": traces.TABS, "level": level}
        response = render(request, "trace/evidence.html", context)
        response.headers["Vary"] = "HX-Request, HX-Target, Cookie"
        return response
    found = traces.read(posting_id, event, tab, level)
    if found is None:
        raise Http404(f"There is no posting {posting_id}.")
    context = {
        "nav": "transactions",
        "trace": found,
        "row": found.file.posting,
        "panel": found.evidence,
        "tabs": traces.TABS,
        "posting_id": posting_id,
        "level": level,
        "address": request.get_full_path(),
    }
    return render(request, "trace/index.html", context)


class SignIn(LoginView):
    """Sign in. Where a demo runs, its accounts are named; after an expired session the page says so."""

    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the demo accounts and whether a session has ended."""
        context = super().get_context_data(**kwargs)
        ended = bool(self.request.COOKIES.get(settings.SESSION_COOKIE_NAME)) and "next" in self.request.GET
        context |= {"session_ended": ended and self.request.method == "GET", "accounts": _demo_accounts()}
        return context


def _demo_accounts() -> list[tuple[str, str]]:
    """Return user names with their roles, only where the environment is labelled as no production."""
    if not settings.ENVIRONMENT_LABEL:
        return []
    people = get_user_model().objects.filter(is_active=True, groups__name__in=list(Role)).order_by("pk")
    rows = people.values_list("username", "groups__name")[:DEMO_ACCOUNTS_SHOWN_MAX]
    return [(username, Role(role).title) for username, role in rows]


@require_POST
def preference(request: HttpRequest) -> HttpResponseBase:
    """Remember theme, single keys or entity for this browser."""
    response = go_back(request, "/")
    for name in (preferences.THEME, preferences.KEYS, preferences.ENTITY):
        if name in request.POST:
            try:
                preferences.remember(request, response, name, request.POST[name])
            except ValueError:
                return HttpResponseBadRequest("This is no preference.")
    return response


# ---- errors ----------------------------------------------------------------------------------------------------


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: which role is missing."""
    return render(request, "errors/403.html", {"reason": str(exception)}, status=403)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: what is not there. The path of an unknown address is not echoed."""
    said = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    return render(request, "errors/404.html", {"reason": said}, status=404)


def failed(request: HttpRequest) -> HttpResponse:
    """500: a reference that stands in the log too. Uses neither database nor session: they may be what failed."""
    reference = secrets.token_hex(4)
    logger.error("page failed, reference %s: %s %s", reference, request.method, request.path)
    text = loader.get_template("errors/500.html").render({"reference": reference, "theme": preferences.theme(request)})
    return HttpResponse(text, status=500)
