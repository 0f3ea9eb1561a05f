"""One process inside the sandbox that runs git for one set of folders: starting it, giving it a call, ending it.

What runs inside is `git_inside.py`; what a call means for the caller is in `sandboxed_git.py`. The sandbox ends with
the *thread* that started it: start it on the event loop's, which lives as long as the worker.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.sandbox.port import Sandbox, SandboxCommand
from longshift.adapters.workspace import git_inside
from longshift.contracts.errors import WorkspaceFailed

START_TIMEOUT_SECONDS = 60.0
END_PATIENCE_SECONDS = 5.0
COMPLAINT_LIMIT_BYTES = 4_096
PIPE_BYTES = 65_536
NOT_LIMITED = ("NPROC",)
"""It counts the processes of the whole user, as many as there may be when the box starts: some time later there are
others, and git could not be started."""
JOINING = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"'
"""A shell becomes the command after it has joined the control groups, so that nothing is started outside of them."""


@dataclass(frozen=True)
class Reach:
    """The folders that a box may touch, and which folders they were when it started."""

    writable: tuple[Path, ...]
    readable: tuple[Path, ...]
    identities: tuple[tuple[int, int], ...]
    """Device and inode of each: after a rename another folder may stand there, which the box does not see."""

    @classmethod
    def of(cls, writable: Sequence[Path], readable: Sequence[Path]) -> "Reach":
        """The folders as they are now.

        Raises:
            WorkspaceFailed: one of them is gone.
        """
        try:
            found = [os.stat(path, follow_symlinks=False) for path in (*writable, *readable)]
        except OSError as error:
            raise WorkspaceFailed(f"{error.filename} is gone") from error
        return cls(tuple(writable), tuple(readable), tuple((each.st_dev, each.st_ino) for each in found))


class GitBox:
    """A running process that takes calls."""

    def __init__(self, process: subprocess.Popen[bytes], calls: socket.socket, complaints: int) -> None:
        self._process = process
        self._calls = calls
        self._complaints = complaints
        self.calls = 0
        """How many calls it is at work on."""
        self.is_broken = False
        self.complaint = "it said nothing"
        """The end of what it printed, once it is closed."""

    @classmethod
    async def started(cls, sandbox: Sandbox, reach: Reach) -> "GitBox":
        """Start one and wait until it takes calls.

        Raises:
            WorkspaceFailed: the sandbox did not start; the text has what it said.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        complaints, complaining = os.pipe()
        os.set_blocking(complaints, False)
        try:
            process = _spawned(sandbox, reach, theirs.fileno(), complaining)
        except OSError as error:
            ours.close()
            os.close(complaints)
            raise WorkspaceFailed(f"the sandbox for git cannot be started: {error}") from error
        finally:
            theirs.close()
            os.close(complaining)
        box = cls(process, ours, complaints)
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                box.is_broken = await asyncio.get_running_loop().sock_recv(ours, 64) != git_inside.READY
        except (TimeoutError, ConnectionError):
            box.is_broken = True
        except asyncio.CancelledError:
            await box.closed()
            raise
        if box.is_broken:
            await box.closed()
            raise WorkspaceFailed(f"the sandbox for git did not start: {box.complaint}")
        return box

    @property
    def is_usable(self) -> bool:
        """Whether a call may be given to it."""
        return not self.is_broken and self._process.poll() is None

    def hand_over(self, descriptors: Sequence[int]) -> bool:
        """Give it a call's descriptors; False when it does not take them."""
        try:
            socket.send_fds(self._calls, [git_inside.CALL], descriptors)
        except OSError:
            self.is_broken = True
        return not self.is_broken

    def kill(self) -> None:
        """End it at once, with all that runs in it."""
        self.is_broken = True
        self._process.kill()

    async def closed(self) -> None:
        """Let it end, and wait for that."""
        self.is_broken = True
        self._calls.close()
        await asyncio.to_thread(self._ended)

    def _ended(self) -> None:
        try:
            self._process.wait(END_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with os.fdopen(self._complaints, "rb", buffering=0) as file, suppress(OSError):
            text = (file.read(PIPE_BYTES) or b"")[-COMPLAINT_LIMIT_BYTES:].decode(errors="replace").strip()
            self.complaint = text or self.complaint


def _spawned(sandbox: Sandbox, reach: Reach, stdin: int, stderr: int) -> subprocess.Popen[bytes]:
    wrapped = sandbox.wrap(
        SandboxCommand(
            argv=(os.path.realpath(sys.executable), "-IS", "-X", "utf8", git_inside.__file__),
            cwd=str(reach.writable[0]),
            workspace_root=str(reach.writable[0]),
            home=str(reach.writable[0]),
            writable_paths=tuple(map(str, reach.writable[1:])),
            readable_paths=(*map(str, reach.readable), git_inside.__file__, *_interpreter()),
        )
    )
    limits = {name: value for name, value in wrapped.limits.items() if name not in NOT_LIMITED}
    argv = [*wrapped.argv, json.dumps(limits)]
    if wrapped.cgroups:
        argv = ["/bin/sh", "-c", JOINING, "join", *wrapped.cgroups, "--", *argv]
    return subprocess.Popen(
        argv,
        cwd=wrapped.cwd,
        env=dict(wrapped.env),
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
    )


def _interpreter() -> tuple[str, ...]:
    """What this interpreter needs beyond the system's folders."""
    base = os.path.realpath(sys.base_prefix)
    return () if Path(base).is_relative_to("/usr") else (base,)
