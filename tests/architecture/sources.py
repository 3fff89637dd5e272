"""The project's own source files, parsed once for the tests of this room."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("finsync", "connectors", "reconciliation", "exceptions_queue", "demo", "bench")


@cache
def python_files(*packages: str) -> tuple[Path, ...]:
    """Return every Python file of these packages (all of ours by default) except generated migrations."""
    found = [path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py")]
    return tuple(sorted(path for path in found if "migrations" not in path.parts))


@cache
def tree(path: Path) -> ast.Module:
    """Return the parsed file."""
    return ast.parse(path.read_text(), filename=str(path))


def where(path: Path, node: ast.AST | None = None) -> str:
    """Return how a person finds the place."""
    line = f":{node.lineno}" if isinstance(node, ast.stmt | ast.expr) else ""
    return f"{path.relative_to(ROOT)}{line}"


def name_of(function: ast.expr) -> str:
    """Return the last part of a called name: ``retry`` for ``self.retry(…)``."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
