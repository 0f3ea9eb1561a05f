"""The command line as a process of its own, for what only a process has: signals, pipes, and how it ends."""

import subprocess
import sys
from pathlib import Path
from typing import IO, Any

LONGSHIFT = str(Path(sys.executable).parent / "longshift")


def start(
    *arguments: str, stdin: IO[bytes] | int = subprocess.DEVNULL, stdout: int = subprocess.PIPE, text: bool = True
) -> subprocess.Popen[Any]:
    """Start a command; its stderr is a pipe."""
    command = [LONGSHIFT, *arguments]
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=text)


def finished(*arguments: str) -> tuple[int, str, str]:
    """Run a command to its end: exit code, stdout, stderr."""
    with start(*arguments) as process:
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err
