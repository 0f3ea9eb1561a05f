"""An engine for the tests of the backend `container`, with an image made from this machine's own files.

Nothing is fetched. The image stays in the engine's storage, so that it is made once: `longshift-test`.
"""

import functools
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from longshift.adapters.sandbox.container import Container, ContainerOptions
from longshift.adapters.sandbox.container_engine import ContainerEngine
from longshift.contracts.errors import HostError

IMAGE = "localhost/longshift-test:3"
PROGRAMS = (
    *("bash", "sh", "env", "cat", "ls", "mkdir", "rm", "mv", "cp", "ln", "touch"),
    *("sleep", "head", "tail", "wc", "sort", "seq", "echo", "true", "false", "id", "whoami"),
    *("hostname", "stat", "chmod", "readlink", "dd", "df", "nohup", "setsid", "timeout", "sed", "grep"),
    *("awk", "mawk", "find", "xargs", "git", "python3", "date", "tr", "cut", "tee", "mktemp"),
    *("dirname", "basename", "pwd", "ps", "kill", "mount", "unshare", "prlimit", "getent", "tar", "base64"),
    *("chown", "curl", "gzip", "mkfifo", "mknod", "nice", "od", "printenv", "printf", "rev", "ssh"),
    *("strings", "truncate", "tty", "umount", "wget"),
)
FOLDERS = ("/usr/lib/python3", "/usr/lib/git-core", "/usr/lib/locale/C.utf8", "/usr/share/git-core/templates")
TRIAL_SECONDS = 60


def _followed(path: str) -> list[str]:
    """A file and, where it is a link, all that it leads over."""
    found = [path]
    while os.path.islink(found[-1]):
        found.append(os.path.normpath(os.path.join(os.path.dirname(found[-1]), os.readlink(found[-1]))))
    return found


def _contents() -> set[str]:
    programs = [path for name in PROGRAMS if (path := shutil.which(name, path="/usr/bin:/bin:/usr/sbin"))]
    library = os.path.dirname(os.path.realpath("/usr/bin/python3")).replace("bin", "lib")
    python = os.path.join(library, os.path.basename(os.path.realpath("/usr/bin/python3")))
    folders = [path for path in (*FOLDERS, python) if os.path.isdir(path)]
    modules = [str(path) for path in Path(python).rglob("*.so")]
    linked = subprocess.run(
        ["ldd", *programs, *modules, "/usr/lib/git-core/git-remote-http"], capture_output=True, text=True, check=False
    )
    libraries = set(re.findall(r"(/\S+) \(0x", linked.stdout))
    return {each for path in (*programs, *libraries) for each in _followed(path)} | set(folders)


def _write_image(tar: Path) -> None:
    with tarfile.open(tar, "w") as image:
        for name in filter(os.path.islink, ("/bin", "/sbin", "/lib", "/lib64")):
            image.add(name, recursive=False)
        for path in sorted(_contents()):
            real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            image.add(real, filter=lambda each: None if re.search("__pycache__|/tests?/", each.name) else each)


@functools.cache
def found() -> tuple[ContainerEngine | None, str]:
    """An engine that runs containers here, or why there is none."""
    why: list[str] = []
    for program in ("podman", "docker"):
        executable = shutil.which(program)
        if executable is None:
            why.append(f"{program} is not installed")
            continue
        for environment in (dict(os.environ), _with_runc()):
            try:
                return _tried(executable, program, environment), ""
            except HostError as error:
                why.append(str(error))
    return None, "; ".join(why)


def _with_runc() -> dict[str, str]:
    """For machines on which Podman's usual runtime does not work, such as those with both kinds of control groups."""
    place = Path(tempfile.gettempdir()) / f"longshift-containers-{os.getuid()}.conf"
    place.write_text('[engine]\nruntime = "runc"\n')
    return {**os.environ, "CONTAINERS_CONF": str(place)}


def _tried(executable: str, program: str, environment: Mapping[str, str]) -> ContainerEngine:
    kind = "podman" if program == "podman" else "docker"
    try:
        engine = ContainerEngine.found(kind, IMAGE, environment)
    except HostError as error:
        if "does not have" not in str(error):
            raise
        with tempfile.TemporaryDirectory() as folder:
            _write_image(Path(folder) / "image.tar")
            subprocess.run([executable, "import", f"{folder}/image.tar", IMAGE], check=True, capture_output=True)
        engine = ContainerEngine.found(kind, IMAGE, environment)
    line = [executable, "run", "--rm", "--network", "none", "--ulimit", "nofile=512:512", "--ulimit", "nproc=512:512"]
    try:
        tried = subprocess.run(
            [*line, engine.image_id, "true"],
            env=dict(engine.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=TRIAL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise HostError(f"{program} ran nothing within {TRIAL_SECONDS} seconds") from None
    if tried.returncode:
        raise HostError(f"{program} runs no container: {tried.stderr.strip()[-300:]}")
    return engine


def skip_without_engine() -> None:
    """Skip the test with the reason where no engine runs containers. Not a mark: to find out takes a second or more."""
    engine, why = found()
    if engine is None:
        pytest.skip(f"no container engine works here: {why}")


def container(data_dir: Path, options: ContainerOptions | None = None) -> Container:
    """The backend for workspaces beside `data_dir`."""
    engine, why = found()
    assert engine is not None, why
    return Container(engine, data_dir / "sandbox", (data_dir,), options or ContainerOptions())


def left_of(backend: Container) -> list[str]:
    """The names of the containers that its engine still knows."""
    line = ("ps", "--all", "--filter", f"label=longshift={backend.folder}", "--format", "{{.Names}}")
    listed = subprocess.run(
        [backend.engine.executable, *line],
        env=dict(backend.engine.environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split()
