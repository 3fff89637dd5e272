"""How the API describes itself: a summary, who may ask, and the problems of every operation, derived from the views."""

from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from rest_framework import serializers

from finsync.kit.permissions import HOLDERS
from finsync.kit.problems import CONTENT_TYPE

_PROBLEMS = {
    "400": "A value, a filter or the body was not accepted; `errors` says which and why.",
    "401": "No token, or one that is unknown, revoked or expired.",
    "403": "The token lacks the scope, or its owner the role.",
    "404": "There is nothing at this address.",
    "409": "It does not fit the present state; `legal` names what does.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "503": "The database does not answer at the moment.",
}


class ProblemError(serializers.Serializer):
    """One value that was not accepted."""

    pointer = serializers.CharField(required=False, help_text="JSON pointer into the body.")
    parameter = serializers.CharField(required=False, help_text="Name in the query.")
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer):
    """Problem details of RFC 9457: what happened, where, and what to do."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    instance = serializers.CharField(required=False)
    errors = ProblemError(many=True, required=False)
    legal = serializers.ListField(child=serializers.CharField(), required=False, help_text="Actions that fit now.")
    version = serializers.IntegerField(required=False, help_text="The row's present version.")


class TokenScheme(OpenApiAuthenticationExtension):
    """``Authorization: Token fs_…``."""

    target_class = "finsync.kit.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return the scheme, with how to get a token."""
        made = cast("dict[str, str]", build_bearer_security_scheme_object("Authorization", "Token"))
        made["description"] = (
            "`Authorization: Token fs_…`. A token belongs to a person, ends after at most 90 days, and has the scope "
            "`read`, or `read` and `act`. `manage.py api_token issue` makes one and shows it once."
        )
        return made


class Described(AutoSchema):
    """An operation as its view's docstrings say it, with its problems."""

    def get_summary(self) -> str | None:
        """Return one line."""
        action = getattr(self.view, "action", None)
        if action == "list":
            return f"List {self.view.plural}"
        if action == "retrieve":
            return f"Read one {self.view.noun}"
        first_line = str(self.get_description()).strip().splitlines()[0]
        return first_line.split(". ")[0].split(": ")[0].rstrip(".")

    def get_description(self) -> str:
        """Return the docstring and, for an action, who may do it."""
        text = str(super().get_description())
        ability = getattr(self.view, "abilities", {}).get(getattr(self.view, "action", None))
        if ability is None or self.method == "GET":
            return text
        roles = ", ".join(sorted(role.value for role in HOLDERS[ability]))
        return f"{text}\n\nTakes the scope `act` and one of the roles {roles}."

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for code in self._problem_codes():
            if code not in bodies:
                body = self._get_response_for_code(Problem, code, [CONTENT_TYPE], direction)
                bodies[code] = body | {"description": _PROBLEMS[code]}
        return bodies

    def _problem_codes(self) -> list[str]:
        codes = {"503"} if not self.get_auth() or self.get_auth() == [{}] else {"400", "401", "403", "503"}
        if "{" in self.path or getattr(self.view, "may_find_nothing", False):
            codes.add("404")
        if self.method == "POST":
            codes |= {"409", "413", "415"}
        return sorted(codes)
