"""Who may do what: the one table of roles and abilities. Pages, API and commands ask here and nowhere else.

A role is a Django group of the same name. Reading is open to every signed-in person; an auditor can do nothing else.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

Person = AbstractBaseUser | AnonymousUser
View = Callable[..., HttpResponseBase]


class Role(StrEnum):
    """The groups people are put in."""

    ANALYST = "analyst"
    CONTROLLER = "controller"
    MAPPING_AUTHOR = "mapping_author"
    MAPPING_APPROVER = "mapping_approver"
    INTEGRATION_ADMIN = "integration_admin"
    AUDITOR = "auditor"

    @property
    def title(self) -> str:  # type: ignore[override]
        """The role as people say it."""
        return self.value.replace("_", " ").capitalize()


class Ability(StrEnum):
    """What a role allows beyond reading; the value completes the sentence 'you may not …'."""

    WORK_CASES = "work on exceptions"
    RETRY = "retry a posting"
    REPLAY = "replay an event"
    RECONCILE = "run a reconciliation"


_DESK = frozenset({Role.ANALYST, Role.CONTROLLER, Role.INTEGRATION_ADMIN})
HOLDERS: dict[Ability, frozenset[Role]] = {
    Ability.WORK_CASES: _DESK,
    Ability.RETRY: _DESK,
    Ability.REPLAY: _DESK,
    Ability.RECONCILE: frozenset({Role.CONTROLLER, Role.INTEGRATION_ADMIN}),
}


def roles_of(user: Person) -> frozenset[str]:
    """Return the roles a person holds; read once per request and kept on the user object."""
    if not user.is_authenticated:
        return frozenset()
    held: frozenset[str] | None = getattr(user, "_finsync_roles", None)
    if held is None:
        assert isinstance(user, User)
        held = frozenset(user.groups.values_list("name", flat=True))
        user._finsync_roles = held  # type: ignore[attr-defined]
    return held


def may(user: Person, ability: Ability) -> bool:
    """Return whether a person may do something. Superusers may do everything an active person may."""
    if not user.is_authenticated or not user.is_active:
        return False
    return bool(getattr(user, "is_superuser", False)) or bool(roles_of(user) & HOLDERS[ability])


def why_not(ability: Ability) -> str:
    """Return the sentence shown where a button would stand: which roles could do it."""
    names = sorted(role.title for role in HOLDERS[ability])
    return f"You may look, but not {ability}. That takes one of these roles: {', '.join(names)}."


def needs(ability: Ability) -> Callable[[View], View]:
    """Refuse a view to everyone without the ability, with the sentence of ``why_not``."""

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, ability):
                raise PermissionDenied(why_not(ability))
            return view(request, *args, **kwargs)

        return guarded

    return wrap
