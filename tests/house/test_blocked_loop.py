"""The watched event loop itself."""

import asyncio
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.watched_loop import COLLECTIONS, WatchedLoop


def test_a_callback_that_blocks_the_loop_is_noted() -> None:
    blocked_seconds: list[float] = []

    async def block() -> None:
        time.sleep(0.5)  # noqa: ASYNC251 - the very thing that is to be noticed
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: WatchedLoop(blocked_seconds, limit_seconds=0.05)) as runner:
        runner.run(block())

    assert 1 == len(blocked_seconds)


def test_waiting_without_blocking_is_not_noted() -> None:
    blocked_seconds: list[float] = []
    with asyncio.Runner(loop_factory=lambda: WatchedLoop(blocked_seconds, limit_seconds=0.25)) as runner:
        runner.run(asyncio.sleep(0.5))
    assert [] == blocked_seconds


def test_time_in_which_the_loop_does_not_run_is_not_noted() -> None:
    blocked_seconds: list[float] = []
    with asyncio.Runner(loop_factory=lambda: WatchedLoop(blocked_seconds, limit_seconds=0.25)) as runner:
        runner.run(asyncio.sleep(0))
        time.sleep(0.5)
        runner.run(asyncio.sleep(0))
    assert [] == blocked_seconds


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no way to crowd a processor")
def test_waiting_for_a_processor_is_not_noted_be_it_the_loops_thread_or_the_one_with_the_interpreters_lock() -> None:
    command = [sys.executable, "-m", "tests.house.starved_loop"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ("[]\n", "") == (told.stdout, told.stderr)


class Slow:
    """A cycle that takes half a second to collect."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(0.5)


def test_a_garbage_collection_is_not_noted() -> None:
    blocked_seconds: list[float] = []
    before = COLLECTIONS.seconds

    async def collect() -> None:
        Slow()
        gc.collect()
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: WatchedLoop(blocked_seconds, limit_seconds=0.25)) as runner:
        runner.run(collect())

    assert COLLECTIONS.seconds - before >= 0.5
    assert [] == blocked_seconds


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts file descriptors in /proc")
def test_a_closed_loop_leaves_no_file_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with asyncio.Runner(loop_factory=lambda: WatchedLoop([])) as runner:
        runner.run(asyncio.sleep(0))
    assert before == len(os.listdir("/proc/self/fd"))


async def test_asynchronous_tests_run_on_a_watched_loop() -> None:
    assert isinstance(asyncio.get_running_loop(), WatchedLoop)
