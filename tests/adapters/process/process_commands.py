"""Commands for the tests of the process runner, and waiting for what they do."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from longshift.adapters.process.command_spec import CommandSpec

PATH = "/usr/local/bin:/usr/bin:/bin"
PROGRAM = str(Path(__file__).with_name("process_program.py"))


def shell(script: str, cwd: Path | str = "/", **limits: Any) -> CommandSpec:
    """A bash script as a command."""
    return CommandSpec(argv=("bash", "-c", script), cwd=str(cwd), env={"PATH": PATH}, **limits)


def program(*arguments: str) -> tuple[str, ...]:
    """The command line of a second process that uses the runner; see `process_program`."""
    return ("env", f"PYTHONPATH={os.pathsep.join(sys.path)}", sys.executable, PROGRAM, *arguments)


def spawn(
    command: Sequence[str], *, stdout: int | None = None, start_new_session: bool = False
) -> subprocess.Popen[bytes]:
    """A process that the test ends itself; that starting it blocks for a moment does not matter here."""
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL, start_new_session=start_new_session)


def text_of(path: Path | str) -> str:
    """The content of a small local file, empty where there is none; blocks no longer than that takes."""
    try:
        return Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return ""


async def until(predicate: Callable[[], object], timeout_seconds: float = 20.0) -> None:
    """Return as soon as the predicate holds."""
    async with asyncio.timeout(timeout_seconds):
        while not predicate():  # noqa: ASYNC110 - other processes' doings raise no event here
            await asyncio.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def record(run: Path, name: str) -> dict[str, Any]:
    """One of the JSON files of a run directory."""
    return json.loads((run / name).read_bytes())


def supervisors_of(run: Path, starter: int | None = None) -> list[int]:
    """The processes that supervise a run or are about to, without the command itself."""
    found: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            arguments = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            parent = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[1]
        except OSError:
            continue
        if os.fsencode(run) in arguments:
            found[int(name)] = int(parent)
    return [pid for pid, parent in found.items() if parent not in found or parent == starter]
