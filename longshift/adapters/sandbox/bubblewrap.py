"""The backend `bubblewrap`: a command sees the system's programs, its workspace, its home and its `/tmp`; no network.

Whatever is not bound here does not exist for the command: the list is one of what is allowed. What of the system is in
it is in `system_root`, what an operator may add in `readable`. Limits on memory and processes are not set here.
"""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from longshift.adapters.sandbox import readable, system_root
from longshift.adapters.sandbox.environment import DEFAULT_PATH, clean_environment
from longshift.adapters.sandbox.port import SandboxCommand, WrappedCommand
from longshift.adapters.sandbox.starting import why_not_entered
from longshift.contracts.errors import BadInput, HostError

PROXY_SOCKET: Final = "/run/longshift/proxy.sock"
"""Where a command finds the socket of its proxy."""
ARGUMENTS_LIMIT: Final = 9_000
"""bubblewrap parses no more."""
_CONFINED: Final = (
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--new-session",
    "--die-with-parent",
    *("--cap-drop", "ALL"),
    *("--hostname", system_root.HOST_NAME),
)


@dataclass(frozen=True, kw_only=True)
class BubblewrapOptions:
    """What the operator decides."""

    readable: tuple[str, ...] = ()
    """Absolute paths outside of /usr that every command may read, such as toolchains."""
    path: tuple[str, ...] = ()
    """Folders that commands look for programs in before the system's."""
    shm_bytes: int = 256 * 1024 * 1024
    tmp_bytes: int = 512 * 1024 * 1024
    """Of a `/tmp` that is a command's own; one that a workspace keeps counts as its disk."""


@dataclass(frozen=True)
class _Binds:
    """What of the host is bound, at its own path or where the command is to see it; none lies within another one."""

    writable: dict[str, str]
    """Path on the host → path inside."""
    readable: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        """The paths inside."""
        return (*self.writable.values(), *self.readable)


@dataclass(frozen=True)
class Bubblewrap:
    """Confines commands by namespaces, as root and as an ordinary user alike.

    Making one writes a few small files into `folder` and raises BadInput when `options.readable` cannot be used.
    """

    executable: str
    folder: Path
    """The backend's own, which commands cannot see: the files of their `/etc` that are made up."""
    hidden: tuple[Path, ...]
    """What no command may ever read beside its own workspace: data directories, files with secrets."""
    options: BubblewrapOptions = field(default_factory=BubblewrapOptions)
    name: str = "bubblewrap"

    def __post_init__(self) -> None:
        readable.refuse_exposed(self.hidden)
        for path in self.options.readable:
            readable.refuse_secret(path, self.hidden)
        try:
            system_root.write_files(self.folder)
        except OSError as error:
            raise HostError(f"sandbox: {self.folder} cannot be written: {error.strerror}; free or mend it") from error

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The command line that runs `command` confined.

        Variables are handed over in the environment of bubblewrap: arguments can be read by every user of the host.

        Raises:
            BadInput: it has more arguments than bubblewrap takes, or needs a path below /tmp that settings must name.
            HostError: a path is not there, or `/tmp` of the workspace is not as it was left.
        """
        binds = self._binds(command)
        tmp = self._tmp(command, binds)
        socket = ("--bind", command.proxy_socket, PROXY_SOCKET) if command.proxy_socket else ()
        argv = (
            self.executable,
            *_CONFINED,
            *system_root.identity(),
            *system_root.arguments(self.folder, command.seen(command.home), shown=binds.every),
            *("--dev", "/dev", "--size", str(self.options.shm_bytes), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
            *tmp,
            *(part for path, seen in binds.writable.items() for part in ("--bind", path, seen)),
            *(part for path in binds.readable for part in ("--ro-bind", path, path)),
            *socket,
            *(part for pin in _pins(command, binds) for part in ("--remount-ro", pin)),
            *("--remount-ro", "/", "--chdir", command.seen(command.cwd), "--"),
            *command.argv,
        )
        if len(argv) > ARGUMENTS_LIMIT:
            raise BadInput(
                f"sandbox: the command has {len(argv)} arguments, bubblewrap takes {ARGUMENTS_LIMIT}: "
                "give it fewer, or through a file"
            )
        environment = clean_environment(command, os.pathsep.join((*self.options.path, DEFAULT_PATH)))
        # bubblewrap itself needs no folder, and one that the command may swap for a link is better not entered outside.
        return WrappedCommand(argv=argv, env=environment, cwd="/", guarded=True)

    async def broken(self, command: SandboxCommand, output: str) -> str:
        """Why the sandbox of a command that failed cannot be entered; empty when the command itself has failed."""
        if not output.lstrip().startswith(("bwrap: ", f"cannot run '{self.executable}'", "cannot enter the working")):
            return ""
        return await why_not_entered(self, command, program=self.executable, starter=self.executable)

    def _binds(self, command: SandboxCommand) -> _Binds:
        """Which paths are bound. One within another one that is bound for writing needs nothing of its own.

        It must not have it either: what lies in a workspace may have been swapped for a link that leads out.
        """
        writable = readable.outermost((command.workspace_root, command.home, *command.writable_paths), ())
        wanted = readable.outermost(
            (*self.options.readable, *command.readable_paths), (*writable, *system_root.shown())
        )
        for path in (*writable, *wanted):
            if not os.path.exists(path):
                raise HostError(f"sandbox: {path} is to be seen by a command and does not exist")
        return _Binds({path: command.seen(path) for path in writable}, wanted)

    def _tmp(self, command: SandboxCommand, binds: _Binds) -> tuple[str, ...]:
        """`/tmp`. Where paths below it are bound, what leads there is pinned: by mounts that no command can move.

        Raises: BadInput, HostError.
        """
        if not command.tmp:
            return ("--size", str(self.options.tmp_bytes), "--tmpfs", "/tmp")
        pins = _pins(command, binds)
        places = (command.seen(command.workspace_root), command.seen(command.home), *self.options.readable)
        own = {_pin(path) for path in places}
        for pin in pins:
            if pin not in own:
                raise BadInput(
                    f"sandbox_readable: a command needs a path below {pin}; name it there, or keep it outside of /tmp"
                )
            place = Path(command.tmp) / PurePosixPath(pin).name
            with contextlib.suppress(FileExistsError):
                place.mkdir()
            if place.is_symlink() or not place.is_dir():
                raise HostError(f"sandbox: {place} is in the way of {pin}; remove it")
        return ("--bind", command.tmp, "/tmp", *(part for pin in pins for part in ("--tmpfs", pin)))


def _pins(command: SandboxCommand, binds: _Binds) -> tuple[str, ...]:
    """The first folders below `/tmp` on the ways to what is bound there; none where `/tmp` is new for each command."""
    if not command.tmp:
        return ()
    return tuple(sorted({pin for path in binds.every if (pin := _pin(path))}))


def _pin(path: str) -> str:
    parts = PurePosixPath(path).parts
    return f"/tmp/{parts[2]}" if parts[:2] == ("/", "tmp") and len(parts) > 2 else ""
