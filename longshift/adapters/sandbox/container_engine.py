"""Docker or Podman on this host: which program, whether it answers and has the image. What it runs is elsewhere."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from longshift.contracts.errors import BadInput, HostError

Program = Literal["docker", "podman"]
ANSWER_SECONDS: Final = 60.0
CLIENT_VARIABLES: Final = (
    *("HOME", "PATH", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION"),
    *("CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"),
)
"""What the engine's client gets of the worker's environment; nothing of it reaches a command."""
_REMOTE: Final = ("tcp://", "ssh://", "http://", "https://")
_REACHED_BY: Final = ("DOCKER_HOST", "CONTAINER_HOST")

_DOCKERS_LIMITS: Final = {"cpu": "CpuCfsQuota", "memory": "MemoryLimit", "pids": "PidsLimit"}


@dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """An engine that answers and has the image."""

    program: Program
    executable: str
    environment: Mapping[str, str]
    """Of its client."""
    image_id: str
    """What the image's name meant when this was made: later commands get the same one."""
    image_variables: Mapping[str, str]
    """Of the image's environment, which its author or the operator has set."""
    is_rootless: bool
    """Root in its containers is the worker's user."""
    seccomp_profile: str
    """The file with Podman's list of system calls; Docker's is in its daemon."""
    limits: frozenset[str]
    """Of `cpu`, `memory` and `pids`, those that it can keep a container to; an ordinary user's engine may have none."""
    remaps_users: bool
    """Docker's daemon gives containers users of their own unless told otherwise."""

    @classmethod
    def found(cls, program: Program, image: str, environment: Mapping[str, str]) -> "ContainerEngine":
        """Ask the engine; blocks for some tenths of a second. `environment` is the worker's.

        Raises:
            BadInput: no image is named, or the engine is on another host.
            HostError: the program is not installed, its daemon does not answer, or it does not have the image.
        """
        if not image:
            raise BadInput(
                'sandbox: "container" needs container_image: an image with bash, git and python3 '
                "(LONGSHIFT_CONTAINER_IMAGE), best by its digest"
            )
        client = {name: environment[name] for name in CLIENT_VARIABLES if name in environment}
        for name in _REACHED_BY:
            if client.get(name, "").startswith(_REMOTE):
                raise BadInput(f"sandbox: {name} names an engine on another host, which has no workspaces; unset it")
        executable = shutil.which(program, path=client.get("PATH"))
        if executable is None:
            raise HostError(f"container_program: {program} is not on the PATH: install it, or name the other program")
        about = _asked(executable, client, ("info", "--format", "{{json .}}"), f"{program} does not answer", _START)
        remedy = f"fetch it with `{program} pull {image}`, or build it; nothing is fetched by itself"
        what = f"container_image: {program} does not have {image}"
        found = _asked(executable, client, ("image", "inspect", image), what, remedy)
        options: list[str] = about.get("SecurityOptions") or []
        host: dict[str, Any] = about.get("host", {})
        security: dict[str, Any] = host.get("security", {})
        controllers: list[str] = host.get("cgroupControllers") or [
            name for name, key in _DOCKERS_LIMITS.items() if about.get(key)
        ]
        return cls(
            program=program,
            executable=executable,
            environment=client,
            image_id=found["Id"],
            image_variables=_variables(found["Config"].get("Env")),
            is_rootless="name=rootless" in options or bool(security.get("rootless")),
            seccomp_profile=str(security.get("seccompProfilePath", "")),
            limits=frozenset(_DOCKERS_LIMITS) & set(controllers),
            remaps_users="name=userns" in options,
        )


_START: Final = "start its daemon, and let the worker's user use it"


def _asked(
    executable: str, environment: Mapping[str, str], arguments: tuple[str, ...], what: str, remedy: str
) -> dict[str, Any]:
    try:
        done = subprocess.run(
            (executable, *arguments),
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HostError(f"{what}: it took more than {ANSWER_SECONDS:.0f} seconds; {remedy}") from None
    except OSError as error:
        raise HostError(f"{what}: {executable} cannot be run: {error.strerror}; {remedy}") from error
    said = done.stderr.strip()
    try:
        if done.returncode == 0:
            answer: Any = json.loads(done.stdout)
            return answer[0] if arguments[0] == "image" else answer
    except (ValueError, LookupError):
        said = f"it says {done.stdout[:200]!r}"
    raise HostError(f"{what}: {said[-1_000:] or f'exit code {done.returncode}'}; {remedy}")


def _variables(lines: list[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in lines or ())}
