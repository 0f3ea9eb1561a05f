"""What holds for every test: whatever blocks the event loop fails the test that did it."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.watched_loop import BLOCKED_LIMIT_SECONDS, WatchedLoop

BLOCKED = pytest.StashKey[list[float]]()


def pytest_configure(config: pytest.Config) -> None:
    """One list of blocked turns for all loops of the run."""
    config.stash[BLOCKED] = []


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], WatchedLoop]]:
    """Every asynchronous test runs on a watched loop."""
    del item  # the same for all
    blocked_seconds = config.stash[BLOCKED]
    return {"watched": lambda: WatchedLoop(blocked_seconds)}


@pytest.fixture(autouse=True)
def _free_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    blocked_seconds = request.config.stash[BLOCKED]
    blocked_seconds.clear()
    yield
    if blocked_seconds:
        pytest.fail(
            f"the event loop was blocked for {max(blocked_seconds):.1f} s (limit {BLOCKED_LIMIT_SECONDS} s);"
            " PYTHONASYNCIODEBUG=1 names the callback. Blocking work belongs in asyncio.to_thread."
        )
