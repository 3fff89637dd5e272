"""What other rooms may do to the desk: put a failure on it, and take it off when later evidence arrives."""

from exceptions_queue.services.cases import Subject, clear_subject, on_desk, raise_case
from exceptions_queue.services.registry import ResolutionAction, action_for, register

__all__ = ["ResolutionAction", "Subject", "action_for", "clear_subject", "on_desk", "raise_case", "register"]
