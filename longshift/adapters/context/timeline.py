"""Which epoch wrote which step of an agent, however often steps were undone: every step number is used once.

What a rollback makes of it is in `undoing`.
"""

import re
from dataclasses import dataclass

from longshift.adapters.store import Lineage, Store
from longshift.contracts import ids
from longshift.contracts.rollback import StepsFound
from longshift.contracts.transcript import EpochBase, EpochCause


@dataclass(frozen=True)
class Timeline:
    """The epochs of an agent."""

    agent: str
    bases: tuple[EpochBase, ...]
    """What they start with, from epoch 1 on."""

    @classmethod
    async def read(cls, store: Store, agent: str, *, until_epoch: int | None = None) -> "Timeline":
        """Look into the store, up to an epoch or the newest.

        Raises: StoreUnavailable.
        """
        bases: list[EpochBase] = []
        async for epoch in Lineage(store).epochs(agent):
            bases.append(epoch.base)
            if epoch.number == until_epoch:
                break
        return cls(agent, tuple(bases))

    @property
    def first_step(self) -> int:
        """The agent's first; those before it, which a fork carries, are another agent's."""
        return self.bases[0].first_step if self.bases else 1

    def epoch_of(self, step: int) -> int:
        """The epoch that wrote a step: the newest one that did not start after it."""
        return max((number for number, base in enumerate(self.bases, 1) if base.first_step <= step), default=1)

    async def found(self, store: Store) -> StepsFound:
        """How far it has come.

        Raises: StoreUnavailable.
        """
        if not self.bases:
            return StepsFound()
        epoch, base = len(self.bases), self.bases[-1]
        keys = await store.list(ids.epoch_prefix(self.agent, epoch))
        own = [int(match[1]) for key in keys if (match := re.search(r"/s(\d+)/answer\.json$", key))]
        last = max(own, default=base.first_step - 1)
        is_just_rolled_back = not own and base.cause is EpochCause.ROLLBACK
        carried = base.carried[-1].end_step - 1 if base.carried else self.first_step - 1
        return StepsFound(first=self.first_step, last=last, tip=carried if is_just_rolled_back else last)
