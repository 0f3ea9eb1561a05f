"""Who holds the slots of this host, and whether there is room for one more.

Room is promised to a poller before it looks into the queue, so that a host never takes what it cannot hold. A session
that held a slot here when the worker ended keeps its place for a while: its files and commands are here. One that comes
back by itself in the very moment in which the last room was promised makes it one more than there should be.
"""

import asyncio
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Holding:
    """One slot that is held."""

    task_id: str
    generation: int
    is_returning: bool
    """It asked this host, and not the queue of all hosts."""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the session lets go."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the slot is free again."""


class SlotPool:
    """The slots of one kind on this host. Made and used on one event loop."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._held: dict[tuple[str, int], Holding] = {}
        self._expected: set[str] = set()
        self._promises = 0
        """To pollers that look into the queue, and to what they found there, until it ends."""
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def used(self) -> int:
        """Slots that are held, or kept for a session that is expected back."""
        return len({task_id for task_id, _ in self._held} | self._expected)

    def has_room_for(self, task_id: str) -> bool:
        """Whether a session may come in that did not ask through the queue."""
        return task_id in self._expected or self.used < self.capacity

    async def promise(self) -> None:
        """Wait for room, and keep it for whoever comes out of the queue, until `end_promise`."""
        while self._promises + self._beside_queue() >= self.capacity:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
        self._promises += 1

    def end_promise(self) -> None:
        """A poller found nothing, or what it found has ended."""
        self._promises -= 1
        self._tell()

    @contextmanager
    def held(self, task_id: str, generation: int, *, is_returning: bool = False) -> Generator[Holding]:
        """Hold a slot for the block."""
        holding = Holding(task_id, generation, is_returning)
        self._held[task_id, generation] = holding
        self._expected.discard(task_id)
        try:
            yield holding
        finally:
            del self._held[task_id, generation]
            holding.ended.set()
            self._tell()

    def holding(self, task_id: str) -> Holding | None:
        """The newest slot that a task holds here."""
        found = [each for (held_by, _), each in self._held.items() if held_by == task_id]
        return max(found, key=lambda each: each.generation, default=None)

    def expect(self, task_ids: Iterable[str]) -> None:
        """Keep places for sessions that held a slot here before the worker was started."""
        self._expected.update(task_ids)

    def give_up(self, task_id: str) -> bool:
        """Keep the place no longer; whether the session had not come back."""
        was_expected = task_id in self._expected
        self._expected.discard(task_id)
        self._tell()
        return was_expected

    def _beside_queue(self) -> int:
        returned = {task_id for (task_id, _), holding in self._held.items() if holding.is_returning}
        return len(returned | self._expected)

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)
