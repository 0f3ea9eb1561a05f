"""Ends commands of sessions that use more of the host than they may, where the kernel does not see to it.

It sleeps while no command runs. Disk space it always watches, memory and the number of processes only where no control
group limits them; then it also glances at the host's totals between two looks, since a bomb does not take a second.
"""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.limits.control_groups import ControlGroups
from longshift.adapters.limits.disk_watch import DiskWatch
from longshift.adapters.limits.host_size import meminfo_bytes
from longshift.adapters.limits.running_commands import RunningCommand, RunningCommands, memory_bytes
from longshift.adapters.limits.session_limits import SessionLimits
from longshift.adapters.limits.sizes import size_text
from longshift.adapters.process.runner import ProcessRunner

log = logging.getLogger("longshift.limits")

LOOK_SECONDS = 1.0
GLANCE_SECONDS = 0.1
LINGER_SECONDS = 60.0
"""How long after its last command a session's group is kept, and the watchdog awake."""
TELLING_SHARE = 4
"""A change of the host's totals by this part of a session's limit between two glances calls for a look at once."""


@dataclass(frozen=True)
class Excess:
    """A command that has to end, and why, as the model reads it."""

    command: RunningCommand
    reason: str


class Watchdog:
    """One for a host."""

    def __init__(
        self,
        runner: ProcessRunner,
        running: RunningCommands,
        limits: SessionLimits,
        groups: ControlGroups | None,
        disk: DiskWatch,
        *,
        look_seconds: float = LOOK_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._runner = runner
        self._running = running
        self._limits = limits
        self._groups = groups
        self._disk = disk
        self._look_seconds = look_seconds
        self._linger_seconds = linger_seconds
        self._expected_at = float("-inf")
        """When a command was last asked for, on the monotonic clock."""
        self._ending: dict[str, asyncio.Task[None]] = {}
        """Key of a command → the request to end."""
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def expect(self) -> None:
        """A command is about to start; from any thread."""
        self._expected_at = time.monotonic()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    @asynccontextmanager
    async def on_watch(self) -> AsyncGenerator[None]:
        """Watch as long as the context lasts; a failure of the watchdog ends it with that failure."""
        async with asyncio.TaskGroup() as tasks:
            self._loop = asyncio.get_running_loop()
            watching = tasks.create_task(self._watch(tasks))
            try:
                yield
            finally:
                self._loop = None
                watching.cancel()
                for request in self._ending.values():
                    request.cancel()  # the supervisors have been told, and need nobody to wait for them
                if self._groups is not None:
                    await asyncio.to_thread(self._groups.sweep)

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._woken.clear()
            sessions: Mapping[str, Sequence[RunningCommand]] = {}
            try:
                sessions = await asyncio.to_thread(self._running.by_session)
                for excess in await self._excesses(sessions):
                    self._end(excess, tasks)
                if self._groups is not None:
                    await asyncio.to_thread(self._groups.sweep, self._linger_seconds)
            except OSError as error:
                # A host without memory, processes or descriptors to spare: just then the next look is needed.
                log.warning("cannot look at the running commands: %s", error)
            if sessions or time.monotonic() - self._expected_at < self._linger_seconds:
                await self._pause()
            else:
                await self._woken.wait()

    async def _excesses(self, sessions: Mapping[str, Sequence[RunningCommand]]) -> list[Excess]:
        found = await asyncio.to_thread(self._of_processes, sessions)
        if sessions:
            for session, reason in (await self._disk.look(tuple(sessions))).items():
                found += [Excess(command, reason) for command in sessions[session]]
        return found

    def _of_processes(self, sessions: Mapping[str, Sequence[RunningCommand]]) -> list[Excess]:
        """What control groups would not have let happen."""
        if self._groups is not None:
            return []
        found: list[Excess] = []
        for commands in sessions.values():
            excess = self._too_many_processes(commands) or self._too_much_memory(commands)
            found += [] if excess is None else [excess]
        return found

    def _too_many_processes(self, commands: Sequence[RunningCommand]) -> Excess | None:
        count = sum(command.threads for command in commands)
        if count <= self._limits.processes:
            return None
        largest = max(commands, key=lambda command: command.threads)
        return Excess(largest, f"the session's commands had {count} processes, the limit is {self._limits.processes}")

    def _too_much_memory(self, commands: Sequence[RunningCommand]) -> Excess | None:
        limit = self._limits.memory_bytes
        # The cheap figure is never too low; only where it is too high is it worth asking for the exact one.
        if sum(memory_bytes(command.processes, exactly=False) for command in commands) <= limit:
            return None
        exact = {command.key: memory_bytes(command.processes, exactly=True) for command in commands}
        used = sum(exact.values())
        if used <= limit:
            return None
        largest = max(commands, key=lambda command: exact[command.key])
        reason = f"the session's commands used {size_text(used)} of memory, the limit is {size_text(limit)}"
        return Excess(largest, reason)

    def _end(self, excess: Excess, tasks: asyncio.TaskGroup) -> None:
        """Ask once; what goes on as before although it was asked is killed."""
        command = excess.command
        request = self._ending.get(command.key)
        if request is None:
            log.warning("ending %s: %s", command.key, excess.reason)
            request = tasks.create_task(self._request(excess))
            self._ending[command.key] = request
            request.add_done_callback(lambda _: self._ending.pop(command.key, None))
            return
        for row in command.processes:
            row.identity.send(signal.SIGKILL)

    async def _request(self, excess: Excess) -> None:
        try:
            await self._runner.kill(excess.command.key, excess.reason)
        except OSError as error:
            log.warning("cannot end %s: %s", excess.command.key, error)

    async def _pause(self) -> None:
        """Until the next look: a while, or less when the host's totals say that something happens."""
        loop = asyncio.get_running_loop()
        end_seconds = loop.time() + self._look_seconds
        before = await asyncio.to_thread(_totals) if self._groups is None else None
        while (left_seconds := end_seconds - loop.time()) > 0:
            if before is None:
                await asyncio.sleep(left_seconds)
                return
            await asyncio.sleep(min(GLANCE_SECONDS, left_seconds))
            now = await asyncio.to_thread(_totals)
            if now.processes - before.processes > self._limits.processes // TELLING_SHARE:
                return
            if before.free_bytes - now.free_bytes > self._limits.memory_bytes // TELLING_SHARE:
                return


@dataclass(frozen=True)
class _Totals:
    processes: int
    free_bytes: int


def _totals(proc: Path = Path("/proc")) -> _Totals:
    """The host's: cheap to read, however many processes there are."""
    processes = (proc / "loadavg").read_text(encoding="ascii").split()[3].partition("/")[2]
    return _Totals(int(processes), meminfo_bytes("MemAvailable", proc / "meminfo"))
