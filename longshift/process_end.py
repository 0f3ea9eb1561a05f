"""How a process that talks to the engine ends."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from longshift.contracts.errors import LongshiftError


def exit_code_of(life: Callable[[], None]) -> int:
    """Run a daemon's life; what ends it early is a line for people, and 3 for the engine's fault, else 2."""
    try:
        life()
    except LongshiftError as error:
        sys.stderr.write(f"{error}\n")
        return 3 if error.kind == "engine" else 2
    return 0


def end_process(code: int) -> NoReturn:
    """End with `code`, without Python's own clean-up; whatever has to be closed is closed by now.

    Threads of the engine's client that answer while the interpreter is torn down abort the process now and then
    (measured: one in ten short commands), and the exit code goes with it.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
