"""One broker for all tests of intake, and an engine; tests that stop an engine start their own."""

from collections.abc import Iterator

import pytest

from tests.intake.intake_rig import Broker, RunningEngine
from tests.workflows.conftest import kept_server


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    server = Broker(tmp_path_factory.mktemp("broker") / "valkey")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def server() -> Iterator[RunningEngine]:
    with kept_server() as environment:
        yield RunningEngine(environment.client)
