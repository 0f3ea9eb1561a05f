"""What holds for every test: whatever blocks the event loop fails the test that did it."""

import gc
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.watched_loop import BLOCKED_LIMIT_SECONDS, WatchedLoop

LoopFactories = Mapping[str, Callable[[], WatchedLoop]]

BLOCKED = pytest.StashKey[list[float]]()
LOOPS = pytest.StashKey[LoopFactories]()


def pytest_configure(config: pytest.Config) -> None:
    """One list of blocked turns for all loops of the run, and one factory.

    Another factory for each test would end what has the session's scope, such as an engine, after every test.
    """
    blocked_seconds = config.stash[BLOCKED] = []
    config.stash[LOOPS] = {"watched": lambda: WatchedLoop(blocked_seconds)}


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> LoopFactories:
    """Every asynchronous test runs on a watched loop."""
    del item  # the same for all
    return config.stash[LOOPS]


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no full garbage collection need look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _free_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    blocked_seconds = request.config.stash[BLOCKED]
    blocked_seconds.clear()
    yield
    if blocked_seconds and request.node.get_closest_marker("imports_anew") is None:
        pytest.fail(
            f"the event loop was blocked for {max(blocked_seconds):.1f} s (limit {BLOCKED_LIMIT_SECONDS} s);"
            " PYTHONASYNCIODEBUG=1 names the callback. Blocking work belongs in asyncio.to_thread."
        )
