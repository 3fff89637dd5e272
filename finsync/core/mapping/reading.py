"""Strict reading of JSON values: every refusal names its path, nothing is ignored, nothing is converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from finsync.core.mapping.vocabulary import Scalar

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class DocumentError(ValueError):
    """A document that cannot be read; ``path`` says where, as in ``rules[2].lines[0].account``."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


def read_mapping(raw: Any, path: str) -> Mapping[str, Any]:
    """An object with any keys."""
    if not isinstance(raw, Mapping):
        raise DocumentError(path, "an object is expected")
    return raw


def read_object(raw: Any, path: str, required: set[str], optional: set[str] | None = None) -> Mapping[str, Any]:
    """An object with exactly these keys."""
    body, known = read_mapping(raw, path), required | (optional or set())
    for name in body:
        if name not in known:
            raise DocumentError(f"{path}.{name}", f"unknown; known are {', '.join(sorted(known))}")
    for name in sorted(required):
        if name not in body:
            raise DocumentError(f"{path}.{name}", "missing")
    return body


def read_items(raw: Any, path: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
    """A list, each item read with its own path."""
    if not isinstance(raw, list):
        raise DocumentError(path, "a list is expected")
    return tuple(read(item, f"{path}[{number}]") for number, item in enumerate(raw))


def read_text(raw: Any, path: str) -> str:
    """A text with something in it."""
    if not isinstance(raw, str) or not raw.strip():
        raise DocumentError(path, "a non-empty text is expected")
    return raw


def read_scalar(raw: Any, path: str) -> Scalar:
    """A text, whole number or truth value; a fraction has no place in a condition."""
    if isinstance(raw, int) or (isinstance(raw, str) and raw):
        return raw
    raise DocumentError(path, "a non-empty text, a whole number or true/false is expected")


def read_choice(kind: type[E], raw: Any, path: str) -> E:
    """A member of a closed list."""
    try:
        return kind(raw)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise DocumentError(path, f"{raw!r} is unknown; known are {known}") from None


def read_names(raw: Any, path: str) -> tuple[str, ...]:
    """At least one text, each once."""
    names = read_items(raw, path, read_text)
    if not names or len(set(names)) != len(names):
        raise DocumentError(path, "at least one name, each named once")
    return names


def refuse_repeats(ids: list[str], path: str) -> None:
    """Ids of rules or rows must differ, because postings refer to them."""
    seen: set[str] = set()
    for number, identifier in enumerate(ids):
        if identifier in seen:
            raise DocumentError(f"{path}[{number}].id", f"{identifier!r} is used twice")
        seen.add(identifier)
