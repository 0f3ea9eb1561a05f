"""How far a run has come, and what it has put out so far. Values only; `run_directory` reads them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NotStarted:
    """The command has had no effect; starting it is safe."""

    is_claimed: bool
    """It was asked for once, but its supervisor never let it go."""


@dataclass(frozen=True)
class Running:
    """Its supervisor is alive."""

    pid: int


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The command and everything below it has ended, and its supervisor has said how."""

    exit_code: int | None
    """None when a signal ended it, or when it was killed before it was let go."""
    signal: int | None
    timed_out: bool
    killed_reason: str | None
    """Why it was asked to end; it may still have ended by itself within its grace period."""
    duration_seconds: float
    total_bytes: int
    """All output, whether kept or not."""
    io_errno: int | None
    """The first failure to keep output, such as a full disk."""
    survivors: int = 0
    """Processes that even SIGKILL did not end in time, such as those stuck in the kernel."""
    oom_kills: int = 0
    """Processes of its control groups that the kernel killed meanwhile, as they had used up their memory."""
    refused_forks: int = 0
    """How often the kernel refused its control groups another process meanwhile."""


@dataclass(frozen=True)
class Lost:
    """The supervisor is gone and the outcome is unknown, for ever; any effect is possible, so it is never run again."""

    why: str


RunState = NotStarted | Running | Finished | Lost


@dataclass(frozen=True)
class RunOutput:
    """Output as text for a model, cut in the middle where it is long."""

    text: str
    total_bytes: int
    omitted_bytes: int
    path: Path
    """The file that holds the output from its beginning, whole unless it outgrew the cap."""


@dataclass(frozen=True)
class RunProgress:
    """What a heartbeat says about a run."""

    total_bytes: int
    running_seconds: float
