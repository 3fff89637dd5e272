"""Every API error as RFC 9457 problem details: what, where, what to do."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.serializers.json import DjangoJSONEncoder
from django.core.signals import got_request_exception
from django.db import DataError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions, status
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 5  # how soon to ask again while the database does not answer


class Conflict(exceptions.APIException):
    """The request does not fit the row as it stands; ``legal`` names the actions that do, ``version`` is the row's."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"
    default_detail = "The row has changed or is not in a state that allows this."

    def __init__(self, detail: str = "", *, legal: Sequence[str] = (), version: int | None = None) -> None:
        super().__init__(detail or None)
        self.extra: dict[str, Any] = {"legal": list(legal)}
        if version is not None:
            self.extra["version"] = version


class TooLarge(exceptions.APIException):
    """The body is larger than this site reads."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The body is larger than this site reads. Nothing here needs more than a few kilobytes."


class Unavailable(exceptions.APIException):
    """The database does not answer, or not in time."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "The database does not answer at the moment. Ask again shortly."
    wait = RETRY_SECONDS


class ServerError(exceptions.APIException):
    """A defect on this side."""

    default_code = "server_error"
    default_detail = "Something failed on this side. It was logged; asking again may not help."


def problem_details(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Answer an exception as problem details, always JSON, whatever the client accepts. Defects are logged as such."""
    request: Request | None = context.get("request")
    known = _known(error)
    if isinstance(known, ServerError | Unavailable):
        logger.error("%s failed", request.path if request else "a request", exc_info=error)
    if isinstance(known, ServerError):
        got_request_exception.send(sender=None, request=getattr(request, "_request", None))
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(known.status_code).phrase,
        "status": known.status_code,
        "detail": str(known.detail),
        "code": known.default_code,
    }
    if isinstance(known, exceptions.ValidationError):
        body["detail"] = "Some values were not accepted."
        body["errors"] = list(_errors(known.get_full_details(), _kind_of_place(request)))
    body |= getattr(known, "extra", {})
    if request is not None:
        body["instance"] = request.path
    response = HttpResponse(json.dumps(body, cls=DjangoJSONEncoder), CONTENT_TYPE, known.status_code)
    if getattr(known, "auth_header", None):
        response["WWW-Authenticate"] = known.auth_header
    if getattr(known, "wait", None):
        response["Retry-After"] = str(int(known.wait))
    return response


def _known(error: Exception) -> exceptions.APIException:
    """Return the error as one the API knows; anything unforeseen is a defect on this side."""
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound(*error.args)
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(*error.args)
    if isinstance(error, DataError):  # what Python reads and PostgreSQL cannot hold, such as a time zone 20 hours off
        return exceptions.ValidationError({"value": "A value is beyond what can be stored or compared."})
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    return Unavailable() if isinstance(error, OperationalError) else ServerError()


def _kind_of_place(request: Request | None) -> str:
    return "parameter" if request is None or request.method in SAFE_METHODS else "pointer"


def _errors(details: Any, kind: str, place: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Flatten nested details into ``{"pointer": "#/reason", "code", "detail"}``; in a query ``parameter`` names it."""
    if isinstance(details, Mapping) and "message" in details and "code" in details:
        where = ("#/" + "/".join(place) if place else "#") if kind == "pointer" else ".".join(place)
        yield {kind: where, "code": str(details["code"]), "detail": str(details["message"])}
    elif isinstance(details, Mapping):
        for name, inner in details.items():
            yield from _errors(inner, kind, place if name == "non_field_errors" else (*place, str(name)))
    else:
        for inner in details:
            yield from _errors(inner, kind, place)
