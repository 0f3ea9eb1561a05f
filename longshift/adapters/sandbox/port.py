"""The sandbox port: turns a command into the one that is really run. Running it is `adapters.process`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class SandboxCommand:
    """A command as a tool wants it, with what it may touch. All paths are absolute paths on the host."""

    argv: tuple[str, ...]
    cwd: str
    workspace_root: str
    """Readable and writable."""
    home: str
    """The command's `HOME`, beside the workspace; readable and writable. The caller creates it."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables given to this command on purpose; they go before the sandbox's own."""
    writable_paths: tuple[str, ...] = ()
    readable_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class WrappedCommand:
    """A command as the process runner takes it; the environment is whole, nothing is to be inherited."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str


class Sandbox(Protocol):
    """Confines commands. Whatever the backend, nothing of the worker's environment reaches them."""

    @property
    def name(self) -> str:
        """The name of the backend, shown wherever the workspace is."""
        ...

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The command line, environment and folder that run `command` confined."""
        ...
