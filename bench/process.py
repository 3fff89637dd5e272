"""One measure in a process of its own, so that its memory is its own and an error of one leaves the others."""

import importlib
import multiprocessing
import os
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from bench.figures import Measured, Scale
from bench.ground import prepare, start_django

KILOBYTES_PER_MEGABYTE = 1024  # ru_maxrss counts kilobytes on Linux
END_SECONDS_MAX = 10


def say(words: str) -> None:
    """Show progress, beside the figures."""
    print(f"  {words}", file=sys.stderr, flush=True)


def prepared(environment: dict[str, str]) -> None:
    """Make the template database. Raises RuntimeError where that fails."""
    if _run(environment, _prepare) is None:
        raise RuntimeError("the sample company could not be made; the error stands above")


def measured(environment: dict[str, str], name: str, scale: Scale) -> Measured | None:
    """Run one measure; None where it broke, which was shown."""
    return _run(environment, _measure, name, scale)


def _run(environment: dict[str, str], work: Callable[..., None], *arguments: Any) -> Measured | None:
    os.environ.update(environment)
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        answer: Measured = mine.recv()
        return answer
    except EOFError:
        return None
    finally:
        process.join(END_SECONDS_MAX)
        if process.is_alive():
            process.terminate()
            process.join()


def _prepare(pipe: Connection) -> None:
    try:
        prepare()
    except KeyboardInterrupt:
        return
    pipe.send(Measured())


def _measure(pipe: Connection, name: str, scale: Scale) -> None:
    try:
        start_django()
        figures = importlib.import_module(f"bench.{name}").measure(scale, say)
    except KeyboardInterrupt:
        return
    own, started = (
        resource.getrusage(who).ru_maxrss / KILOBYTES_PER_MEGABYTE
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    pipe.send(Measured(figures=figures, memory_mb=own, servers_memory_mb=started))
