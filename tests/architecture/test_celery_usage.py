"""Celery carries hints only (reliability rules 2.2): nothing delayed, retried, chained or waited for."""

import ast

from tests.architecture.sources import name_of, python_files, tree, where

DELAYS = {"eta", "countdown"}
CANVAS = {"chord", "chain", "chunks", "starmap"}
SENDERS = {"apply_async", "send_task", "signature", "delay", "s", "si"}


def test_no_task_is_delayed_by_the_broker() -> None:
    wrong = [
        where(path, node)
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and any(word.arg in DELAYS for word in node.keywords)
    ]
    assert not wrong, f"a delay is next_action_at in PostgreSQL: {wrong}"


def test_no_task_retries_itself() -> None:
    wrong = []
    for path, task in _tasks():
        wrong += [
            where(path, node)
            for node in ast.walk(task)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "retry"
        ]
        wrong += [
            where(path, word.value)
            for decorator in task.decorator_list
            if isinstance(decorator, ast.Call)
            for word in decorator.keywords
            if word.arg in {"autoretry_for", "max_retries", "retry_backoff", "default_retry_delay"}
        ]
    assert not wrong, f"the row's own schedule brings it back: {wrong}"


def test_no_work_is_chained_or_waited_for_in_the_broker() -> None:
    wrong = []
    for path in python_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "celery":
                wrong += [where(path, node) for alias in node.names if alias.name in {*CANVAS, "group"}]
            waits = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and name_of(node.func) in {"get", "wait", "join", "collect"}
            )
            if waits and isinstance(node.func.value, ast.Call) and name_of(node.func.value.func) in SENDERS:
                wrong.append(where(path, node))
    assert not wrong, f"results live in PostgreSQL: {wrong}"


def test_a_hint_with_a_delay_is_refused_at_run_time() -> None:
    from finsync.celery import HintTask

    task = HintTask()
    for options in ({"eta": object()}, {"countdown": 1}):
        try:
            task.apply_async(**options)
        except TypeError:
            continue
        raise AssertionError(f"published with {options}")


def _tasks():
    """Every function that a Celery decorator turns into a task."""
    for path in python_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and any(_is_task(decorator) for decorator in node.decorator_list):
                yield path, node


def _is_task(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return name_of(called) in {"shared_task", "task"}
