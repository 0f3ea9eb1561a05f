"""Decisions are pure and workflows deterministic: what the import table cannot see. And nothing swallows a bug."""

import ast
from collections.abc import Callable

from tests.house.sources import PRODUCT, listed, modules, tree

POLICY = modules("longshift/policy", "longshift/contracts")
DETERMINISTIC = (*POLICY, *modules("workflows"))

CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep"}
CLOCK_OWNERS = {"datetime", "date", "time", "dt"}
EFFECTS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "globals", "breakpoint"}
ASYNCHRONOUS = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)

BROAD_EXCEPT_ALLOWED: dict[str, str] = {}
"""Path → why this boundary catches everything. Catching a cancellation and raising the rest again is not broad."""


def effects(path: str) -> list[str]:
    """Calls in a file that read a clock or touch the world."""
    found: list[str] = []
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in EFFECTS:
                found.append(f"{path}:{node.lineno} calls {name}()")
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name) if (
                owner in CLOCK_OWNERS and name in CLOCKS
            ):
                found.append(f"{path}:{node.lineno} calls {owner}.{name}()")
            case _:
                pass
    return found


def test_decisions_and_workflows_read_no_clock_and_have_no_effect() -> None:
    found = [effect for path in DETERMINISTIC for effect in effects(path)]
    assert [] == found, listed(found)


def test_policy_does_not_wait() -> None:
    found = _places(modules("longshift/policy"), lambda node: isinstance(node, ASYNCHRONOUS))
    assert [] == found, listed(found)


def test_no_global_is_rebound() -> None:
    found = _places(modules(*PRODUCT), lambda node: isinstance(node, ast.Global))
    assert [] == found, listed(found)


def test_a_bug_is_not_caught() -> None:
    searched = tuple(path for path in modules(*PRODUCT) if path not in BROAD_EXCEPT_ALLOWED)
    found = _places(searched, lambda node: isinstance(node, ast.ExceptHandler) and _is_broad(node))
    assert [] == found, listed(found)


def test_tests_do_not_patch() -> None:
    found = _places(modules("tests", "bench"), _patches)
    assert [] == found, listed(found)


def _places(paths: tuple[str, ...], is_found: Callable[[ast.AST], bool]) -> list[str]:
    return [f"{path}:{getattr(node, 'lineno', 0)}" for path in paths for node in ast.walk(tree(path)) if is_found(node)]


def _patches(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="monkeypatch" | "mocker"), attr=name):
            return name in {"setattr", "delattr", "setitem", "delitem"}
        case _:
            return False


def _is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it takes every exception and does not raise it again, at least in part."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    takes_all = any(
        each is None or (isinstance(each, ast.Name) and each.id in {"Exception", "BaseException"}) for each in caught
    )
    raises = any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
    return takes_all and not raises
