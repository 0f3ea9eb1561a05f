"""What the store has of a task's checkpoints, and which of them a slot may go on from.

A slot follows the highest generation up to its own that has left anything, and from there what that generation was
made from. So what an old host writes after a newer slot has begun is in nobody's way.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from longshift.adapters.store import Store
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointPlace, CheckpointRecord, CheckpointStart
from longshift.contracts.errors import WorkspaceFailed
from longshift.contracts.workspace import Workspace


class UnsoundCheckpoint(Exception):
    """An archived checkpoint is damaged, or part of it is missing."""


@dataclass(frozen=True)
class History:
    """The archive of one task at one moment."""

    store: Store
    task_id: str
    starts: frozenset[int]
    """Generations that say what they were made from."""
    numbers: Mapping[int, tuple[int, ...]]
    """Generation → the numbers of its records, ascending."""

    @classmethod
    async def read(cls, store: Store, task_id: str) -> "History":
        """Look into the store.

        Raises: StoreUnavailable.
        """
        found = [ids.checkpoint_of(key) for key in await store.list(ids.checkpoints_prefix(task_id))]
        numbers: dict[int, list[int]] = defaultdict(list)
        for generation, number in (each for each in found if each is not None):
            if number:
                numbers[generation].append(number)
        return cls(
            store,
            task_id,
            frozenset(generation for generation, number in (each for each in found if each) if not number),
            {generation: tuple(sorted(each)) for generation, each in numbers.items()},
        )

    async def start(self, generation: int) -> CheckpointStart | None:
        """What a generation was made from; None where it took over what was there.

        Raises: WorkspaceFailed, because without it nobody can know which checkpoints may be used; StoreUnavailable.
        """
        if generation not in self.starts:
            return None
        key = ids.checkpoint_start_key(self.task_id, generation)
        try:
            return CheckpointStart.model_validate_json(await self.store.get(key))
        except ValidationError as error:
            raise WorkspaceFailed(f"store object {key!r} is damaged: what slot {generation} started from") from error

    async def record(self, place: CheckpointPlace) -> CheckpointRecord:
        """The record at a place.

        Raises:
            UnsoundCheckpoint: it is not there, or damaged.
            StoreUnavailable: the store cannot be read.
        """
        body = await self.store.find(ids.checkpoint_key(self.task_id, place.generation, place.number))
        if body is None:
            raise UnsoundCheckpoint(f"record {place.number} of slot {place.generation} is missing")
        try:
            return CheckpointRecord.model_validate_json(body)
        except ValidationError as error:
            raise UnsoundCheckpoint(f"record {place.number} of slot {place.generation} is damaged") from error

    @property
    def newest_generation(self) -> int:
        """The last slot that has left anything; 0 if none has."""
        return max({*self.starts, *self.numbers}, default=0)

    async def places(self, generation: int, *, until: CheckpointPlace | None = None) -> AsyncGenerator[CheckpointPlace]:
        """The records that a slot may go on from, the best one first: its own, then those that it was made from.

        `until` leaves out what came after that one. The last place may be in another session's archive: what the
        task's first workspace was made from.
        """
        bound = until or CheckpointPlace(generation=0, number=0)
        highest = until.generation if until else generation
        while current := max((each for each in {*self.starts, *self.numbers} if each <= highest), default=0):
            for number in reversed(self.numbers.get(current, ())):
                if current != bound.generation or number <= bound.number:
                    yield CheckpointPlace(generation=current, number=number)
            highest = current - 1
            start = await self.start(current)
            if start is not None:
                if start.restored is None:
                    return
                if start.restored.session:
                    yield start.restored
                    return
                bound = start.restored
                highest = min(highest, bound.generation)

    async def is_up_to_date(self, workspace: Workspace, generation: int) -> bool:
        """Whether nobody but its own host has worked on since `workspace` was ready, up to the slot `generation`."""
        if any(workspace.generation < each <= generation for each in {*self.starts, *self.numbers}):
            return False
        hosts: set[str] = set()
        start = await self.start(workspace.generation)
        if start is not None:
            hosts.add(start.host_id)
        numbers = self.numbers.get(workspace.generation)
        if numbers:
            place = CheckpointPlace(generation=workspace.generation, number=numbers[-1])
            try:
                hosts.add((await self.record(place)).workspace.host_id)
            except UnsoundCheckpoint:
                return True
        return hosts <= {workspace.host_id}
