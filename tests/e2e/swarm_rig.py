"""How swarms run on the rig: settings, the outcome of each item, and that nothing is left of them."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from longshift.contracts.swarm import ItemStatus
from tests.e2e.rig import Rig
from tests.e2e.swarm_package import Package
from tests.e2e.swarm_traces import processes, result, worktrees

SLOTS = 8
"""Of each host, for sub-agents."""
LEFT_SECONDS = 60.0
"""In which a swarm's host has cleaned up after it."""


def variables(package: Package, **more: str) -> dict[str, str]:
    """Settings of the worker."""
    return {
        "LONGSHIFT_SUB_AGENT_SLOTS": str(SLOTS),
        "LONGSHIFT_SANDBOX_READABLE": json.dumps(package.readable()),
        **more,
    }


def settled(data_dir: Path, swarm: str) -> Mapping[str, ItemStatus]:
    """What came of each item, as the stored result says."""
    return {item: ItemStatus(status) for item, status in result(data_dir, swarm)["statuses"].items()}


async def until_nothing_is_left(running: Rig, *, dead: str = "") -> None:
    """No worktree of an item and no process in one; the `dead` host's disk alone keeps what was on it."""
    places = [running.data_dir, *(running.host_dir(name) for name in running.hosts if name != dead)]
    left: list[str] = []
    try:
        async with asyncio.timeout(LEFT_SECONDS):
            while left := [*worktrees(*places), *processes(running.data_dir)]:  # noqa: ASYNC110  # others' files
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise AssertionError(f"left behind: {left}") from error
