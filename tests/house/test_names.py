"""Names of modules say what is in them, and their docstrings what is not."""

import ast
from pathlib import PurePosixPath

from tests.house.sources import EVERYTHING, PRODUCT, listed, modules, tree

EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "shared", "stuff"}


def test_no_module_is_named_after_nothing() -> None:
    found = [path for path in modules(*EVERYTHING) if _words(path) & EMPTY_WORDS]
    assert [] == found, listed(found)


def test_no_class_is_named_after_nothing() -> None:
    nodes = [(path, node) for path in modules(*PRODUCT) for node in ast.walk(tree(path))]
    classes = [(path, node.name) for path, node in nodes if isinstance(node, ast.ClassDef)]
    found = [each for each in classes if each[1].endswith(("Manager", "Helper", "Helpers", "Utils", "Util"))]
    assert [] == found, listed(found)


def test_every_module_says_what_lives_in_it() -> None:
    silent = [path for path in modules(*EVERYTHING) if tree(path).body and not ast.get_docstring(tree(path))]
    assert [] == silent, listed(silent)


def _words(path: str) -> set[str]:
    return {word for part in PurePosixPath(path).with_suffix("").parts for word in part.split("_")}
