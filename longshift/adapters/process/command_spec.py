"""What to run: the value that is claimed under a key. How it is run is the supervisor's."""

import json
import resource
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from longshift.adapters.sandbox.port import WrappedCommand

DEFAULT_HEAD_BYTES = 64 * 1024 * 1024
"""Output up to this is kept whole."""
DEFAULT_TAIL_BYTES = 1024 * 1024
"""Of longer output, this much of the end is kept besides."""


@dataclass(frozen=True, kw_only=True)
class CommandSpec:
    """One command, with its whole environment and its limits."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """The whole environment: nothing is inherited."""
    timeout_seconds: float | None = None
    """Wall clock, time asleep included; None means without end."""
    grace_seconds: float = 5.0
    """Between SIGTERM and SIGKILL."""
    head_bytes: int = DEFAULT_HEAD_BYTES
    tail_bytes: int = DEFAULT_TAIL_BYTES
    background: bool = False
    """The caller does not wait for it; the supervisor makes no difference."""
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
    """Resource limits (setrlimit) by name without the prefix, such as `NOFILE`; soft and hard alike."""
    cgroups: tuple[str, ...] = ()
    """Folders of control groups that the command joins before it starts."""
    group: str = ""
    """Whose share of the host it counts as, see `adapters.sandbox.port`; empty: nobody's."""
    secret_env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Variables on top of `env` that are written nowhere: not part of the claim, so a later start has to bring them."""
    guarded: bool = False
    """The first process only guards the command, which ends with it: SIGTERM is for those below, SIGKILL for all."""

    def __post_init__(self) -> None:
        if not self.argv:
            raise ValueError("argv is empty")
        if self.head_bytes < 0 or self.tail_bytes < 0 or self.grace_seconds < 0:
            raise ValueError("head_bytes, tail_bytes and grace_seconds must not be negative")
        if unknown := [name for name in self.limits if not hasattr(resource, f"RLIMIT_{name}")]:
            raise ValueError(f"limits: this system has no RLIMIT_{unknown[0]}")
        if any(value < 0 for value in self.limits.values()):
            raise ValueError("limits must not be negative")

    @classmethod
    def of(cls, wrapped: WrappedCommand, **options: Any) -> "CommandSpec":
        """What a sandbox has wrapped, as it says, with further fields of this class."""
        return cls(
            argv=wrapped.argv,
            cwd=wrapped.cwd,
            env=wrapped.env,
            limits=wrapped.limits,
            cgroups=wrapped.cgroups,
            group=wrapped.group,
            guarded=wrapped.guarded,
            **options,
        )

    def to_json(self) -> bytes:
        """The form in which it is claimed."""
        values = {**asdict(self), "env": dict(self.env), "limits": dict(self.limits)}
        del values["secret_env"]
        return json.dumps(values).encode()

    @classmethod
    def load(cls, path: Path) -> "CommandSpec | None":
        """Read a claimed command; None where nothing is claimed. Fields of other releases are ignored."""
        try:
            values = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        known: dict[str, Any] = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        known |= {name: tuple(known[name]) for name in ("argv", "cgroups") if name in known}
        return cls(**known)
