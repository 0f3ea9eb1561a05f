"""Proxies as processes of their own: found again, started again, ended; and the log they leave."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from longshift.adapters.network.egress import Egress
from longshift.adapters.process.child_end import end_child
from longshift.adapters.process.run_state import Finished, Running
from longshift.adapters.process.runner import ProcessRunner
from longshift.contracts.errors import BadInput
from longshift.contracts.network import NetworkPhase, NetworkProfile
from longshift.contracts.task import TaskSpec
from tests.adapters.network.network_rig import Recorder, RunningProxy, server

LONG_TASK = "a-task-with-a-name-that-is-too-long-for-the-path-of-a-socket." + "x" * 39
AGENT, SETUP = NetworkPhase.AGENT, NetworkPhase.SETUP


def egress(tmp_path: Path, runner: ProcessRunner, *hosts: str, **fields: object) -> Egress:
    allowed = NetworkProfile.model_validate({"hosts": hosts, "allow_private": ["127.0.0.2/32"], **fields})
    return Egress(tmp_path / "data", runner, {"test": allowed})


async def ask(socket: str, request: bytes) -> bytes:
    folder = os.open(os.path.dirname(socket), os.O_PATH)
    try:
        short = f"/proc/self/fd/{folder}/{os.path.basename(socket)}"
        return await RunningProxy(short, Path()).ask(request)
    finally:
        os.close(folder)


def running(runner: ProcessRunner, task: str, phase: NetworkPhase = AGENT) -> Sequence[str]:
    keys = runner.keys(f"{task}/_network/{phase.value}")
    return [key for key in keys if isinstance(runner.state(key), Running)]


def get(port: int) -> bytes:
    return f"GET http://127.0.0.2:{port}/ HTTP/1.1\r\n\r\n".encode()


async def test_a_profile_named_none_has_no_socket(tmp_path: Path, runner: ProcessRunner) -> None:
    assert "" == await egress(tmp_path, runner, "a.example").opened("t-1", AGENT, "none")
    assert [] == runner.keys()


async def test_a_proxy_starts_once_however_many_ask_for_it(tmp_path: Path, runner: ProcessRunner) -> None:
    network = egress(tmp_path, runner, "a.example")
    sockets = await asyncio.gather(*(network.opened(LONG_TASK, AGENT, "test") for _ in range(10)))
    assert 1 == len(set(sockets))
    assert 1 == len(runner.keys())
    assert sockets[0] == network.socket(LONG_TASK, AGENT, "test")
    assert (await ask(sockets[0], b"GET http://b.example/ HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 403")


async def test_another_worker_finds_the_proxy_running(tmp_path: Path, runner: ProcessRunner) -> None:
    first = await egress(tmp_path, runner, "a.example").opened("t-1", AGENT, "test")
    other_runner = ProcessRunner(tmp_path / "data" / "runs", disk_floor_bytes=0)
    second = await egress(tmp_path, other_runner, "a.example").opened("t-1", AGENT, "test")
    assert first == second
    assert 1 == len(runner.keys())


async def test_a_proxy_that_was_killed_is_started_again_and_goes_on_counting(
    tmp_path: Path, runner: ProcessRunner
) -> None:
    async with server(Recorder(), "127.0.0.2") as port:
        network = egress(tmp_path, runner, f"127.0.0.2:{port}")
        first = await ask(await network.opened("t-1", AGENT, "test"), get(port))
        (key,) = running(runner, "t-1")
        state = runner.state(key)
        assert isinstance(state, Running)
        os.kill(state.pid, signal.SIGKILL)
        await runner.wait(key, 10)
        second = await ask(await network.opened("t-1", AGENT, "test"), get(port))
        use = await network.use("t-1")
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 200")
    assert use is not None
    assert (2, 0, (f"127.0.0.2:{port}",)) == (use.requests, use.refused, use.reached_hosts)
    assert len(runner.keys()) == 2


async def test_a_profile_that_changed_replaces_the_proxy(tmp_path: Path, runner: ProcessRunner) -> None:
    before = await egress(tmp_path, runner, "a.example").opened("t-1", AGENT, "test")
    after = await egress(tmp_path, runner, "b.example").opened("t-1", AGENT, "test")
    assert before != after
    assert not Path(before).exists()
    assert 1 == len(running(runner, "t-1"))


async def test_a_closed_phase_leaves_neither_process_nor_socket(tmp_path: Path, runner: ProcessRunner) -> None:
    network = egress(tmp_path, runner, "a.example")
    setup = await network.opened("t-1", SETUP, "test")
    agent = await network.opened("t-1", AGENT, "test")
    await network.closed("t-1", SETUP)
    assert [False, True] == [Path(socket).exists() for socket in (setup, agent)]
    assert ([], 1) == (running(runner, "t-1", SETUP), len(running(runner, "t-1", AGENT)))
    await network.closed("t-1")
    assert [] == running(runner, "t-1")


async def test_phases_are_logged_and_counted_apart(tmp_path: Path, runner: ProcessRunner) -> None:
    network = egress(tmp_path, runner, "a.example")
    for phase in (SETUP, AGENT):
        await ask(await network.opened("t-1", phase, "test"), b"CONNECT b.example:443 HTTP/1.1\r\n\r\n")
    use = await network.use("t-1")
    assert use is not None
    assert (2, 2, ("b.example:443",)) == (use.requests, use.refused, use.refused_hosts)
    assert [b'"setup"' in line for line in network.log("t-1").splitlines()] == [True, False]
    assert None is await network.use("t-2")


async def test_a_host_without_the_profile_refuses(tmp_path: Path, runner: ProcessRunner) -> None:
    network = egress(tmp_path, runner, "a.example", tenants=["them"])
    with pytest.raises(BadInput, match="no network profile is named 'else'; choose one of none, test"):
        await network.opened("t-1", AGENT, "else")
    task = TaskSpec(id="t-1", title="t", instructions="t", network="test", tenant="us")
    with pytest.raises(BadInput, match="tenant 'us' may not use 'test'; choose one of none"):
        network.access(task)


async def test_a_proxy_is_small_and_soon_there(tmp_path: Path, runner: ProcessRunner) -> None:
    network = egress(tmp_path, runner, "a.example")
    began = time.monotonic()
    await network.opened("t-1", AGENT, "test")
    seconds = time.monotonic() - began
    state = runner.state(runner.keys()[0])
    assert isinstance(state, Running)
    status = (Path("/proc") / str(state.pid) / "status").read_text()
    resident_kb = int(status.partition("VmRSS:")[2].split()[0])
    sys.stderr.write(f"proxy: {resident_kb} KB resident, listens after {seconds * 1000:.0f} ms\n")
    assert resident_kb < 40_000
    assert seconds < 10


async def test_a_download_goes_on_when_the_worker_that_opened_the_way_is_killed(
    tmp_path: Path, runner: ProcessRunner
) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with server(slowly, "127.0.0.2") as port:
        worker = tmp_path / "worker.py"
        worker.write_text(WORKER.format(data=str(tmp_path / "data"), port=port))
        process = await asyncio.create_subprocess_exec(sys.executable, str(worker), stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert b"started\n" == await process.stdout.readline()
        await end_child(process)
        state = await runner.wait("t-1/lead/download", 30)
    assert isinstance(state, Finished)
    assert (0, "x" * 20) == (state.exit_code, runner.output("t-1/lead/download").text)
    assert isinstance(runner.state("t-1/_network/agent/0001"), Running)


WORKER = """
import asyncio, sys
from pathlib import Path
from longshift.adapters.network.egress import Egress
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.networked import Networked
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import SandboxCommand
from longshift.contracts.network import NetworkPhase, NetworkProfile

CODE = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.2:{port}/').read().decode(), end='')"

async def main():
    data = Path({data!r})
    runner = ProcessRunner(data / "runs", disk_floor_bytes=0)
    profile = NetworkProfile(hosts=("127.0.0.2:{port}",), allow_private=("127.0.0.2/32",))
    socket = await Egress(data, runner, {{"test": profile}}).opened("t-1", NetworkPhase.AGENT, "test")
    command = SandboxCommand(
        argv=(sys.executable, "-c", CODE), cwd="/", workspace_root="/", home="/", proxy_socket=socket
    )
    wrapped = Networked(NoSandbox()).wrap(command)
    await runner.start("t-1/lead/download", CommandSpec(argv=wrapped.argv, cwd=wrapped.cwd, env=wrapped.env))
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
