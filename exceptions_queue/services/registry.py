"""Rooms register what can be done about their subjects; the desk knows no room (architecture.md 2)."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ResolutionAction:
    """What 'Retry' means for one subject type.

    ``perform(subject_id, actor)`` starts it again and returns a sentence on what happens now; it raises
    ``exceptions_queue.services.work.NotPossible`` with what to do instead. ``link`` returns the page of the subject.
    """

    subject_type: str
    label: str
    perform: Callable[[int, str], str]
    link: Callable[[int], str]


_actions: dict[str, ResolutionAction] = {}


def register(action: ResolutionAction) -> None:
    """Make an action known; a room calls this when it starts."""
    _actions[action.subject_type] = action


def action_for(subject_type: str) -> ResolutionAction | None:
    """Return the action of a subject type, None where nothing can be done from the desk."""
    return _actions.get(subject_type)
