"""One broker for all tests of intake, and an engine; tests that stop an engine start their own."""

from collections.abc import AsyncGenerator, Iterator

import pytest
import pytest_asyncio

from tests.intake.intake_rig import Broker, RunningEngine
from tests.workflows.conftest import dev_server


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    server = Broker(tmp_path_factory.mktemp("broker") / "valkey")
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def server() -> AsyncGenerator[RunningEngine]:
    async with dev_server() as environment:
        yield RunningEngine(environment.client)
