"""Puts a session's limits onto its commands, whatever the sandbox around them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from longshift.adapters.limits.control_groups import ControlGroups
from longshift.adapters.limits.session_limits import SessionLimits
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand


class Limited:
    """A sandbox whose commands are limited; those of nobody's share get the limits of a process only."""

    def __init__(
        self,
        sandbox: Sandbox,
        limits: SessionLimits,
        groups: ControlGroups | None,
        *,
        on_command: Callable[[], None] = lambda: None,
        loadavg: Path = Path("/proc/loadavg"),
    ) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._groups = groups
        self._on_command = on_command
        self._loadavg = loadavg

    @property
    def name(self) -> str:
        """That of the sandbox within."""
        return self._sandbox.name

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The command as the sandbox wraps it, with its limits.

        Raises: HostError, when the session's control group cannot be made; whatever the sandbox within raises.
        """
        wrapped = self._sandbox.wrap(command)
        limits = {**self._limits.of_process(), **self._instead_of_groups(), **wrapped.limits}
        cgroups: tuple[str, ...] = ()
        if command.group:
            self._on_command()
            cgroups = self._groups.folders(command.group) if self._groups is not None else ()
        return replace(wrapped, limits=limits, cgroups=(*wrapped.cgroups, *cgroups), group=command.group)

    async def broken(self, command: SandboxCommand, output: str) -> str:
        """As the sandbox within says."""
        return await self._sandbox.broken(command, output)

    def _instead_of_groups(self) -> Mapping[str, int]:
        """Where the kernel does not limit the session, what it can do about each of its processes."""
        if self._groups is not None:
            return {}
        # NPROC is compared with all processes of the user, other sessions' too, and does nothing for root.
        running = int(self._loadavg.read_text(encoding="ascii").split()[3].partition("/")[2])
        return {"NPROC": running + self._limits.processes, "DATA": self._limits.memory_bytes}
