"""Which checkpoints a task's files may be made from: its own, then those of the session that it was started from.

The first slot chooses one of that session's by the task, and says which; later ones, and forks of this task, follow
what it said. Nothing is written to another task's archive. Which of the candidates is sound is `checkpoint_recovery`'s.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from longshift.adapters.store import Lineage, Store
from longshift.adapters.workspace.checkpoint_history import History, UnsoundCheckpoint
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointPlace, CheckpointRecord
from longshift.contracts.task import StartFrom, TaskSpec

RECORDS_AT_ONCE = 64


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that files may be made from."""

    history: History
    """The archive that it is in."""
    place: CheckpointPlace
    """Names that archive's session where it is not the task's own."""


async def candidates(history: History, task: TaskSpec, generation: int) -> AsyncGenerator[Candidate]:
    """What a slot of the task may go on from, the best one first.

    Raises: WorkspaceFailed, StoreUnavailable.
    """
    followed = False
    async for place in history.places(generation):
        followed = followed or bool(place.session)
        async for each in _followed(history, place):
            yield each
    if task.start_from is not None and not followed:
        async for each in _chosen(history.store, task.start_from):
            yield each


async def _followed(history: History, place: CheckpointPlace) -> AsyncGenerator[Candidate]:
    """The checkpoint itself; one of another session, and what that session had before it."""
    if not place.session:
        yield Candidate(history, place)
        return
    other = await History.read(history.store, place.session)
    if place.is_base:
        yield Candidate(other, place)
        return
    async for each in _inherited(other, [earlier async for earlier in other.places(place.generation, until=place)]):
        yield each


async def _inherited(other: History, places: Sequence[CheckpointPlace]) -> AsyncGenerator[Candidate]:
    for place in places:
        if place.session:
            async for each in _followed(other, place):
                yield each
        else:
            yield Candidate(other, place.model_copy(update={"session": other.task_id}))


async def _chosen(store: Store, start: StartFrom) -> AsyncGenerator[Candidate]:
    """The newest ones of the session, or those at or before a step of it; at last its files before any work."""
    if start.step is None:
        other = await History.read(store, start.session)
        async for each in _inherited(other, [place async for place in other.places(other.newest_generation)]):
            yield each
        return
    source = await Lineage(store).writer(ids.agent_id(start.session, start.agent, start.shift), start.step)
    if source is None:
        return
    other = await History.read(store, ids.task_of_agent(source.agent))
    places = [place async for place in other.places(other.newest_generation)]
    own = [place for place in places if not place.session]
    first = await _first_until(other, own, source.agent, start.step)
    async for each in _inherited(other, places[first:]):
        yield each
    if len(own) == len(places):
        for place in reversed(own):
            yield Candidate(other, place.model_copy(update={"session": other.task_id, "is_base": True}))


async def _first_until(history: History, places: Sequence[CheckpointPlace], agent: str, step: int) -> int:
    """The index of the newest record at or before an agent's step, or how many there are."""
    latest = (ids.shift_of_agent(agent), step, False)
    for start in range(0, len(places), RECORDS_AT_ONCE):
        found = await asyncio.gather(*(_record(history, place) for place in places[start : start + RECORDS_AT_ONCE]))
        for index, record in enumerate(found, start):
            # A rollback's own checkpoint was taken when its step was over: it is of the steps after it.
            if record is not None and (*_when(record, agent), record.back_to_step is not None) <= latest:
                return index
    return len(places)


def _when(record: CheckpointRecord, agent: str) -> tuple[int, int]:
    return ids.shift_of_agent(record.agent or agent), record.step


async def _record(history: History, place: CheckpointPlace) -> CheckpointRecord | None:
    try:
        return await history.record(place)
    except UnsoundCheckpoint:
        return None
