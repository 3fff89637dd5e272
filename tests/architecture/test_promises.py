"""docs/promises.md names a test for every promise; the names must be true."""

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_promise_names_a_test_that_exists():
    promised = NAMED.findall((PROJECT / "docs" / "promises.md").read_text())
    assert len(promised) > 20
    missing = [f"{path}::{name}" for path, name in promised if name not in _tests_of(PROJECT / path)]
    assert not missing


def test_every_row_of_a_promise_table_has_a_proof():
    rows = [line for line in (PROJECT / "docs" / "promises.md").read_text().splitlines() if line.startswith("| ")]
    unproven = [row for row in rows if not row.startswith("| Promise") and not NAMED.search(row)]
    assert not unproven


def _tests_of(path: Path) -> set[str]:
    if not path.exists():
        return set()
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
