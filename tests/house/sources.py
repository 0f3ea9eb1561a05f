"""Our own source files, parsed: what the rules of the house look at."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("longshift", "workflows", "activities", "worker.py")
EVERYTHING = (*PRODUCT, "tests", "bench")


@cache
def modules(*parts: str) -> tuple[str, ...]:
    """Paths of all Python files under `parts`, relative to the repository, in order."""
    found: list[str] = []
    for part in parts:
        start = ROOT / part
        files = [start] if start.is_file() else sorted(start.rglob("*.py"))
        found += [file.relative_to(ROOT).as_posix() for file in files]
    return tuple(found)


@cache
def tree(path: str) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=path)


def imported(path: str) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything that a file imports, wherever in it the import stands.

    `from a import b` gives `a.b`: what `b` is cannot be known here, and every rule holds for prefixes.
    """
    package = path.removesuffix(".py").removesuffix("/__init__").split("/")
    if not path.endswith("__init__.py"):
        package = package[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def listed(found: Sequence[object]) -> str:
    """Every violation on a line of its own; the plain comparison would show the first only."""
    return "\n".join(["", *map(str, found)])


def is_under(name: str, prefix: str) -> bool:
    """Whether a dotted name is `prefix` or lies within it."""
    return name == prefix or name.startswith(f"{prefix}.")
