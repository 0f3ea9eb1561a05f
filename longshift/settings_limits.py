"""Settings of what a session may use of its host, so that its bombs stay its own. Part of `settings.Settings`."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from longshift.adapters.limits.host_size import HostSize
from longshift.adapters.limits.session_limits import SessionLimits

MEMORY_SHARE = 0.5
DISK_SHARE = 0.25


class LimitSettings(BaseSettings):
    """Limits of every session alike, and of each of its commands."""

    session_limits: Literal["auto", "cgroup", "rlimits"] = "auto"
    """Who keeps sessions to them: control groups where they can be had, control groups or nothing, or limits of
    processes and a watchdog."""
    session_processes: int = Field(default=1_024, ge=16, le=1_000_000)
    """Processes and threads of a session at a time."""
    session_memory_bytes: int | None = Field(default=None, ge=64_000_000)
    """Of all its processes together; half of the host's when empty."""
    session_cpus: float | None = Field(default=None, ge=0.05, le=10_000)
    """Processors that its commands may keep busy; as many as the host has when empty."""
    session_disk_bytes: int | None = Field(default=None, ge=10_000_000)
    """Of its workspace's files; a quarter of the disk that holds the data directory when empty."""
    command_file_bytes: int = Field(default=4_000_000_000, ge=1_000_000)
    """The largest file that a command may write."""
    command_open_files: int = Field(default=4_096, ge=64, le=1_000_000)
    """Open files of one process."""

    def limits_of_session(self, host: HostSize) -> SessionLimits:
        """The limits of a session on a host of this size."""
        return SessionLimits(
            processes=self.session_processes,
            memory_bytes=self.session_memory_bytes or int(host.memory_bytes * MEMORY_SHARE),
            processors=self.session_cpus or float(host.processors),
            disk_bytes=self.session_disk_bytes or int(host.disk_bytes * DISK_SHARE),
            file_bytes=self.command_file_bytes,
            open_files=self.command_open_files,
        )
