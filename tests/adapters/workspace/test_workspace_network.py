"""Setup and checks reach what their profiles allow, each through a proxy of its own phase."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import pytest

from longshift.adapters.network.egress import Egress
from longshift.adapters.process.run_state import Running
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.networked import Networked
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.workspace import Checks, Workspaces
from longshift.contracts.errors import BadInput, WorkspaceFailed
from longshift.contracts.network import NetworkProfile
from longshift.contracts.task import TaskSpec

FETCH = (
    "import urllib.request as u, urllib.error as e, sys\n"
    "try: print(u.urlopen(sys.argv[1]).read().decode())\n"
    "except e.HTTPError as error: print(error.code); sys.exit(3)\n"
)


@pytest.fixture
async def web() -> AsyncGenerator[int]:
    """A server on loopback; gives its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.2", 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()


@pytest.fixture
async def profiles(web: int, runner: ProcessRunner) -> AsyncGenerator[dict[str, NetworkProfile]]:
    yield {
        "web": NetworkProfile(hosts=(f"127.0.0.2:{web}",), allow_private=("127.0.0.2/32",)),
        "other": NetworkProfile(hosts=("other.example",), tenants=("them",)),
    }
    await runner.kill_all("", "the test is over")


def places(data_dir: Path, runner: ProcessRunner, profiles: Mapping[str, NetworkProfile], default: str) -> Workspaces:
    egress = Egress(data_dir, runner, profiles, default_setup=default)
    return Workspaces(data_dir, runner, Networked(NoSandbox()), "host-1", "queue", egress=egress)


def task(port: int, **fields: object) -> TaskSpec:
    fetch = f"{sys.executable} -c '{FETCH}' http://127.0.0.2:{port}/"
    given = {"setup": (f"{fetch} > fetched",), "checks": ({"name": "web", "run": fetch},), **fields}
    return TaskSpec.model_validate({"id": "t-1", "title": "t", "instructions": "i", **given})


async def test_the_setups_network_ends_before_the_agents_begins(
    data_dir: Path, runner: ProcessRunner, profiles: dict[str, NetworkProfile], web: int
) -> None:
    workspaces = places(data_dir, runner, profiles, default="web")
    workspace = await workspaces.prepare(task(web), 1)
    assert "hello\n" == (Path(workspace.root) / "fetched").read_text()
    assert workspace.network is not None
    assert "none" == workspace.network.profile
    (proxy,) = runner.keys("t-1/_network")
    assert not isinstance(runner.state(proxy), Running)
    assert [] == list((data_dir / "workspaces" / "t-1" / "network").glob("*.sock*"))
    used = await workspaces.network_use(workspace)
    assert used is not None
    assert (1, (f"127.0.0.2:{web}",)) == (used[0].requests, used[0].reached_hosts)


async def test_a_setup_that_fails_leaves_no_network_behind(
    data_dir: Path, runner: ProcessRunner, profiles: dict[str, NetworkProfile], web: int
) -> None:
    workspaces = places(data_dir, runner, profiles, default="none")
    with pytest.raises(WorkspaceFailed):
        await workspaces.prepare(task(web, setup=("exit 1",), setup_network="web"), 1)
    assert not any(isinstance(runner.state(key), Running) for key in runner.keys("t-1"))


async def test_checks_have_the_agents_network_and_its_end_is_the_release(
    data_dir: Path, runner: ProcessRunner, profiles: dict[str, NetworkProfile], web: int
) -> None:
    workspaces = places(data_dir, runner, profiles, default="none")
    spec = task(web, setup=(), network="web")
    workspace = await workspaces.prepare(spec, 1)
    digest = await Checks(workspaces, runner).run(spec, workspace, baseline={}, key_prefix="t-1/lead/c")
    assert digest.passed, digest
    (proxy,) = runner.keys("t-1/_network/agent")
    assert isinstance(runner.state(proxy), Running)
    assert 0 == await workspaces.release(workspace)
    assert not isinstance(runner.state(proxy), Running)


async def test_a_host_without_the_profile_makes_no_workspace(
    data_dir: Path, runner: ProcessRunner, profiles: dict[str, NetworkProfile], web: int
) -> None:
    workspaces = places(data_dir, runner, profiles, default="none")
    with pytest.raises(BadInput, match="network: no network profile is named 'else'; choose one of none, web"):
        await workspaces.prepare(task(web, network="else"), 1)
    with pytest.raises(BadInput, match="setup_network: tenant 'default' may not use 'other'"):
        await workspaces.prepare(task(web, setup_network="other"), 1)
    assert [] == runner.keys()
