"""Where in the store a conversation's parts are: the epochs of an agent, and which of them wrote a step.

Steps are numbered through: the newest epoch that begins at or before a step wrote it, and a fork's earlier steps are
those of the agent that it goes on from. What the parts hold is `transcripts`' business.
"""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from longshift.adapters.store.objects import Store
from longshift.contracts import ids
from longshift.contracts.transcript import EpochBase


@dataclass(frozen=True)
class PlacedEpoch:
    """An epoch and whose it is."""

    agent: str
    number: int
    base: EpochBase


class Lineage:
    """Reads bases; nothing is kept, as sessions may be running."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def epochs(self, agent: str) -> AsyncGenerator[PlacedEpoch]:
        """All epochs of an agent, in order.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        number = 1
        while (body := await self._store.find(ids.base_key(agent, number))) is not None:
            yield PlacedEpoch(agent, number, EpochBase.model_validate_json(body))
            number += 1

    async def newest(self, agent: str) -> PlacedEpoch | None:
        """The epoch that an agent works, or worked, in last; None if it never began.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        found = None
        async for epoch in self.epochs(agent):
            found = epoch
        return found

    async def writer(self, agent: str, step: int) -> PlacedEpoch | None:
        """The epoch whose step this is in an agent's conversation; it may be another agent's. None if there is none.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        found = None
        async for epoch in self.epochs(agent):
            if epoch.base.first_step > step:
                origin = epoch.base.carried[-1].agent if epoch.number == 1 and epoch.base.carried else agent
                return found or (await self.writer(origin, step) if origin != agent else None)
            found = epoch
        return found

    async def end_step(self, epoch: PlacedEpoch) -> int:
        """The first step of the epoch that is not closed.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        prefix = ids.epoch_prefix(epoch.agent, epoch.number)
        seals = (re.fullmatch(r".*/s(\d+)/seal\.json", key) for key in await self._store.list(prefix))
        closed = {int(found[1]) for found in seals if found}
        step = epoch.base.first_step
        while step in closed:
            step += 1
        return step

    async def is_closed(self, epoch: PlacedEpoch, step: int) -> bool:
        """Whether a step of the epoch has all its results.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        return await self._store.find(ids.seal_key(epoch.agent, epoch.number, step)) is not None

    async def shifts(self, task_id: str, name: str = ids.LEAD) -> int:
        """How many shifts of a session's agent have begun.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        count = 0
        while await self._store.find(ids.base_key(ids.agent_id(task_id, name, count + 1), 1)) is not None:
            count += 1
        return count
