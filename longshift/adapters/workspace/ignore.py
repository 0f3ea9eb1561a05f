"""Which files count as noise: the built-in list, and ignore files of a whole tree as one list of patterns.

The rules of `.gitignore` themselves are git's. What is here only rewrites them, so that the rules as they
stood before work started can be kept outside of the tree, where nobody who works in it can loosen them.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

NOISE = (
    "__pycache__/",
    "*.py[cod]",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".tox/",
    ".nox/",
    ".venv/",
    "node_modules/",
    ".DS_Store",
)
"""Caches and installed packages that no one would call the result of a task; `.gitignore` can re-include them."""

_SPECIAL = "\\*?[]!# "


def flattened(ignore_files: Mapping[str, str]) -> list[str]:
    """One list of gitignore patterns for the root, out of the texts of all ignore files by path (`a/.gitignore`).

    Deeper files come later, because in gitignore the last match decides and deeper files outrank higher ones.
    """
    patterns: list[str] = []
    for path in sorted(ignore_files, key=lambda path: (path.count("/"), path)):
        folder = str(PurePosixPath(path).parent)
        patterns += [
            _anchored(pattern, folder) for line in ignore_files[path].splitlines() if (pattern := _pattern(line))
        ]
    return patterns


def _pattern(line: str) -> str:
    """The pattern of a line, or nothing for comments and blank lines."""
    if line.startswith("#"):
        return ""
    stripped = line.rstrip(" \t\r")
    if stripped.endswith("\\") and len(line) > len(stripped):
        stripped += " "
    return stripped


def _anchored(pattern: str, folder: str) -> str:
    """`pattern` of the ignore file in `folder`, as a pattern of the root."""
    if folder == ".":
        return pattern
    negation, body = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    prefix = "/" + "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in folder)
    if "/" in body.rstrip("/"):
        return f"{negation}{prefix}/{body.lstrip('/')}"
    return f"{negation}{prefix}/**/{body}"
