"""Starts commands at most once each, follows them across restarts of the worker, and ends them.

What a run's files mean is `run_directory`; what happens beside the command is `supervisor`.
"""

import asyncio
import errno
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from longshift.adapters.crashes import at_rest
from longshift.adapters.process import supervisor
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.launch import launch
from longshift.adapters.process.process_identity import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from longshift.adapters.process.process_table import boot_id
from longshift.adapters.process.run_output import OutputReader
from longshift.adapters.process.run_state import (
    Finished,
    Lost,
    NotStarted,
    Running,
    RunOutput,
    RunProgress,
    RunState,
)
from longshift.adapters.process.run_tree import RunTree
from longshift.contracts.errors import HostError
from longshift.contracts.tools import OUTPUT_LIMIT_CHARACTERS

START_ATTEMPTS = 3
KILL_MARGIN_SECONDS = supervisor.KILL_PATIENCE_SECONDS + 5.0
"""How long a supervisor may take beyond the grace period before it is itself killed."""
WATCH_SECONDS = 30.0
"""How often a wait looks at the files although nothing has happened."""
_NO_SPACE = ("ENOSPC", "EDQUOT")


class ProcessRunner:
    """Runs commands under detached supervisors, each under a key of parts joined by slashes.

    A prefix stands for whole parts: `task-1` covers `task-1/lead/…`, never `task-10/…`; empty covers everything.
    """

    def __init__(
        self,
        runs_dir: Path,
        *,
        disk_floor_bytes: int = 200_000_000,
        python: str = sys.executable,
        kill_margin_seconds: float = KILL_MARGIN_SECONDS,
        clean: Callable[[str], str] = str,
    ) -> None:
        """`clean` sees output before it is cut, so that no half of what it takes out stays at a cut."""
        self._tree = RunTree(runs_dir, disk_floor_bytes)
        self._python = python
        self._kill_margin_seconds = kill_margin_seconds
        self._clean = clean

    async def start(self, key: str, spec: CommandSpec) -> RunState:
        """Claim the key and start the command; a key that is started already is attached to, whatever its command.

        Raises: DiskFull, before anything is claimed or started; HostError, when no supervisor can be started.
        """
        starting = asyncio.ensure_future(asyncio.to_thread(self._start, key, spec))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread goes on: who cancels this and then kills the key has to find what it is about to claim.
            await asyncio.wait({starting})
            if not starting.cancelled():
                starting.exception()
            raise

    def state(self, key: str) -> RunState:
        """How far the run has come. Blocks, for up to five seconds, only when it finds the supervisor gone."""
        return self._tree.run(key).settle()

    def spec(self, key: str) -> CommandSpec | None:
        """The command that was claimed under the key."""
        return self._tree.run(key).spec()

    async def wait(self, key: str, timeout_seconds: float | None = None) -> RunState:
        """Follow a running command to its end, or to the time-out; anything but `Running` returns at once."""
        run = self._tree.run(key)
        loop = asyncio.get_running_loop()
        deadline = None if timeout_seconds is None else loop.time() + timeout_seconds
        pause_seconds = FIRST_PAUSE_SECONDS
        async with AsyncExitStack() as following:
            while True:
                state = run.peek() or await asyncio.to_thread(run.settle)
                start = run.start_record()
                left_seconds = WATCH_SECONDS if deadline is None else min(WATCH_SECONDS, deadline - loop.time())
                if not isinstance(state, Running) or start is None or left_seconds <= 0:
                    return state
                if pause_seconds == FIRST_PAUSE_SECONDS:
                    await following.enter_async_context(at_rest())
                await start.supervisor.wait_for_exit(left_seconds, pause_seconds)
                pause_seconds = min(pause_seconds * 1.5, LONGEST_PAUSE_SECONDS)

    async def kill(self, key: str, reason: str) -> RunState:
        """End the run and everything below it; a run that is claimed but not started will not run any more."""
        run = self._tree.run(key)
        state = run.peek() or await asyncio.to_thread(run.settle)
        if isinstance(state, Finished | Lost) or state == NotStarted(is_claimed=False):
            return state
        await asyncio.to_thread(run.request_kill, reason)
        spec, start = run.spec(), run.start_record()
        if start is None or spec is None:
            return run.peek() or await asyncio.to_thread(run.settle)
        start.supervisor.send(signal.SIGTERM)
        state = await self.wait(key, spec.grace_seconds + self._kill_margin_seconds)
        if isinstance(state, Running):
            # The supervisor hangs or is stopped. Without it the kernel takes the command, and `settle` the rest.
            start.supervisor.send(signal.SIGKILL)
            state = await self.wait(key, self._kill_margin_seconds)
        return state

    async def kill_all(self, prefix: str, reason: str) -> int:
        """End all runs below the prefix, and keep claimed ones from starting; gives how many were running."""
        keys = await asyncio.to_thread(self.keys, prefix)
        states = {key: self._tree.run(key).peek() for key in keys}
        await asyncio.gather(
            *(self.kill(key, reason) for key, state in states.items() if not isinstance(state, Finished | Lost))
        )
        return sum(isinstance(state, Running) for state in states.values())

    def output(self, key: str, limit_characters: int = OUTPUT_LIMIT_CHARACTERS) -> RunOutput:
        """The output so far as text, with head and tail kept where it is longer than the limit."""
        run = self._tree.run(key)
        state = run.peek()
        total_bytes = state.total_bytes if isinstance(state, Finished) else None
        is_over = isinstance(state, Finished | Lost)
        return OutputReader(run.path, self._clean).read(limit_characters, is_over=is_over, total_bytes=total_bytes)

    def forget_output(self, key: str) -> None:
        """Remove what an ended run has put out; how it ended stays on record."""
        OutputReader(self._tree.run(key).path).remove()

    def progress(self, key: str) -> RunProgress:
        """Output and running time so far."""
        run = self._tree.run(key)
        state = run.peek()
        if isinstance(state, Finished):
            return RunProgress(state.total_bytes, state.duration_seconds)
        start = run.start_record()
        running_seconds = 0.0
        if start is not None and start.boot_id == boot_id():
            running_seconds = max(0.0, supervisor.now_seconds() - start.boot_seconds)
        return RunProgress(OutputReader(run.path).total_bytes(), running_seconds)

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of all claimed runs below the prefix, in order."""
        return self._tree.keys(prefix)

    def cleanup(self, prefix: str) -> int:
        """Remove ended runs below the prefix, with their output, and give their number.

        Their keys would run again after this: only for tasks that are over.
        """
        ended = [key for key in self.keys(prefix) if isinstance(self._tree.run(key).peek(), Finished | Lost)]
        self._tree.remove(prefix, ended)
        return len(ended)

    def _start(self, key: str, spec: CommandSpec) -> RunState:
        run = self._tree.run(key)
        state = run.settle()
        if not isinstance(state, NotStarted):
            return state
        self._tree.require_space()
        complaint = ""
        try:
            run.claim(spec)
            for _ in range(START_ATTEMPTS):
                complaint = launch(self._python, run, spec.secret_env)
                state = run.settle()
                if not isinstance(state, NotStarted):
                    return state
                if complaint.startswith(_NO_SPACE):
                    raise self._tree.disk_full(complaint)
        except OSError as error:
            if errno.errorcode.get(error.errno or 0) in _NO_SPACE:
                raise self._tree.disk_full(str(error)) from error
            raise HostError(f"cannot start a command in {run.path}: {error}") from error
        why = complaint or run.complaint() or "it died without a word"
        raise HostError(f"no supervisor could start the command in {run.path}, {START_ATTEMPTS} times: {why}")
