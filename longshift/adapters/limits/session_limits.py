"""How much one session may use. Who enforces it is in the modules beside."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SessionLimits:
    """The limits of every session of a host alike."""

    processes: int
    """At a time, threads counted."""
    memory_bytes: int
    """Of all processes together."""
    processors: float
    """The processor time of all processes together, in processors."""
    disk_bytes: int
    """The files of the workspace: tree, home, tmp and history."""
    file_bytes: int
    """The largest file that a command may write."""
    open_files: int
    """Of one process."""

    def of_process(self) -> dict[str, int]:
        """The resource limits of every process, whoever keeps the session as a whole to its limits."""
        return {"FSIZE": self.file_bytes, "NOFILE": self.open_files, "CORE": 0}
