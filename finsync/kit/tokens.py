"""``Authorization: Token fs_…`` for the API, and what a token's scopes allow."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from finsync.audit.services import set_actor
from finsync.kit.models import ApiToken

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
            raise AuthenticationFailed("The token is unknown, revoked or expired. Ask an integration admin for a new one.")
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
        return not isinstance(request.auth, ApiToken) or "read" in request.auth.scopes


class MayAct(MayRead):
    """Reading as above; anything else needs the permission the view names in ``act_permission`` and scope ``act``."""

    message = "You lack the role, or the token the scope 'act', for this action."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the request may be served."""
        if not super().has_permission(request, view):
            return False
        if request.method in SAFE_METHODS:
            return True
        if isinstance(request.auth, ApiToken) and "act" not in request.auth.scopes:
            return False
        needed = getattr(view, "act_permission", None)
        return needed is None or request.user.has_perm(needed)
