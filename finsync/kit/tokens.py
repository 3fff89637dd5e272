"""``Authorization: Token fs_…`` for the API, and what a token's scopes allow."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from finsync.audit.services import set_actor
from finsync.kit.models import ApiToken, Scope
from finsync.kit.permissions import may, why_not

LAST_USED_RESOLUTION_SECONDS = 60


class TokenAuthentication(BaseAuthentication):
    """Authenticate by token. The actor becomes ``user:<owner> via token <prefix>``."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiToken] | None:
        """Return owner and token, None where another scheme is used. Raises AuthenticationFailed for a bad token."""
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "token":
            return None
        token = ApiToken.find(text.strip())
        if token is None or not token.owner.is_active:
            raise AuthenticationFailed(
                "The token is unknown, revoked or expired. Ask an integration admin for a new one."
            )
        now = timezone.now()
        if token.last_used_at is None or (now - token.last_used_at).total_seconds() > LAST_USED_RESOLUTION_SECONDS:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        set_actor(f"user:{token.owner.get_username()} via token {token.prefix}")
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        """Make a missing token a 401, not a 403."""
        return "Token"


class MayRead(BasePermission):
    """Signed-in people may read; tokens need the scope ``read``."""

    message = "The token lacks the scope 'read'."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the request may be served."""
        if not request.user or not request.user.is_authenticated:
            return False
        return _has_scope(request, Scope.READ)


class MayAct(MayRead):
    """Reading as above; an action needs the ability its view names in ``abilities``, and of a token the scope ``act``.

    An action without an ability there is refused to everybody: a forgotten line opens nothing.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the request may be served; ``message`` says what is missing."""
        if not super().has_permission(request, view):
            return False
        if request.method in SAFE_METHODS or not hasattr(view, request.method.lower()):  # the latter becomes a 405
            return True
        ability = view.abilities.get(view.action)
        if ability is None:
            self.message = "Nobody may do this."
            return False
        if not _has_scope(request, Scope.ACT):
            self.message = f"The token lacks the scope '{Scope.ACT}'."
            return False
        self.message = why_not(ability)
        return may(request.user, ability)


def _has_scope(request: Request, scope: Scope) -> bool:
    """Whether the request's token has a scope; a signed-in browser has all."""
    return not isinstance(request.auth, ApiToken) or scope in request.auth.scopes
