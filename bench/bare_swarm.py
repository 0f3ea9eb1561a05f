# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""The yardstick of swarms: so many bare child workflows under one parent, so many of them at a time.

As a program it is the worker that runs them: `python -m bench.bare_swarm`, with the engine's address in
`TEMPORAL_ADDRESS`.
"""

import asyncio
import os
from dataclasses import dataclass

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from bench.bare import Bare, no_op
    from longshift.adapters.codec import KeyRing
    from longshift.payload_codec import data_converter

QUEUE = "bench-bare-swarm"


@dataclass(frozen=True)
class Fan:
    """What the parent starts."""

    items: int
    steps: int
    """Of each child; two no-op activities per step."""
    width: int


@workflow.defn
class BareParent:
    """Starts all children, `width` at a time, and nothing else."""

    @workflow.run
    async def run(self, fan: Fan) -> None:
        """Until the last one has ended."""
        free = asyncio.Semaphore(fan.width)

        async def child(number: int) -> None:
            async with free:
                name = f"{workflow.info().workflow_id}.{number:04}"
                await workflow.execute_child_workflow(Bare.run, fan.steps, id=name)

        await asyncio.gather(*(child(number) for number in range(fan.items)))


async def work() -> None:
    """Run them until the process is killed, with as many slots as the runner's own worker has by default."""
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"], data_converter=data_converter(KeyRing()))
    worker = Worker(client, task_queue=QUEUE, workflows=[Bare, BareParent], activities=[no_op])
    await worker.run()


if __name__ == "__main__":
    asyncio.run(work())
