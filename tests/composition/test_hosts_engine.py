"""What is known of hosts where the engine knows less than ours does."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.adapters.engine.command import DYNAMIC_CONFIG
from longshift.contracts import ids
from longshift.contracts.errors import EngineError
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.hosts import Host, HostState, list_hosts
from longshift.search_attributes import expected_search_attributes
from tests.ports import free_port

pytestmark = pytest.mark.engine

Engine = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A client of an engine with other options."""

    @asynccontextmanager
    async def started(dynamic_config: dict[str, str], search_attributes: dict[str, str]) -> AsyncGenerator[Client]:
        server = EmbeddedEngine(
            tmp_path,
            binary=find_engine_binary(),
            search_attributes=search_attributes,
            ui=False,
            port=free_port(),
            dynamic_config={**DYNAMIC_CONFIG, **dynamic_config},
        )
        try:
            yield await Client.connect((await server.start()).address, identity="longshift-h1")
        finally:
            await server.stop()

    return started


@activity.defn
async def hold_slot() -> None:
    """Nobody asks for it."""


async def test_an_engine_without_heartbeats_tells_who_asked_for_a_session(engine: Engine) -> None:
    async with engine({"frontend.WorkerHeartbeatsEnabled": "false"}, dict(SEARCH_ATTRIBUTES)) as client:
        assert [] == await list_hosts(client, datetime.now(UTC))
        async with Worker(client, task_queue=ids.HOSTS_QUEUE, activities=[hold_slot]):
            found: list[Host] = []
            while not found:
                found = await list_hosts(client, datetime.now(UTC))
        (host,) = found
        assert ("h1", HostState.UP, None, None) == (host.host_id, host.state, host.slots, host.slots_used)
        assert host.seen_at is not None


async def test_an_engine_without_our_search_attributes_is_told_from_one_that_refuses(engine: Engine) -> None:
    async with engine({}, {}) as client:
        words = "start a worker, which registers what it needs"
        with pytest.raises(EngineError, match=words), expected_search_attributes():
            await list_hosts(client, datetime.now(UTC))
