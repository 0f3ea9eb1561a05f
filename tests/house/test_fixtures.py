"""What holds for fixtures."""

import ast

from tests.house.sources import ROOT


def test_no_asynchronous_fixture_is_meant_to_outlive_its_test() -> None:
    """pytest-asyncio ends it with the loop of the test, whatever its scope: an engine would start for every test.

    `kept_server` in `tests/workflows/conftest.py` shows how a plain fixture does it.
    """
    found = [
        f"{path.relative_to(ROOT)}:{function.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.AsyncFunctionDef)
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call)
        and any(word.arg == "scope" and getattr(word.value, "value", "") == "session" for word in decorator.keywords)
    ]
    assert [] == found
