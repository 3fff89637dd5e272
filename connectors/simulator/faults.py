"""What can go wrong between a caller and SimERP, drawn from a seed: the same menu for every idempotency class.

Source: reliability.md 3.6 and 8, rows 18 to 25.
"""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

Fault = TypeVar("Fault", bound=StrEnum)


class PostFault(StrEnum):
    """What happens to one POST."""

    NONE = "none"
    UNREACHABLE = "unreachable"  # refused before a byte was sent
    LOST_REQUEST = "lost_request"  # never arrives; the caller hears nothing
    LOST_ANSWER = "lost_answer"  # processed; the caller hears nothing
    LATE = "late"  # the caller gives up; it arrives later
    SERVER_ERROR_BEFORE = "500_before"
    SERVER_ERROR_AFTER = "500_after"  # processed, then 500
    EMPTY_ANSWER = "empty_answer"  # processed; a 2xx that names no document
    HALF_MADE = "half_made"  # the header is stored, the rest is not; the caller hears nothing
    THROTTLED = "429"
    RESENT = "resent"  # a proxy sends the POST twice


class ReadFault(StrEnum):
    """What happens to one GET."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    SILENCE = "silence"
    SERVER_ERROR = "500"


@dataclass(frozen=True, kw_only=True)
class Menu:
    """How likely each fault is (of 1). ``delay_seconds_max`` bounds how late a LATE request arrives."""

    posts: dict[PostFault, float] = field(default_factory=dict)
    reads: dict[ReadFault, float] = field(default_factory=dict)
    delay_seconds_max: float = 60.0
    retry_after_seconds: float = 10.0


# Three POSTs and one GET in ten go wrong, as in the measurements of reliability.md 3.5.
ROUGH = Menu(
    posts={
        PostFault.UNREACHABLE: 0.03,
        PostFault.LOST_REQUEST: 0.04,
        PostFault.LOST_ANSWER: 0.05,
        PostFault.LATE: 0.07,
        PostFault.SERVER_ERROR_BEFORE: 0.02,
        PostFault.SERVER_ERROR_AFTER: 0.03,
        PostFault.EMPTY_ANSWER: 0.02,
        PostFault.HALF_MADE: 0.02,
        PostFault.THROTTLED: 0.02,
    },
    reads={ReadFault.UNREACHABLE: 0.05, ReadFault.SILENCE: 0.05, ReadFault.SERVER_ERROR: 0.05},
)
CALM = Menu()


class Weather:
    """The faults in force; ``menu`` may be replaced at any time (CALM ends them)."""

    def __init__(self, seed: int, menu: Menu = CALM) -> None:
        self.random, self.menu = random.Random(seed), menu  # noqa: S311  (a replayable seed is the point)

    def of_post(self) -> PostFault:
        """Draw what happens to the next POST."""
        return self._draw(self.menu.posts, PostFault.NONE)

    def of_read(self) -> ReadFault:
        """Draw what happens to the next GET."""
        return self._draw(self.menu.reads, ReadFault.NONE)

    def delay_seconds(self) -> float:
        """Draw how late a request arrives; one in four arrives as late as it can."""
        longest = self.menu.delay_seconds_max
        return longest if self.random.random() < 0.25 else self.random.uniform(0, longest)

    def _draw(self, chances: dict[Fault, float], nothing: Fault) -> Fault:
        value = self.random.random()
        for fault, chance in chances.items():
            value -= chance
            if value < 0:
                return fault
        return nothing
