"""Every API error as RFC 9457 problem details: what, where, what to do."""

from typing import Any

from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

CONTENT_TYPE = "application/problem+json"


class Conflict(exceptions.APIException):
    """The request does not fit the present state of the row; the detail says what is legal."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"
    default_detail = "The row has changed or is not in a state that allows this."


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn DRF's answer to an exception into problem details; None lets Django handle it as a server error."""
    response = exception_handler(error, context)
    if response is None:
        return None
    body: dict[str, Any] = {"type": "about:blank", "title": response.status_text, "status": response.status_code}
    if isinstance(error, exceptions.ValidationError):
        body["detail"] = "Some values were not accepted."
        body["errors"] = error.get_full_details() if isinstance(error.detail, dict) else {"request": error.get_full_details()}
    else:
        body["detail"] = str(getattr(error, "detail", error))
    body["code"] = getattr(error, "default_code", "error")
    request = context.get("request")
    if request is not None:
        body["instance"] = request.path
    response.data = body
    response.content_type = CONTENT_TYPE
    return response
