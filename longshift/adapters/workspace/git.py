"""How git is run: one function for every call, and what its failures mean. Which commands are run, callers know."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.process.child_end import end_child
from longshift.contracts.errors import DiskFull, LongshiftError, WorkspaceFailed

NO_SPACE_TEXTS = ("No space left on device", "Disk quota exceeded", "Out of diskspace")
STDERR_LIMIT_BYTES = 64_000
CHUNK_BYTES = 262_144
LONG_TIMEOUT_SECONDS = 1_800.0
"""For calls whose time grows with the files or the history."""


@dataclass(frozen=True)
class GitCall:
    """One run of git. Frozen and free of handles (but for `keep_open`), so that a sandbox can run it as well."""

    arguments: tuple[str, ...]
    """Without the leading `git`."""
    cwd: Path
    environment: Mapping[str, str]
    stdin: bytes = b""
    timeout_seconds: float = 300.0
    output_limit_bytes: int = 1_000_000_000
    """The call is ended when stdout grows beyond this."""
    keep_open: tuple[int, ...] = ()
    """File descriptors that git inherits: a lock held through one lasts until git has ended, whatever befalls us."""
    stdin_file: Path | None = None
    """What git reads instead of `stdin`, where it is too much for the memory."""
    writable: tuple[Path, ...] = ()
    """The folders that git may write to when it runs inside the sandbox; on the host it makes no difference."""
    readable: tuple[Path, ...] = ()
    """The folders that it may read besides."""


@dataclass(frozen=True)
class GitResult:
    """How a call ended."""

    arguments: tuple[str, ...]
    exit_code: int
    stdout: bytes = b""
    stderr: str = ""
    timed_out: bool = False
    is_cut: bool = False
    """Stdout went beyond the limit; what is here is its beginning."""

    @property
    def text(self) -> str:
        """Stdout without the line end."""
        return os.fsdecode(self.stdout).strip()

    @property
    def names(self) -> list[str]:
        """Stdout of a `-z` command as a list; names are decoded so that they can be given back unchanged."""
        return [os.fsdecode(name) for name in self.stdout.split(b"\0") if name]

    @property
    def is_disk_full(self) -> bool:
        """Whether git ran out of space."""
        return any(text in self.stderr for text in NO_SPACE_TEXTS)

    def failure(self) -> LongshiftError:
        """This result as an exception of the tree."""
        what = f"git {' '.join(self.arguments[:3])}"
        if self.is_disk_full:
            return DiskFull(f"the disk is full: {what}: {self.stderr.strip()[-500:]}")
        if self.timed_out:
            return WorkspaceFailed(f"{what} took too long and was ended")
        if self.is_cut:
            return WorkspaceFailed(f"{what} printed more than its limit and was ended")
        return WorkspaceFailed(f"{what} failed with exit code {self.exit_code}: {self.stderr.strip()[-1_500:]}")


RunGit = Callable[[GitCall], Awaitable[GitResult]]
"""Runs one call. `run_git` runs it on the host, `SandboxedGit` inside the sandbox."""


@dataclass
class Pump:
    """Reads one stream up to a limit."""

    limit_bytes: int
    chunks: list[bytes] = field(default_factory=list[bytes])
    total_bytes: int = 0

    @property
    def body(self) -> bytes:
        """What was read, without what went beyond the limit."""
        return b"".join(self.chunks)

    @property
    def is_cut(self) -> bool:
        """Whether there was more than the limit."""
        return self.total_bytes > self.limit_bytes

    async def read(self, stream: asyncio.StreamReader, on_excess: Callable[[], None]) -> None:
        """Read to the end, calling `on_excess` for each part beyond the limit."""
        while chunk := await stream.read(CHUNK_BYTES):
            before, self.total_bytes = self.total_bytes, self.total_bytes + len(chunk)
            if before <= self.limit_bytes:
                self.chunks.append(chunk[: self.limit_bytes - before])
            if self.is_cut:
                on_excess()


async def run_git(call: GitCall) -> GitResult:
    """Run git on the host, without a terminal, in its own process group; a non-zero exit is a result, not an error.

    Raises:
        WorkspaceFailed: git is not installed.
    """
    process = await _started(call)
    assert process.stdout is not None
    assert process.stderr is not None
    end = _group_killer(process.pid)
    out, err = Pump(call.output_limit_bytes), Pump(STDERR_LIMIT_BYTES)
    timed_out = False
    try:
        async with asyncio.timeout(call.timeout_seconds):
            await asyncio.gather(
                _feed(process.stdin, call.stdin),
                out.read(process.stdout, on_excess=end),
                err.read(process.stderr, on_excess=lambda: None),
                process.wait(),
            )
    except TimeoutError:
        timed_out = True
    finally:
        await end_child(process, os.killpg)
    return GitResult(
        arguments=call.arguments,
        exit_code=process.returncode if process.returncode is not None else -1,
        stdout=out.body,
        stderr=err.body.decode(errors="replace"),
        timed_out=timed_out,
        is_cut=out.is_cut,
    )


async def _started(call: GitCall) -> asyncio.subprocess.Process:
    starting = asyncio.ensure_future(_spawned(call))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Cancelled in the middle of this, asyncio would end git alone, and wait for all that git has started.
        with suppress(WorkspaceFailed):
            process = await starting
            await end_child(process, os.killpg)
        raise


async def _spawned(call: GitCall) -> asyncio.subprocess.Process:
    with ExitStack() as opened:
        stdin = asyncio.subprocess.PIPE if call.stdin else asyncio.subprocess.DEVNULL
        if call.stdin_file is not None:
            stdin = opened.enter_context(call.stdin_file.open("rb"))
        try:
            return await asyncio.create_subprocess_exec(
                "git",
                *call.arguments,
                cwd=call.cwd,
                env=dict(call.environment),
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                pass_fds=call.keep_open,
            )
        except FileNotFoundError as error:
            if not call.cwd.is_dir():
                raise WorkspaceFailed(f"{call.cwd} is gone") from error
            raise WorkspaceFailed("git is not installed on this host; install git 2.31 or later") from error


def _group_killer(pid: int) -> Callable[[], None]:
    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    return end


async def _feed(stdin: asyncio.StreamWriter | None, data: bytes) -> None:
    """Write all of `data`; git may end before it has read everything."""
    if stdin is None:
        return
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(data)
        await stdin.drain()
    stdin.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await stdin.wait_closed()
