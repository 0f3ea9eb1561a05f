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
    tmp: str = ""
    """The folder beside the workspace that the command sees as `/tmp`, kept from one command to the next; the caller
    creates it. Empty: a `/tmp` of the command's own."""
    proxy_socket: str = ""
    """The unix socket of the proxy through which the command reaches the network; empty: no network at all."""
    group: str = ""
    """Whose share of the host's processors, memory and processes it counts as: the workspace's id. Empty: nobody's."""
    seen_root: str = ""
    """Where the command sees the workspace, in a sandbox that can show a folder elsewhere; empty: at its own path."""
    seen_home: str = ""
    """The same of `home`."""

    def seen(self, path: str) -> str:
        """Where the command sees the path of the host, such as `cwd`: elsewhere if it is of the workspace or home."""
        for own, seen in ((self.workspace_root, self.seen_root), (self.home, self.seen_home)):
            if seen and (path == own or path.startswith(own.rstrip("/") + "/")):
                return seen + path[len(own.rstrip("/")) :]
        return path


@dataclass(frozen=True)
class WrappedCommand:
    """A command as the process runner takes it; the environment is whole, nothing is to be inherited."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
    """Resource limits (setrlimit) by name without the prefix, such as `NOFILE`; soft and hard alike."""
    cgroups: tuple[str, ...] = ()
    """Folders of control groups that the command joins before it starts."""
    group: str = ""
    """Whose share it counts as, as the command says."""
    guarded: bool = False
    """The first process only guards the command, which ends with it: a request to end is for those below."""


class Sandbox(Protocol):
    """Confines commands. Whatever the backend, nothing of the worker's environment reaches them."""

    @property
    def name(self) -> str:
        """The name of the backend, shown wherever the workspace is."""
        ...

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The command line, environment and folder that run `command` confined.

        Raises:
            BadInput: no sandbox can hold it.
            HostError: a path that it names is not there.
        """
        ...

    async def broken(self, command: SandboxCommand, output: str) -> str:
        """Why the sandbox of a command that failed cannot be entered; empty when the command itself has failed.

        `output` is what the failed command has written, from its beginning. To be asked from the event loop's thread.
        """
        ...
