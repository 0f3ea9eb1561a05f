# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""The yardstick of the queue's bench: the round trip of one no-op activity."""

import statistics
import time
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from bench.bare import no_op

QUEUE = "bench-round-trips"
ACTIVITIES = "bench-no-op"
INSIDE = 60
WHOLE = 20
WARM_UP = 5


@workflow.defn(sandboxed=False)
class RoundTrips:
    """No-op activities one after another, each timed; not in the sandbox, as it reads a clock."""

    @workflow.run
    async def run(self, times: int) -> list[float]:
        """Milliseconds of each, on a queue that is not the workflow's own: our sessions have none that is."""
        taken: list[float] = []
        for _ in range(times):
            started = time.perf_counter()
            await workflow.execute_activity(
                no_op, "x", task_queue=ACTIVITIES, start_to_close_timeout=timedelta(seconds=30)
            )
            taken.append((time.perf_counter() - started) * 1_000)
        return taken


@dataclass(frozen=True)
class NoOp:
    """Medians in milliseconds."""

    inside: float
    """As a workflow waits for it."""
    whole: float
    """As a client waits for a workflow that does nothing else."""


async def no_op_ms(client: Client) -> NoOp:
    """The round trips, with their workers in this process."""
    async with (
        Worker(client, task_queue=QUEUE, workflows=[RoundTrips]),
        Worker(client, task_queue=ACTIVITIES, activities=[no_op]),
    ):
        whole: list[float] = []
        for _ in range(WHOLE):
            started = time.perf_counter()
            await _run(client, 1)
            whole.append((time.perf_counter() - started) * 1_000)
        inside = await _run(client, INSIDE)
    return NoOp(inside=statistics.median(inside[WARM_UP:]), whole=statistics.median(whole[WARM_UP:]))


async def _run(client: Client, times: int) -> list[float]:
    name = f"round-trips-{time.monotonic_ns()}"
    return await client.execute_workflow(RoundTrips.run, times, id=name, task_queue=QUEUE)
