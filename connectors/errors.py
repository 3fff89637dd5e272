"""The six closed answers of an outside system that are not success (architecture.md 5).

A connector turns every status code, fault and network failure into exactly one of them; engines know no others.
"""


class ConnectorError(Exception):
    """Base of the six. ``detail`` is for a person, at most DETAIL_CHARACTERS_MAX; ``http_status`` if there is one."""

    DETAIL_CHARACTERS_MAX = 2_000

    def __init__(self, detail: str, *, http_status: int | None = None, code: str = "") -> None:
        self.detail = detail[: self.DETAIL_CHARACTERS_MAX]
        self.http_status = http_status
        self.code = code
        super().__init__(self.detail)


class TryLater(ConnectorError):
    """Surely not processed: refused before a byte was sent, or a documented 429 or 503. May be sent again."""

    def __init__(
        self, detail: str, *, retry_after_seconds: float | None = None, http_status: int | None = None, code: str = ""
    ) -> None:
        super().__init__(detail, http_status=http_status, code=code)
        self.retry_after_seconds = retry_after_seconds


class Rejected(ConnectorError):
    """A documented business refusal. ``code`` is the finsync reason code it maps to (ERP_PERIOD_CLOSED …)."""


class AuthFailed(ConnectorError):
    """The credentials were refused; the route pauses until they work."""


class OutcomeUnknown(ConnectorError):
    """It may have been processed: timeout, reset, 5xx, an unreadable 2xx. Never sent again before a look-up."""


class NotFound(ConnectorError):
    """The object asked for does not exist there."""


class Unsupported(ConnectorError):
    """The connector or this connection cannot do that at all."""
