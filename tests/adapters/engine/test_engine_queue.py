"""What the engine's tuning promises of a queue: exact turns, urgent work next, a pause that outlives the server."""

import asyncio
import os
import signal
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from longshift import queue_control
from longshift.contracts import ids
from tests.adapters.engine.conftest import MakeEngine

pytestmark = pytest.mark.engine

WEIGHTS = {"a": 1, "b": 2, "c": 5}
EACH = 30
URGENT = 3
TASKS = EACH * len(WEIGHTS) + URGENT


@workflow.defn
class Waiting:
    """So many tasks wait under each key, and then a few urgent ones."""

    @workflow.run
    async def run(self) -> None:
        """Wait for all of them."""
        ordinary = [(key, 3, weight) for key, weight in WEIGHTS.items() for _ in range(EACH)]
        urgent = [("urgent", 1, 1)] * URGENT
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    "take",
                    key,
                    task_queue=ids.HOSTS_QUEUE,
                    start_to_close_timeout=timedelta(minutes=1),
                    priority=Priority(priority_key=priority, fairness_key=key, fairness_weight=weight),
                )
                for key, priority, weight in [*ordinary, *urgent]
            )
        )


async def test_urgent_work_is_next_and_keys_take_turns_by_their_weights_through_a_pause_and_a_killed_server(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine()
    address = await engine.start()
    client = await Client.connect(address.address)
    taken: list[str] = []

    @activity.defn
    async def take(key: str) -> None:
        taken.append(key)

    await queue_control.pause(client, by="ann", reason="disks")
    os.kill(address.pid, signal.SIGKILL)
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=ids.CONTROL_QUEUE, workflows=[Waiting], workflow_runner=runner):
        handle = await client.start_workflow(Waiting.run, id="waiting", task_queue=ids.CONTROL_QUEUE)
        # The engine has no event for it.
        while len((await handle.describe()).raw_description.pending_activities) < TASKS:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        host = Worker(
            client,
            task_queue=ids.HOSTS_QUEUE,
            activities=[take],
            max_concurrent_activities=1,
            max_concurrent_activity_task_polls=1,
        )
        async with host:
            control = await queue_control.read_control(client)
            assert (True, "ann", "disks", []) == (control.is_paused, control.by, control.reason, taken)
            await queue_control.resume(client, by="bob")
            await handle.result()
    assert ["urgent"] * URGENT == taken[:URGENT]
    turns = taken[URGENT : URGENT + 8 * sum(WEIGHTS.values()) // 2]
    assert all(abs(turns.count(key) - weight * 4) <= 1 for key, weight in WEIGHTS.items()), "".join(turns)
