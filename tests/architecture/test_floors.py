"""Who may know whom, where import-linter (pyproject.toml) cannot say it."""

import ast
import subprocess
import sys

from tests.architecture.sources import ROOT, python_files, tree, where

SYSTEMS = ROOT / "connectors" / "systems"


def test_floors_declared_in_pyproject_are_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_core_loads_no_framework() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in python_files("finsync/core")]
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name.removesuffix('.__init__'))\n"
        "print(sorted({'django', 'celery', 'rest_framework', 'httpx', 'psycopg', 'redis'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_double_and_its_connector_never_meet() -> None:
    wrong = []
    for path in python_files("connectors/systems"):
        vendor, *inside = path.relative_to(SYSTEMS).parts
        is_double = bool(inside) and inside[0].startswith("sandbox")
        for node, module in _imports(path):
            parts = module.split(".")
            if parts[:3] != ["connectors", "systems", vendor]:
                continue
            reaches_double = len(parts) > 3 and parts[3] == "sandbox"
            if is_double != reaches_double:
                wrong.append(f"{where(path, node)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_core_reads_no_clock() -> None:
    clocks = {"now", "utcnow", "today", "time", "monotonic", "localtime"}
    wrong = [
        where(path, node)
        for path in python_files("finsync/core")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in clocks
        if isinstance(node.func.value, ast.Name) and node.func.value.id in {"datetime", "date", "time", "timezone"}
    ]
    assert not wrong, f"the core takes now and as_of as arguments: {wrong}"


def _imports(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)
