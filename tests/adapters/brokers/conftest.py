"""One server of each broker for all tests, and a queue of its own for each test."""

from collections.abc import Iterator
from itertools import count

import pytest
from brokers_drivers import Driver, NatsDriver, RabbitDriver, SqsDriver, ValkeyDriver

NUMBERS = count(1)


def _running(kind: type[Driver], paths: pytest.TempPathFactory) -> Iterator[Driver]:
    driver = kind(paths.mktemp(kind.__name__))  # pyright: ignore[reportCallIssue]  # each takes its folder
    try:
        driver.start()
        yield driver
    finally:
        driver.stop()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Valkey."""
    yield from _running(ValkeyDriver, tmp_path_factory)


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """NATS."""
    yield from _running(NatsDriver, tmp_path_factory)


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """RabbitMQ."""
    yield from _running(RabbitDriver, tmp_path_factory)


@pytest.fixture(scope="session")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Amazon SQS; what sends and what receives finds its credentials in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield from _running(SqsDriver, tmp_path_factory)


@pytest.fixture
def queue() -> str:
    """A name that no other test has."""
    return f"tasks-{next(NUMBERS)}"
