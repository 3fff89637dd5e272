"""What `make run` prints while it works: one line per step, with the time it took. Standard library only."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NAME_WIDTH = 14


@dataclass
class Step:
    """One step under way; ``detail`` is printed at its end."""

    detail: str = ""


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Print ``name``, run the block, print how long it took; after a failure say so and let it pass on."""
    started = time.monotonic()
    print(f"  {name:<{NAME_WIDTH}}", end="", flush=True)
    under_way = Step()
    try:
        yield under_way
    except BaseException:
        print(f"failed after {time.monotonic() - started:.1f} s", flush=True)
        raise
    print(f"{time.monotonic() - started:6.1f} s  {under_way.detail}".rstrip(), flush=True)


def done(name: str, seconds: float, detail: str = "") -> None:
    """Print a step that went on beside others as one line, now that it is over."""
    print(f"  {name:<{NAME_WIDTH}}{seconds:6.1f} s  {detail}".rstrip(), flush=True)


def say(text: str) -> None:
    """Print one line, or several, for the person at the terminal."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Print what a person must put right."""
    print(f"\n{text}", file=sys.stderr, flush=True)
