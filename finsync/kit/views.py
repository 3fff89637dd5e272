"""What every page view shares: sign-in, fragments for htmx, and the way back after an action."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.http import HttpResponseClientRedirect

View = Callable[..., HttpResponseBase]


def signed_in(view: View) -> View:
    """Ask for a sign-in first. A fragment asked for after the session ended moves the whole page there."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        htmx = getattr(request, "htmx", None)
        if htmx:
            back = htmx.current_url_abs_path or "/"
            return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}")
        back = request.get_full_path() if request.method == "GET" else return_to(request, "/")
        return redirect_to_login(back, resolve_url(settings.LOGIN_URL))

    return guarded


def page_or_fragment(request: HttpRequest, template: str, context: dict[str, Any], fragment: str = "") -> HttpResponse:
    """Render ``template``, or only its ``fragment`` where htmx asks for the element of that name."""
    htmx = getattr(request, "htmx", None)
    wanted = fragment and htmx and not htmx.boosted and htmx.target == fragment
    response = render(request, f"{template}#{fragment}" if wanted else template, context)
    response.headers["Vary"] = "HX-Request, HX-Target, Cookie"
    return response


def return_to(request: HttpRequest, default: str) -> str:
    """Return the address of this site a form names in ``next``, or ``default``."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if target and safe else default


def go_back(request: HttpRequest, default: str) -> HttpResponseBase:
    """Redirect to where the form came from, with 303 so that the reload is a GET."""
    response = HttpResponseRedirect(return_to(request, default))
    response.status_code = 303
    return response
