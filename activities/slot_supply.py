"""Lets a worker poll the queue of slots only while its host has room. Policy and bookkeeping are the pool's."""

import asyncio

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

from longshift.adapters.slots import SlotPool

UNUSED = 5
"""Slots of the kinds of which such a worker has no tasks."""


def slot_tuner(pool: SlotPool) -> WorkerTuner:
    """A tuner whose activities are the slots of `pool`; called on the pool's event loop."""
    return WorkerTuner.create_composite(
        workflow_supplier=FixedSizeSlotSupplier(UNUSED),
        activity_supplier=_PoolSupplier(pool, asyncio.get_running_loop()),
        local_activity_supplier=FixedSizeSlotSupplier(UNUSED),
        nexus_supplier=FixedSizeSlotSupplier(UNUSED),
    )


class _PoolSupplier(CustomSlotSupplier):
    """The worker calls all but `reserve_slot` from threads of its own."""

    def __init__(self, pool: SlotPool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait for room."""
        await self._pool.promise()
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """Nothing comes but by polling."""
        return None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """The promise covers the task too."""

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """The promise is over."""
        self._loop.call_soon_threadsafe(self._pool.end_promise)
