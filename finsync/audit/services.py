"""Writing with a name on it: every audited write happens inside ``recording``."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection, transaction

_actor: ContextVar[str] = ContextVar("finsync_actor", default="")


def set_actor(actor: str) -> None:
    """Name who acts in this context from now on (middleware, task and command entry points)."""
    _actor.set(actor)


def current_actor() -> str:
    """Return who acts, "" where nobody was named."""
    return _actor.get()


@contextmanager
def recording(actor: str = "", *, on_behalf_of: str = "", correlation_id: str = "") -> Iterator[None]:
    """Open a transaction whose changes are recorded under ``actor`` (default: the current one).

    Actors read ``user:ada`` or ``system:dispatch``. Raises LookupError where nobody is named: an unnamed change is
    refused here and, for writes that go round this function, by the database.
    """
    name = actor or _actor.get()
    if not name:
        raise LookupError("name the actor: recording('system:<stage>'), or sign in")
    token = _actor.set(name)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('finsync.actor', %s, true), set_config('finsync.on_behalf_of', %s, true),"
                    " set_config('finsync.correlation_id', %s, true)",
                    [name, on_behalf_of, correlation_id],
                )
            yield
    finally:
        _actor.reset(token)
