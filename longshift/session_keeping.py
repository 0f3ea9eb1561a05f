"""Puts together what keeps the sessions of a host within their limits."""

from dataclasses import dataclass

from longshift.adapters.limits.choice import choose, control_groups
from longshift.adapters.limits.control_groups import ControlGroups
from longshift.adapters.limits.disk_watch import DiskWatch
from longshift.adapters.limits.host_size import host_size
from longshift.adapters.limits.limited import Limited
from longshift.adapters.limits.running_commands import RunningCommands
from longshift.adapters.limits.session_limits import SessionLimits
from longshift.adapters.limits.watchdog import Watchdog
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.port import Sandbox
from longshift.settings import Settings


@dataclass(frozen=True)
class SessionKeeping:
    """Limits for commands, and the watchdog over those that run."""

    name: str
    """Who enforces the limits, for the log."""
    limits: SessionLimits
    groups: ControlGroups | None
    watchdog: Watchdog

    @classmethod
    def of(cls, settings: Settings, runner: ProcessRunner) -> "SessionKeeping":
        """As the settings and this host have it.

        Raises: HostError, when control groups are demanded, or found, and cannot be had.
        """
        data = settings.data_dir
        host = host_size(data)
        limits = settings.limits_of_session(host)
        enforcement = choose(settings.session_limits)
        groups = control_groups(enforcement, limits, data, host)
        disk = DiskWatch(data / "workspaces", limits.disk_bytes, settings.disk_floor_bytes)
        watchdog = Watchdog(runner, RunningCommands(data / "runs"), limits, groups, disk)
        return cls(enforcement.name, limits, groups, watchdog)

    def around(self, sandbox: Sandbox) -> Limited:
        """The sandbox, with the limits on its commands."""
        return Limited(sandbox, self.limits, self.groups, on_command=self.watchdog.expect)
