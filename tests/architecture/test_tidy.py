"""The house rules a machine can check (docs/architecture.md): sizes, names, money, states, pages."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, name_of, python_files, tree, where

LINES_MAX = 350
FUNCTION_LINES_MAX = 70  # a screen
ROOMS_OF_MONEY = (
    "finsync/core", "finsync/canonical", "finsync/mappings", "finsync/posting", "reconciliation", "exceptions_queue",
    "connectors/systems",
)  # fmt: skip
# The services that own a state. Each asks core.lifecycle or is held by the trigger that does (finsync/kit/states.py).
STATE_WRITERS = (
    "connectors/services/", "exceptions_queue/services/", "finsync/canonical/services/", "finsync/mappings/services",
    "finsync/posting/services/", "reconciliation/services/",
)  # fmt: skip
# Outside these, a state of the table of states is never assigned; these rooms have none of its rows.
NO_STATES = ("finsync/local/", "finsync/core/", "connectors/systems/", "connectors/doubles/")
# Functions, variables and arguments in which a float is no amount: seconds to wait, a version number for sorting.
FLOATS_THAT_ARE_NO_MONEY = re.compile(r"_?retry_after|(.*_)?seconds|_version")
DECIMAL_FIELDS = re.compile(r"(.*_)?(quantity|rate)")  # amounts are integers of minor units
FLOAT_FIELDS = re.compile(r".*_seconds")
TEMPLATES = tuple(sorted((ROOT / "templates").rglob("*.html")))


def test_no_room_has_a_drawer_for_everything() -> None:
    wrong = [where(path) for path in python_files() if path.stem in {"utils", "helpers", "misc", "common"}]
    assert not wrong, f"name the room for what is in it: {wrong}"


def test_files_stay_readable() -> None:
    files = [*python_files(), *ROOT.glob("*.py")]
    wrong = [f"{where(path)} has {count} lines" for path in files if (count := _lines(path)) > LINES_MAX]
    assert not wrong, "\n".join(wrong)


def test_functions_fit_a_screen() -> None:
    wrong = [
        f"{where(path, node)} {node.name} has {length} lines"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not wrong, "\n".join(wrong)


def test_money_is_never_a_float() -> None:
    wrong = []
    for path in python_files(*ROOMS_OF_MONEY):
        harmless = {id(part) for node in ast.walk(tree(path)) if _is_no_money(node) for part in ast.walk(node)}
        wrong += [
            where(path, node)
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            if "sandbox" not in path.parts and id(node) not in harmless
        ]
    assert not wrong, f"calls float(): {wrong}"


def _is_no_money(node: ast.AST) -> bool:
    """Whether everything inside ``node`` is seconds to wait, or a version number for sorting."""
    if isinstance(node, ast.keyword):
        return bool(FLOATS_THAT_ARE_NO_MONEY.fullmatch(node.arg or ""))
    if isinstance(node, ast.Assign):
        return all(isinstance(t, ast.Name) and FLOATS_THAT_ARE_NO_MONEY.fullmatch(t.id) for t in node.targets)
    return isinstance(node, ast.FunctionDef) and bool(FLOATS_THAT_ARE_NO_MONEY.fullmatch(node.name))


def test_amounts_are_stored_as_integers() -> None:
    wrong = []
    for path in python_files(*ROOMS_OF_MONEY):
        for node in ast.walk(tree(path)):
            if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
                continue
            allowed = {"DecimalField": DECIMAL_FIELDS, "FloatField": FLOAT_FIELDS}.get(name_of(node.value.func))
            if allowed and not all(isinstance(t, ast.Name) and allowed.fullmatch(t.id) for t in node.targets):
                wrong.append(where(path, node))
    assert not wrong, f"an amount is an integer of minor units beside its currency: {wrong}"


def test_states_are_written_only_by_the_services_that_own_them() -> None:
    wrong = [
        where(path, node)
        for path in python_files("finsync", "connectors", "reconciliation", "exceptions_queue")
        if not str(path.relative_to(ROOT)).startswith((*STATE_WRITERS, *NO_STATES))
        for node in ast.walk(tree(path))
        if _assigns_state(node)
    ]
    assert not wrong, f"use the service that owns the state: {wrong}"


def _assigns_state(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    flat = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return any(isinstance(target, ast.Attribute) and target.attr in {"state", "status"} for target in flat)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_pages_obey_the_content_security_policy(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle\s*=", text), "no style attributes: the policy blocks them"
    assert not re.search(r"<style[\s>]", text), "no style elements"
    assert not re.search(r"\son[a-z]+\s*=", text), "no inline event handlers"
    assert not re.search(r"hx-on[:-]", text), "no htmx event scripts"
    scripts = re.findall(r"<script\b([^>]*)>", text)
    assert all("src=" in attributes for attributes in scripts), "no inline scripts"
    assert not re.search(r"""(?:src|href)\s*=\s*["']https?://""", text), "nothing from another host"


def test_no_source_file_names_a_place_of_one_machine() -> None:
    wrong = [
        where(path)
        for package in (*PACKAGES, "templates", "docs", "static")
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".html", ".md", ".js", ".css", ".txt"}
        if re.search(r"(?<![\w.])/(?:home|Users|work|root)/\w", path.read_text(errors="replace"))
    ]
    assert not wrong, f"paths of somebody's machine: {wrong}"


def _lines(path: Path) -> int:
    return path.read_text().count("\n")
