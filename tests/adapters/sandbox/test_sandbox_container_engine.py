"""What the backend `container` tells an engine, by value, and what it says when there is none: without an engine."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from longshift.adapters.sandbox import container_launch
from longshift.adapters.sandbox.container import Container, ContainerOptions
from longshift.adapters.sandbox.container_engine import ContainerEngine
from longshift.adapters.sandbox.container_seccomp import seccomp_profile, without_namespaces
from longshift.adapters.sandbox.port import SandboxCommand
from longshift.contracts.errors import BadInput, HostError
from longshift.sandboxes import make_sandbox
from longshift.settings import Settings
from tests.adapters.sandbox import fake_docker

ABOUT: dict[str, Any] = {
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "MemoryLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
}
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the made-up engine keeps what it is told."""
    place = tmp_path / "docker"
    place.mkdir()
    (place / "info.json").write_text(json.dumps(ABOUT))
    return place


@pytest.fixture
def environment(tmp_path: Path, state: Path) -> dict[str, str]:
    """The worker's, with a `docker` on its PATH."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {fake_docker.__file__} "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{PATH}", "DOCKER_CONFIG": str(state), "MOONSHOT_API_KEY": "hush"}


@pytest.fixture
def backend(tmp_path: Path, environment: dict[str, str]) -> Container:
    engine = ContainerEngine.found("docker", "toolchain:1", environment)
    options = ContainerOptions(memory_bytes=1_000_000_000, processes=64, processors=1.5)
    return Container(engine, tmp_path / "data" / "sandbox", (tmp_path / "data",), options)


@pytest.fixture
def command(tmp_path: Path) -> SandboxCommand:
    for name in ("tree", "home", "tmp"):
        (tmp_path / name).mkdir()
    tree, home, tmp = (str(tmp_path / name) for name in ("tree", "home", "tmp"))
    return SandboxCommand(argv=("make", "it"), cwd=tree, workspace_root=tree, home=home, tmp=tmp, env={"KEY": "hush"})


def request(backend: Container, command: SandboxCommand) -> dict[str, Any]:
    """What is handed to the process that starts the container."""
    variables = backend.wrap(command).env
    return json.loads("".join(variables[f"{container_launch.VARIABLE}_{number}"] for number in range(len(variables))))


def values(options: Sequence[str], name: str) -> list[str]:
    return [value for option, value in pairwise(options) if option == name]


def test_the_engine_is_told_nothing_of_the_command(backend: Container, command: SandboxCommand) -> None:
    told = request(backend, command)
    engine = [*told["client"], *told["container"]]
    assert {"make", "it", "KEY", "hush"}.isdisjoint(engine)
    assert not any(word.startswith("--env") for word in engine)
    assert ["make", "it"] == told["argv"]
    assert {"DOCKER_CONFIG", "PATH"} == told["client_env"].keys()


def test_a_command_has_the_images_variables_and_those_of_a_plain_terminal(
    backend: Container, command: SandboxCommand
) -> None:
    assert {
        "PATH": "/usr/local/go/bin:/usr/bin:/bin",
        "GOPATH": "/go",
        "HOME": command.home,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "KEY": "hush",
    } == request(backend, command)["env"]


def test_a_workspace_can_be_seen_elsewhere(backend: Container, command: SandboxCommand) -> None:
    told = request(backend, replace(command, seen_root="/srv/lead/tree", seen_home="/srv/lead/home"))
    mounts = values(told["container"], "--mount")
    assert f"type=bind,source={command.workspace_root},target=/srv/lead/tree" in mounts
    assert f"type=bind,source={command.home},target=/srv/lead/home" in mounts
    assert ("/srv/lead/tree", "/srv/lead/home") == (told["cwd"], told["env"]["HOME"])
    assert not [mount for mount in mounts if mount.endswith(f"target={command.workspace_root}")]


def test_mounts_are_the_workspaces_and_a_few_made_up_files(
    backend: Container, command: SandboxCommand, tmp_path: Path
) -> None:
    tool = tmp_path / "tool"
    tool.touch()
    inside = str(tmp_path / "tree" / "below")
    command = replace(
        command,
        readable_paths=(str(tool), "/usr", sys.base_prefix, inside),
        proxy_socket=str(tool),
    )
    mounts = values(request(backend, command)["container"], "--mount")
    folder = backend.folder
    assert [
        f"type=bind,source={command.tmp},target=/tmp",
        *(f"type=bind,source={path},target={path}" for path in sorted((command.workspace_root, command.home))),
        f"type=bind,source={tool},target={tool},readonly",
        *(f"type=bind,source={folder}/{name},target=/etc/{name},readonly" for name in ("passwd", "group", "hosts")),
    ] == [mounts[0], *sorted(mounts[1:3]), *mounts[3:7]]
    assert ["/run/longshift/keeper.py,readonly", "/run/longshift/keeper.sock", "/run/longshift/proxy.sock"] == [
        mount.partition("target=")[2] for mount in mounts[7:]
    ]


def test_limits_that_the_engine_cannot_keep_are_not_asked_for(backend: Container, command: SandboxCommand) -> None:
    options = request(backend, command)["container"]
    assert [["64"], ["1000000000"], ["1.50"]] == [
        values(options, name) for name in ("--pids-limit", "--memory", "--cpus")
    ]
    without = replace(backend, engine=replace(backend.engine, limits=frozenset()))
    options = request(without, command)["container"]
    assert {"--pids-limit", "--memory", "--memory-swap", "--cpus"}.isdisjoint(options)


def test_an_engine_of_an_ordinary_user_runs_commands_as_its_root(
    state: Path, environment: dict[str, str], backend: Container, command: SandboxCommand
) -> None:
    (state / "info.json").write_text(json.dumps({**ABOUT, "SecurityOptions": ["name=rootless"]}))
    rootless = replace(backend, engine=ContainerEngine.found("docker", "toolchain:1", environment))
    assert ["0:0"] == values(request(rootless, command)["container"], "--user")
    assert [f"{os.getuid()}:{os.getgid()}"] == values(request(backend, command)["container"], "--user")


def test_a_daemon_that_gives_containers_other_users_is_told_not_to(
    state: Path, environment: dict[str, str], backend: Container, command: SandboxCommand
) -> None:
    (state / "info.json").write_text(json.dumps({**ABOUT, "SecurityOptions": ["name=userns"]}))
    remapped = replace(backend, engine=ContainerEngine.found("docker", "toolchain:1", environment))
    assert ["host"] == values(request(remapped, command)["container"], "--userns")


def test_what_is_missing_is_named_with_its_remedy(environment: dict[str, str], state: Path) -> None:
    with pytest.raises(BadInput, match=r'^sandbox: "container" needs container_image.*LONGSHIFT_CONTAINER_IMAGE'):
        ContainerEngine.found("docker", "", environment)
    with pytest.raises(HostError, match=r"^container_program: docker is not on the PATH: install it"):
        ContainerEngine.found("docker", "toolchain:1", {"PATH": "/nonexistent"})
    with pytest.raises(HostError, match=r"does not have other:1: .*No such image.*fetch it with `docker pull other:1`"):
        ContainerEngine.found("docker", "other:1", environment)
    with pytest.raises(BadInput, match="DOCKER_HOST names an engine on another host"):
        ContainerEngine.found("docker", "toolchain:1", {**environment, "DOCKER_HOST": "tcp://10.0.0.1:2375"})
    (state / "info.json").unlink()
    with pytest.raises(HostError, match=r"docker does not answer: Cannot connect.*start its daemon"):
        ContainerEngine.found("docker", "toolchain:1", environment)


def test_the_settings_make_the_backend(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", environment["PATH"])
    rg = tmp_path / "bin" / "rg"
    rg.touch(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", environment["DOCKER_CONFIG"])
    settings = Settings(data_dir=tmp_path / "data", sandbox="container", container_image="toolchain:1")
    assert "container" == make_sandbox(settings).name
    with pytest.raises(BadInput, match="needs container_image"):
        make_sandbox(Settings(data_dir=tmp_path / "data", sandbox="container"))


def can_unshare() -> bool:
    line = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true")
    return shutil.which("unshare") is not None and subprocess.run(line, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="this user may make no namespace of processes")
class TestLaunch:
    """The process that starts a container, and the first process in it."""

    def run(self, backend: Container, command: SandboxCommand, script: str) -> subprocess.CompletedProcess[str]:
        wrapped = backend.wrap(replace(command, argv=("bash", "-c", script)))
        return subprocess.run(
            wrapped.argv, env=wrapped.env, cwd=wrapped.cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def test_output_exit_code_and_variables_pass_by_the_engine(
        self, backend: Container, command: SandboxCommand
    ) -> None:
        done = self.run(backend, command, 'echo "$KEY in $PWD"; echo err >&2; exit 9')
        assert (9, f"hush in {command.cwd}\n", "err\n") == (done.returncode, done.stdout, done.stderr)

    def test_an_argument_that_is_added_to_the_wrapped_line_is_the_commands(
        self, backend: Container, command: SandboxCommand
    ) -> None:
        wrapped = backend.wrap(replace(command, argv=("printf", "%s")))
        assert b"more" == subprocess.run((*wrapped.argv, "more"), env=wrapped.env, capture_output=True).stdout

    def test_the_limits_of_the_caller_are_named_to_the_engine(
        self, backend: Container, command: SandboxCommand, state: Path
    ) -> None:
        assert 0 == self.run(backend, command, "true").returncode
        options = json.loads((state / "run.json").read_text())
        assert {"nofile", "nproc"} <= {limit.partition("=")[0] for limit in options["--ulimit"]}

    def test_a_container_that_somebody_left_is_removed_before_the_next_command(
        self, backend: Container, command: SandboxCommand, state: Path
    ) -> None:
        left = backend.folder / "containers" / "longshift-left"
        left.mkdir(parents=True)
        assert 0 == self.run(backend, command, "true").returncode
        assert "longshift-left" == (state / "removed").read_text()
        assert not left.exists()

    def test_an_engine_that_refuses_is_quoted(self, backend: Container, command: SandboxCommand) -> None:
        other = replace(backend, engine=replace(backend.engine, image_id="sha256:other"))
        done = self.run(other, command, "true")
        assert (125, "container: unknown flag or image: sha256:other\n") == (done.returncode, done.stderr)

    def test_an_engine_that_is_gone_is_named(self, backend: Container, command: SandboxCommand) -> None:
        other = replace(backend, engine=replace(backend.engine, executable="/nonexistent/docker"))
        done = self.run(other, command, "true")
        assert (125, "container: cannot run /nonexistent/docker: No such file or directory\n") == (
            done.returncode,
            done.stderr,
        )


def test_podmans_system_calls_lose_those_that_make_namespaces(tmp_path: Path) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            {"names": ["read", "unshare", "clone", "clone3", "mount"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["setns"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        ],
    }
    allowed = [rule for rule in without_namespaces(profile)["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW"]
    assert [["read"], ["clone"]] == [rule["names"] for rule in allowed]
    assert [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}] == allowed[1]["args"]
    for path, text in (("", None), (str(tmp_path / "gone"), None), (str(tmp_path / "bad"), "[]")):
        if text is not None:
            Path(path).write_text(text)
        with pytest.raises(HostError, match=r"cannot be used: .*install it"):
            seccomp_profile(path)
