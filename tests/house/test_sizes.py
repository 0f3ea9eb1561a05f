"""How long a module and a function may be. Run as a program it lists the longest ones.

One noun per file, one reason to open it: modules aim at 150 lines. The agent's loop has a ceiling of its own, because
loops rot: a feature becomes a policy function, an activity or an interceptor.
"""

import ast
import sys

from tests.house.sources import EVERYTHING, PRODUCT, ROOT, listed, modules, tree

MODULE_AIM_LINES = 150
MODULE_LIMIT_LINES = 500
FUNCTION_LIMIT_LINES = 60
SHARE_OVER_AIM = 0.33
"""Of the product's modules, at most this part may be longer than the aim."""

CEILINGS: dict[str, int] = {
    "workflows/agent.py": 340,
}
"""Files that must not grow, with their ceiling."""
LONGER_MODULES: dict[str, str] = {}
"""Path → why it is one file beyond the limit."""
LONGER_FUNCTIONS: dict[str, str] = {}
"""`path::name` → why it is one function beyond the limit."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def lines_of(path: str) -> int:
    """The length of a file."""
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def functions_of(path: str) -> list[tuple[str, int]]:
    """Name and length of every function of a file, docstring included."""
    return [
        (f"{path}::{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree(path))
        if isinstance(node, Function)
    ]


def test_modules_are_short() -> None:
    searched = [path for path in modules(*EVERYTHING) if path not in LONGER_MODULES]
    long = [(path, lines_of(path)) for path in searched if lines_of(path) > CEILINGS.get(path, MODULE_LIMIT_LINES)]
    assert [] == long, listed(long)


def test_functions_are_short() -> None:
    functions = [each for path in modules(*EVERYTHING) for each in functions_of(path)]
    long = [each for each in functions if each[1] > FUNCTION_LIMIT_LINES and each[0] not in LONGER_FUNCTIONS]
    assert [] == long, listed(long)


def test_most_modules_keep_to_the_aim() -> None:
    product = modules(*PRODUCT)
    over = [path for path in product if lines_of(path) > MODULE_AIM_LINES]
    assert len(over) <= SHARE_OVER_AIM * len(product)


def test_every_exception_is_still_needed() -> None:
    idle = [path for path in LONGER_MODULES if lines_of(path) <= MODULE_LIMIT_LINES]
    needed = {name for path in modules(*EVERYTHING) for name, size in functions_of(path) if size > FUNCTION_LIMIT_LINES}
    assert [] == idle
    assert set() == set(LONGER_FUNCTIONS) - needed


def report() -> str:
    """All product modules beyond the aim, and the ten longest functions."""
    product = modules(*PRODUCT)
    over = sorted(((lines_of(path), path) for path in product if lines_of(path) > MODULE_AIM_LINES), reverse=True)
    functions = sorted(((size, name) for path in product for name, size in functions_of(path)), reverse=True)[:10]
    rows = [f"{size:5} {name}" for size, name in [*over, *functions]]
    return "\n".join([f"{len(over)} of {len(product)} modules are longer than {MODULE_AIM_LINES} lines", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(report())
