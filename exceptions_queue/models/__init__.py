"""Cases, what happened under them, and the people who work on them."""

from exceptions_queue.models.case import CaseEvent, ExceptionCase, Occurrence

__all__ = ["CaseEvent", "ExceptionCase", "Occurrence"]
