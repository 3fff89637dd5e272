"""Names the signed-in person as the actor of a request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from finsync.audit.services import set_actor


class ActorMiddleware:
    """Set ``user:<username>`` as the actor while a request is served, and nobody after it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request under its user's name."""
        user = getattr(request, "user", None)
        set_actor(f"user:{user.get_username()}" if user is not None and user.is_authenticated else "")
        try:
            return self.get_response(request)
        finally:
            set_actor("")
