"""The backend `container`, run by a real engine: what a command sees, how it ends, what it may use."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished, Lost, Running
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.container import PROXY_SOCKET, Container, ContainerOptions
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand
from longshift.contracts.errors import BadInput, HostError
from tests.adapters.process.process_commands import record, until
from tests.adapters.sandbox.test_sandbox_contract import SandboxContract, run
from tests.containers import container, left_of, skip_without_engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.usefixtures("engine")]

RECEIVES = """
import os, socket
with socket.socket(fileno=os.dup(0)) as calls:
    message, descriptors, _, _ = socket.recv_fds(calls, 16, 4)
    os.write(descriptors[0], b"got " + message)
"""
CLONE, KEYCTL = {"x86_64": (56, 250)}.get(os.uname().machine, (220, 219))
"""Numbers of system calls."""
ATTACKS = f"""
tried() {{ name=$1; shift; if ( "$@" ) >/dev/null 2>&1; then echo "$name"; fi; }}
tried secret cat "$PLACES/data/secret"
tried data ls "$PLACES/data"
tried shadow cat /etc/shadow
tried usr touch /usr/x
tried etc touch /etc/x
tried run touch /run/longshift/x
tried root touch /x
tried mount mount -t tmpfs none /tmp
tried namespace unshare --user true
tried kernel dd if=/dev/zero of=/proc/sys/kernel/core_pattern count=1
tried group mkdir /sys/fs/cgroup/pids/x
tried keeper kill -9 1
tried stopped kill -STOP 1
tried memory cat /proc/1/environ
tried maps dd if=/proc/1/mem count=1
tried descriptors readlink /proc/1/fd/3
tried network bash -c 'exec 3<>/dev/tcp/127.0.0.1/$PORT'
tried engine ls /var/run/docker.sock /run/docker.sock /run/podman/podman.sock
tried door bash -c 'ln -s $PLACES/data ../door; cat ../door/secret'
tried again python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/run/longshift/keeper.sock")'
tried nested python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall({CLONE}, 0x10000011, 0, 0, 0, 0) < 0)'
tried key python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall({KEYCTL}, 0, -3, 0) < 0)'
tried traced python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16, 1, 0, 0) != 0)'
grep -E '^Cap(Eff|Prm|Bnd|Amb):' /proc/self/status | grep -v 0000000000000000
grep -E '^NoNewPrivs:' /proc/self/status | grep -v 1
true
"""


@pytest.fixture
def engine() -> None:
    """There is one."""
    skip_without_engine()


def finished(wrapped: WrappedCommand) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        wrapped.argv, env=wrapped.env, cwd=wrapped.cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def spec(wrapped: WrappedCommand, **more: float) -> CommandSpec:
    return CommandSpec(argv=wrapped.argv, cwd=wrapped.cwd, env=wrapped.env, **more)  # pyright: ignore[reportArgumentType]  # times alone are given


class TestContainer(SandboxContract):
    """What the contract says, and what containers add to it."""

    @pytest.fixture
    def backend(self, tmp_path: Path, engine: None) -> Container:
        return container(tmp_path / "data")

    @pytest.fixture
    def sandbox(self, backend: Container) -> Sandbox:
        return backend

    @pytest.fixture
    def runner(self, tmp_path: Path) -> ProcessRunner:
        return ProcessRunner(tmp_path / "runs", disk_floor_bytes=0)

    def test_no_attack_reaches_anything(self, backend: Container, workspace: Path) -> None:
        (workspace.parent / "data" / "secret").write_text("hush")
        with socket.create_server(("127.0.0.1", 0)) as service:
            port = str(service.getsockname()[1])
            command = self.command(workspace, ATTACKS, PLACES=str(workspace.parent), PORT=port)
            assert "keeper\nstopped\n" == run(backend.wrap(command))  # the kernel takes these signals and drops them

    def test_what_a_command_makes_belongs_to_the_worker(self, backend: Container, workspace: Path) -> None:
        assert "agent\n" == run(backend.wrap(self.command(workspace, "touch ../made; whoami")))
        assert (os.getuid(), os.getgid()) == ((workspace / "made").stat().st_uid, (workspace / "made").stat().st_gid)

    def test_how_a_command_ended_is_told(self, backend: Container, workspace: Path) -> None:
        codes = [finished(backend.wrap(self.command(workspace, each))).returncode for each in ("exit 3", "kill -9 $$")]
        assert [3, 137] == codes
        missing = finished(backend.wrap(replace(self.command(workspace, ""), argv=("nonesuch",))))
        assert (127, "cannot run 'nonesuch': No such file or directory\n") == (missing.returncode, missing.stderr)

    def test_output_and_complaints_stay_apart(self, backend: Container, workspace: Path) -> None:
        done = finished(backend.wrap(self.command(workspace, "echo out; echo err >&2")))
        assert ("out\n", "err\n") == (done.stdout, done.stderr)

    def test_variables_reach_neither_arguments_nor_the_engine(self, backend: Container, workspace: Path) -> None:
        wrapped = backend.wrap(self.command(workspace, 'touch ../here; sleep 60; echo "$TOKEN"', TOKEN="hush\n'\"$x"))
        assert "hush" not in "\0".join(wrapped.argv)
        with subprocess.Popen(wrapped.argv, env=wrapped.env, cwd=wrapped.cwd, stdin=subprocess.DEVNULL) as process:
            wait_for(workspace / "here")
            (name,) = left_of(backend)
            about = subprocess.run(
                [backend.engine.executable, "inspect", name], env=dict(backend.engine.environment), capture_output=True
            )
            process.kill()
        assert 0 == about.returncode
        assert b"hush" not in about.stdout
        assert b"sleep 60" not in about.stdout

    def test_a_variable_of_many_lines_and_long_arguments_arrive_whole(
        self, backend: Container, workspace: Path
    ) -> None:
        long = "ü" * 60_000
        command = replace(self.command(workspace, "", TEXT="a\n'b'\n"), argv=("bash", "-c", 'echo "$TEXT$0"', long))
        assert f"a\n'b'\n{long}\n" == run(backend.wrap(command))

    def test_the_images_interpreter_stands_for_the_workers(self, backend: Container, workspace: Path) -> None:
        command = replace(self.command(workspace, ""), argv=(sys.executable, "-c", "import sys; print(sys.executable)"))
        assert "/usr/bin/python3\n" == run(backend.wrap(command))

    def test_input_may_be_a_socket_that_brings_descriptors(self, backend: Container, workspace: Path) -> None:
        command = replace(self.command(workspace, ""), argv=("python3", "-c", RECEIVES))
        wrapped = backend.wrap(command)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, write = os.pipe()
        with ours, theirs, os.fdopen(output, "rb") as file:
            process = subprocess.Popen(wrapped.argv, env=wrapped.env, cwd=wrapped.cwd, stdin=theirs.fileno())
            socket.send_fds(ours, [b"a call"], [write])
            os.close(write)
            assert 0 == process.wait()
            assert b"got a call" == file.read()

    def test_the_proxys_socket_is_in_a_fixed_place(self, backend: Container, workspace: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(workspace.parent / "p"))
            server.listen()
            script = f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{PROXY_SOCKET}\")' && echo ok"
            command = replace(self.command(workspace, script), proxy_socket=str(workspace.parent / "p"))
            assert "ok\n" == run(backend.wrap(command))

    def test_what_is_readable_cannot_be_written(self, tmp_path: Path, workspace: Path) -> None:
        tool = tmp_path / "chain" / "tool"
        tool.parent.mkdir()
        tool.write_text("#!/bin/sh\ntouch $0 2>/dev/null && echo written || echo 'read only'\n")
        tool.chmod(0o755)
        options = ContainerOptions(readable=(str(tool.parent),), path=(str(tool.parent),))
        command = replace(self.command(workspace, "tool"), readable_paths=(str(tool), str(tool)))
        assert "read only\n" == run(container(tmp_path / "data", options).wrap(command))

    def test_a_tmp_of_its_own_has_a_size(self, tmp_path: Path, workspace: Path) -> None:
        backend = container(tmp_path / "data", ContainerOptions(tmp_bytes=1_000_000, shm_bytes=1_000_000))
        script = "for at in /tmp /dev/shm; do head -c 2000000 /dev/zero > $at/x 2>/dev/null || echo full; done"
        assert "full\nfull\n" == run(backend.wrap(replace(self.command(workspace, script), tmp="")))

    def test_limits_of_the_caller_are_those_of_the_command(self, backend: Container, workspace: Path) -> None:
        wrapped = backend.wrap(self.command(workspace, "ulimit -n; ulimit -f"))
        done = subprocess.run(
            ("prlimit", "--nofile=300:400", f"--fsize={1024 * 1_000_000}", "--", *wrapped.argv),
            env=wrapped.env,
            cwd=wrapped.cwd,
            capture_output=True,
            text=True,
        )
        assert "300\n1000000\n" == done.stdout

    def test_processes_and_memory_have_a_bound(self, tmp_path: Path, workspace: Path) -> None:
        backend = container(tmp_path / "data", ContainerOptions(processes=30, memory_bytes=100_000_000, processors=1))
        if missing := {"pids", "memory"} - backend.engine.limits:
            pytest.skip(f"the engine of this user has no control groups for {sorted(missing)}")
        forks = finished(backend.wrap(self.command(workspace, "for i in $(seq 60); do sleep 1 & done; jobs | wc -l")))
        assert "Resource temporarily unavailable" in forks.stderr
        hungry = "python3 -c 'x = bytearray(300_000_000)'; echo survived"
        assert "survived" not in finished(backend.wrap(self.command(workspace, f"exec {hungry}"))).stdout

    def test_what_a_command_leaves_running_ends_with_it(self, backend: Container, workspace: Path) -> None:
        beating = "setsid nohup bash -c 'while :; do date +%N > ../beat; sleep 0.05; done'"
        script = f"{beating} & while [ ! -s ../beat ]; do :; done"
        run(backend.wrap(self.command(workspace, script)))
        assert_silent(workspace / "beat")
        assert [] == left_of(backend)

    def test_a_killed_caller_leaves_nothing_running_and_the_next_one_clears_up(
        self, backend: Container, workspace: Path
    ) -> None:
        beating = "trap '' TERM; while :; do date +%N > ../beat; sleep 0.05; done"
        wrapped = backend.wrap(self.command(workspace, beating))
        with subprocess.Popen(wrapped.argv, env=wrapped.env, cwd=wrapped.cwd, stdin=subprocess.DEVNULL) as process:
            wait_for(workspace / "beat")
            process.kill()
        assert_silent(workspace / "beat")
        run(backend.wrap(self.command(workspace, "true")))
        assert [] == left_of(backend)
        assert ["lock"] == [path.name for path in (backend.folder / "containers").iterdir()]

    async def test_a_time_out_lets_a_command_end_itself(
        self, backend: Container, workspace: Path, runner: ProcessRunner
    ) -> None:
        script = "trap 'echo ending; exit 5' TERM; touch ../here; while :; do sleep 0.1; done"
        wrapped = backend.wrap(self.command(workspace, script))
        await runner.start("k", spec(wrapped, timeout_seconds=6.0, grace_seconds=20.0))
        state = await runner.wait("k")
        assert isinstance(state, Finished)
        assert (True, 5) == (state.timed_out, state.exit_code)
        assert "ending" in runner.output("k").text
        assert [] == await asyncio.to_thread(left_of, backend)

    async def test_a_command_that_will_not_end_is_killed_with_all_of_its_own(
        self, backend: Container, workspace: Path, runner: ProcessRunner
    ) -> None:
        script = "trap '' TERM; (trap '' TERM; while :; do date +%N > ../beat; sleep 0.05; done) & wait; sleep 600"
        wrapped = backend.wrap(self.command(workspace, script))
        await runner.start("k", spec(wrapped, grace_seconds=0.5))
        await until(lambda: (workspace / "beat").exists())
        state = await runner.kill("k", "enough")
        assert isinstance(state, Finished)
        assert 0 == state.survivors
        await asyncio.to_thread(assert_silent, workspace / "beat")
        await asyncio.to_thread(run, backend.wrap(self.command(workspace, "true")))
        assert [] == await asyncio.to_thread(left_of, backend)

    async def test_a_killed_supervisor_ends_the_container(
        self, backend: Container, workspace: Path, runner: ProcessRunner, tmp_path: Path
    ) -> None:
        wrapped = backend.wrap(self.command(workspace, "while :; do date +%N > ../beat; sleep 0.05; done"))
        state = await runner.start("k", spec(wrapped))
        assert isinstance(state, Running)
        await until(lambda: (workspace / "beat").exists())
        (place,) = (tmp_path / "runs").glob("k*")
        os.kill(record(place, "started.json")["supervisor_pid"], signal.SIGKILL)
        assert isinstance(await runner.wait("k"), Lost)
        await asyncio.to_thread(assert_silent, workspace / "beat")

    async def test_a_flood_of_output_passes_through_no_engine(
        self, backend: Container, workspace: Path, runner: ProcessRunner
    ) -> None:
        wrapped = backend.wrap(self.command(workspace, "head -c 200000000 /dev/zero"))
        await runner.start("k", replace(spec(wrapped), head_bytes=1_000, tail_bytes=1_000))
        state = await runner.wait("k")
        assert isinstance(state, Finished)
        assert (0, 200_000_000) == (state.exit_code, state.total_bytes)

    async def test_a_container_that_cannot_be_started_is_told(self, backend: Container, workspace: Path) -> None:
        gone = replace(backend, engine=replace(backend.engine, image_id="nonesuch"))
        command = self.command(workspace, "true")
        done = await asyncio.to_thread(finished, gone.wrap(command))
        assert 125 == done.returncode
        assert done.stderr.startswith("container: ")
        assert "nonesuch" in await gone.broken(command, done.stderr)
        assert "" == await backend.broken(command, done.stderr)


class TestRefusals:
    """What cannot be bound is named."""

    def test_a_path_that_no_engine_can_bind(self, tmp_path: Path) -> None:
        odd = tmp_path / "a,b"
        odd.mkdir()
        command = SandboxCommand(argv=("true",), cwd="/", workspace_root=str(odd), home=str(odd))
        with pytest.raises(BadInput, match="has a comma"):
            container(tmp_path / "data").wrap(command)

    def test_a_path_that_is_not_there(self, tmp_path: Path) -> None:
        gone = str(tmp_path / "gone")
        command = SandboxCommand(argv=("true",), cwd="/", workspace_root=gone, home=gone)
        with pytest.raises(HostError, match="gone is to be seen by a command and does not exist"):
            container(tmp_path / "data").wrap(command)

    def test_secrets_are_not_to_be_shown(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"^sandbox_readable: .* would show"):
            container(tmp_path / "data", ContainerOptions(readable=("/home",)))


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.02)


def assert_silent(beat: Path) -> None:
    """Nobody writes there any more."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        before = beat.read_text()
        time.sleep(0.5)
        if before == beat.read_text():
            return
    raise AssertionError(f"something still writes {beat}")
