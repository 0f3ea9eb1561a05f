"""The backend `container`: each command in a container of its own, run by Docker or Podman from the operator's image.

For hosts where bubblewrap cannot work, and for images that bring their own toolchain. What lasts from one command to
the next is bound into each container at its own path: the workspace, its home, its `/tmp`. A container for each
command, and not one for the workspace that commands enter, because of what the port promises: a command ends with all
that it has started, and when its supervisor is killed; an engine's `exec` does neither. How a command gets into its
container and how it ends is in `container_launch.py` and `container_keeper.py`.
"""

import os
import sys
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from longshift.adapters.sandbox import container_keeper, container_launch, readable
from longshift.adapters.sandbox.container_engine import ContainerEngine
from longshift.adapters.sandbox.container_seccomp import seccomp_profile
from longshift.adapters.sandbox.environment import DEFAULT_PATH, clean_environment
from longshift.adapters.sandbox.port import SandboxCommand, WrappedCommand
from longshift.adapters.sandbox.starting import why_not_entered
from longshift.contracts.errors import BadInput, HostError

INSIDE: Final = "/run/longshift"
PROXY_SOCKET: Final = f"{INSIDE}/proxy.sock"
"""Where a command finds the socket of its proxy."""
KEEPER_SOCKET: Final = f"{INSIDE}/keeper.sock"
KEEPER: Final = f"{INSIDE}/keeper.py"
LABEL: Final = "longshift"
HOST_NAME: Final = "sandbox"
USER: Final = "agent"
OOM_SCORE: Final = 900
"""The kernel takes the command first when memory runs out, not the worker."""
_OF_THE_IMAGE: Final = frozenset(
    ("/", "/usr", "/usr/local", "/bin", "/sbin", "/lib", "/lib64", "/etc", os.path.normpath(sys.base_prefix))
)
"""Never the host's: the system and the interpreter, which callers may name since other backends have the host's."""
_UNUSABLE: Final = frozenset('",\n\r')
"""Characters that separate the parts of a mount."""
_CONFINED: Final = (
    *("--network", "none"),
    *("--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
    *("--ipc", "private"),
    *("--hostname", HOST_NAME),
    *("--log-driver", "none"),
    *("--pull", "never"),
    *("--oom-score-adj", str(OOM_SCORE)),
    "--read-only",
)


@dataclass(frozen=True, kw_only=True)
class ContainerOptions:
    """What the operator decides."""

    readable: tuple[str, ...] = ()
    """Absolute paths of the host that every command may read, such as the worker's ripgrep."""
    path: tuple[str, ...] = ()
    """Folders that commands look for programs in before the image's own."""
    shm_bytes: int = 256 * 1024 * 1024
    tmp_bytes: int = 512 * 1024 * 1024
    """Of a `/tmp` that is a command's own; one that a workspace keeps counts as its disk."""
    memory_bytes: int | None = None
    """Of all processes of a container; None: no limit of the engine's."""
    processes: int = 1_024
    processors: float | None = None


@dataclass(frozen=True)
class Container:
    """Confines commands by containers.

    Making one writes a few small files into `folder`; it raises BadInput when `options.readable` cannot be used, and
    HostError when Podman's list of system calls cannot.
    """

    engine: ContainerEngine
    folder: Path
    """The backend's own, which commands cannot see."""
    hidden: tuple[Path, ...]
    """What no command may ever read beside its own workspace: data directories, files with secrets."""
    options: ContainerOptions = field(default_factory=ContainerOptions)
    python: str = sys.executable
    """Runs `container_launch.py` on the host."""
    name: str = "container"

    def __post_init__(self) -> None:
        for path in self.options.readable:
            readable.refuse_secret(path, self.hidden)
        user, group = self._user()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.engine.program == "podman":
            _write(self._seccomp, seccomp_profile(self.engine.seccomp_profile))
        nobody = "nobody:x:65534:65534:nobody:/nonexistent:/bin/false"
        _write(self.folder / "passwd", f"{USER}:x:{user}:{group}:{USER}:/nonexistent:/bin/bash\n{nobody}\n")
        _write(self.folder / "group", f"{USER}:x:{group}:\nnogroup:x:65534:\n")
        _write(self.folder / "hosts", f"127.0.0.1 localhost {HOST_NAME}\n::1 localhost\n")

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The command line that has a container run `command`.

        The command and its variables are handed over in variables: arguments can be read by every user of the host,
        and what the engine is told can be read by every user of the engine.

        Raises:
            BadInput: a path has a character that no engine takes.
            HostError: a path is not there.
        """
        name = f"{LABEL}-{uuid.uuid4().hex}"
        runs = self.folder / "containers"
        inherited = {"PATH": DEFAULT_PATH, **self.engine.image_variables}
        path = os.pathsep.join((*self.options.path, inherited["PATH"]))
        request = {
            "folder": str(runs),
            "name": name,
            "client": [self.engine.executable, "run"],
            "container": [*self._options(name, runs / name, command), *self._first_process()],
            "client_env": dict(self.engine.environment),
            "remove": [self.engine.executable, "rm", "--force", *self._quietly()],
            "argv": [self._inside(command.argv[0]), *command.argv[1:]],
            "env": {**inherited, **clean_environment(command, path)},
            "cwd": command.seen(command.cwd),
        }
        argv = (self.python, "-IS", "-X", "utf8", container_launch.__file__)
        return WrappedCommand(argv=argv, env=container_launch.encoded(request), cwd="/")

    async def broken(self, command: SandboxCommand, output: str) -> str:
        """Why the container of a command that failed cannot be started; empty when the command itself has failed."""
        if not output.lstrip().startswith((container_launch.COMPLAINT, f"cannot run '{self.python}'")):
            return ""
        return await why_not_entered(self, command, program=self.python, starter=self.engine.program)

    def _options(self, name: str, place: Path, command: SandboxCommand) -> Generator[str]:
        user, group = self._user()
        yield from ("--rm", "--name", name, "--label", f"{LABEL}={self.folder}", *_CONFINED, *self._special())
        yield from ("--user", f"{user}:{group}", "--shm-size", str(self.options.shm_bytes))
        yield from self._limits()
        if command.tmp:
            yield from _bound(command.tmp, "/tmp")
        else:
            yield from ("--tmpfs", f"/tmp:rw,exec,nosuid,nodev,mode=1777,size={self.options.tmp_bytes}")
        writable = readable.outermost((command.workspace_root, command.home, *command.writable_paths), ())
        for path in writable:
            yield from _bound(path, command.seen(path))
        # What lies in a workspace may have been swapped for a link that leads out of it: nothing of its own is bound.
        for path in readable.outermost((*self.options.readable, *command.readable_paths), writable):
            if path not in _OF_THE_IMAGE:
                yield from _bound(path, path, is_readonly=True)
        for file in ("passwd", "group", "hosts"):
            yield from _bound(str(self.folder / file), f"/etc/{file}", is_readonly=True)
        yield from _bound(container_keeper.__file__, KEEPER, is_readonly=True)
        yield from _bound(str(place / container_launch.SOCKET), KEEPER_SOCKET, must_exist=False)
        if command.proxy_socket:
            yield from _bound(command.proxy_socket, PROXY_SOCKET)

    def _limits(self) -> Generator[str]:
        """What the engine can enforce: where it cannot, it fails or, worse, takes no notice."""
        options, able = self.options, self.engine.limits
        if "pids" in able:
            yield from ("--pids-limit", str(options.processes))
        if "memory" in able and options.memory_bytes is not None:
            yield from ("--memory", str(options.memory_bytes), "--memory-swap", str(options.memory_bytes))
        if "cpu" in able and options.processors is not None:
            yield from ("--cpus", f"{options.processors:.2f}")

    def _first_process(self) -> tuple[str, ...]:
        return ("--workdir", "/", "--entrypoint", "python3", self.engine.image_id, "-IS", KEEPER, KEEPER_SOCKET)

    def _special(self) -> tuple[str, ...]:
        """What only one of the two programs has."""
        if self.engine.program == "podman":
            # Its own tmpfs have no size.
            return ("--read-only-tmpfs=false", "--security-opt", f"seccomp={self._seccomp}")
        return ("--userns", "host") if self.engine.remaps_users else ()

    @property
    def _seccomp(self) -> Path:
        return self.folder / "seccomp.json"

    def _quietly(self) -> tuple[str, ...]:
        return ("--ignore", "--time", "0") if self.engine.program == "podman" else ()

    def _user(self) -> tuple[int, int]:
        """As whom commands run, so that their files are the worker's."""
        return (0, 0) if self.engine.is_rootless else (os.getuid(), os.getgid())

    def _inside(self, program: str) -> str:
        """The worker's own interpreter is not in the image: the image's stands for it."""
        return "python3" if os.path.realpath(program) == os.path.realpath(sys.executable) else program


def _bound(source: str, target: str, *, is_readonly: bool = False, must_exist: bool = True) -> tuple[str, str]:
    if _UNUSABLE & {*source, *target}:
        raise BadInput(f"sandbox: {source!r} has a comma, a quote or a line break, which no container engine can bind")
    if must_exist and not os.path.exists(source):
        raise HostError(f"sandbox: {source} is to be seen by a command and does not exist")
    return "--mount", f"type=bind,source={source},target={target}{',readonly' if is_readonly else ''}"


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.chmod(0o644)
        part.replace(path)
