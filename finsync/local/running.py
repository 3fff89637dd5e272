"""Is that process still the one we started? Process ids are reused, so an id alone proves nothing."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def is_alive(pid: int) -> bool:
    """Whether a process of this id lives; one that ended and only waits to be collected by its parent does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def process_of(pid_file: Path, program: str) -> psutil.Process | None:
    """Return the living process whose id stands first in ``pid_file``, if it really runs ``program``."""
    try:
        pid = int(pid_file.read_text().split()[0])
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or program not in process.name():
            return None
    except (FileNotFoundError, ValueError, IndexError, psutil.Error):
        return None
    return process


def is_other_program(pid_file: Path, program: str) -> bool:
    """Whether the id in ``pid_file`` is alive but belongs to something else: the file is stale, the id was reused."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process.status() != psutil.STATUS_ZOMBIE and program not in process.name()
    except (FileNotFoundError, ValueError, IndexError, psutil.Error):
        return False


def wait_gone(process: psutil.Process, timeout_seconds: float) -> bool:
    """Wait until the process has ended; kill it after ``timeout_seconds``. Return whether it ended by itself."""
    with contextlib.suppress(psutil.Error):
        try:
            process.wait(timeout_seconds)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
            return False
    return True


def until(condition: Callable[[], object], timeout_seconds: float, every_seconds: float = 0.05) -> bool:
    """Call ``condition`` until it is true or the time is over; return whether it became true."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_seconds)
    return True
