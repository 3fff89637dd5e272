"""One supervisor per HOME: a file lock that the system releases however its holder ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from finsync.local import running
from finsync.local.kept import STOP_SECONDS_MAX
from finsync.local.places import Home, LocalError

DYING_SECONDS = 0.5  # a process that was killed just now may still be listed


def holder(home: Home) -> int | None:
    """Return the process id of the supervisor that runs in this HOME, or None."""
    try:
        with home.lock.open("r+") as file:
            if _taken(file):
                return None
            return int(file.read() or 0)
    except FileNotFoundError:
        return None


@contextmanager
def exclusive(home: Home) -> Iterator[None]:
    """Hold HOME's lock for the duration of the block. Raises LocalError, naming the other process, if it is held.

    The processes that keep a killed supervisor's programs hold the lock too until they have stopped them: waited for.
    """
    home.path.mkdir(parents=True, exist_ok=True)
    with home.lock.open("a+") as file:
        if not _taken(file):
            file.seek(0)
            other = int(file.read() or 0)
            alive = not running.until(lambda: not running.is_alive(other), DYING_SECONDS)
            if alive or not running.until(lambda: _taken(file), STOP_SECONDS_MAX + 5, 0.2):
                raise LocalError(
                    f"finsync already runs in {home.path} (process {other}).\n"
                    "Stop it with Ctrl-C there, or choose another directory and port:\n"
                    "  FINSYNC_HOME=/another/directory PORT=8001 make run"
                )
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def _taken(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
