"""Starts a module of ours in an interpreter that has the stdlib and this package, and nothing of what is installed.

It starts in some ms, from compiled files where they are there, and goes on when the worker's environment is replaced.
"""

import sys
from pathlib import Path

_ROOT = str(Path(__file__).parents[3])
_START = """\
import sys
sys.path.append(sys.argv[1])
__import__(sys.argv[2], fromlist=["main"]).main(*sys.argv[3:])
"""


def isolated_command(module: str, *arguments: str, python: str = sys.executable) -> tuple[str, ...]:
    """The command line that calls `main` of a module with these arguments; it may import nothing but the stdlib."""
    return (python, "-IS", "-X", "utf8", "-c", _START, _ROOT, module, *arguments)
