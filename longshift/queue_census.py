"""What waits in the queue, counted through the engine's visibility: by priority, by fairness key, the oldest first.

Nothing pages through the sessions that wait, however many they are (`sessions.counting`). The engine's own count of a
task queue's backlog is not used: with fairness it is wrong after a restart (docs/decisions/0003). How the queue is held
is in `queue_control`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription

from longshift.contracts import ids, search
from longshift.contracts.session import SessionState
from longshift.sessions.counting import ANSWER_SECONDS, AT_ONCE, PAGE_ROWS, SessionCounts, quoted
from longshift.sessions.search_keys import FAIRNESS_KEY, PRIORITY

PRIORITIES = range(1, 6)
KEYS_SHOWN = 20
_KEYS_LOOKED_AT = 200

_QUEUED = f"{search.STATE} = '{SessionState.QUEUED.value}' AND CloseTime IS NULL"
"""Only sessions have a state. Naming their type, or asking for `ExecutionStatus`, makes the embedded engine use an
index of all workflows: a key's count then costs 30 ms with 10,000 sessions, and not 2."""
_WAITING = f"{_QUEUED} AND {search.WAITS_FOR} IS NULL"
_RETURNING = f"{_WAITING} AND {search.STEP} IS NOT NULL"
_EARLY = f"{_QUEUED} AND {search.WAITS_FOR} = 'time'"
_CAPPED = f"{_QUEUED} AND {search.WAITS_FOR} = 'cap'"


@dataclass(frozen=True)
class WaitingSession:
    """One session in the queue."""

    task_id: str
    title: str
    priority: int
    fairness_key: str
    since: datetime
    """When it came to its place in the queue; of one that no worker has taken up yet, when it was submitted."""


@dataclass(frozen=True)
class Group:
    """Sessions that wait and have a priority, or a fairness key, in common."""

    name: str
    waiting: int
    oldest: datetime
    """When the oldest of them was submitted, but for a second or a hundredth of the time since."""


@dataclass(frozen=True)
class QueueCensus:
    """The queue at one moment."""

    waiting: int
    """Sessions that the next free slots go to."""
    returning: int
    """Of these, the ones that have worked before: they go first."""
    not_before: int
    """Held back until a time of their own."""
    capped: int
    """Held back while enough of their repository (or tenant, or key) work."""
    by_priority: tuple[Group, ...]
    by_key: tuple[Group, ...]
    """The largest first."""
    in_other_keys: int
    """Sessions whose keys are not listed."""
    first: tuple[WaitingSession, ...]
    """By priority, then by age; within a priority the fairness keys take turns."""


async def take_census(client: Client, now: datetime, *, first: int) -> QueueCensus:
    """Everything, with the `first` sessions that wait.

    Raises:
        RPCError: the engine does not answer.
    """
    counts = SessionCounts(client, now)
    waiting, returning, early, capped = await asyncio.gather(
        *(counts.count(where) for where in (_WAITING, _RETURNING, _EARLY, _CAPPED))
    )
    oldest = await counts.oldest(_WAITING, PAGE_ROWS, of=waiting) if waiting else []
    by_priority = await _by_priority(counts, oldest)
    by_key = await _by_key(counts, oldest)
    rows = await _first(counts, by_priority, first)
    at_once = asyncio.Semaphore(AT_ONCE)
    return QueueCensus(
        waiting=waiting,
        returning=returning,
        not_before=early,
        capped=capped,
        by_priority=tuple(by_priority),
        by_key=tuple(by_key),
        in_other_keys=max(0, waiting - sum(each.waiting for each in by_key)),
        first=tuple(await asyncio.gather(*(_session(client, row, at_once) for row in rows))),
    )


async def _by_priority(counts: SessionCounts, oldest: Sequence[WorkflowExecution]) -> list[Group]:
    if not oldest:
        return []
    found = await asyncio.gather(*(counts.count(_of_priority(each)) for each in PRIORITIES))
    known = {str(row.typed_search_attributes.get(PRIORITY)): row.start_time for row in reversed(oldest)}
    groups = [
        _group(counts, str(each), count, _of_priority(each), known, oldest[0].start_time)
        for each, count in zip(PRIORITIES, found, strict=True)
        if count
    ]
    return await asyncio.gather(*groups)


async def _by_key(counts: SessionCounts, oldest: Sequence[WorkflowExecution]) -> list[Group]:
    """Keys are found by leaving out those that are known; a key that no query can name is not."""
    if not oldest:
        return []
    known = {row.typed_search_attributes.get(FAIRNESS_KEY) or "": row.start_time for row in reversed(oldest)}
    found: dict[str, int] = {}
    new = set(known)
    while new and len(found) < _KEYS_LOOKED_AT:
        numbers = await asyncio.gather(*(counts.count(_of_key(key)) for key in new))
        found |= dict(zip(new, numbers, strict=True))
        names = ", ".join(quoted(key) for key in found)
        others = await counts.newest(f"{_WAITING} AND {search.FAIRNESS_KEY} NOT IN ({names})")
        new = {row.typed_search_attributes.get(FAIRNESS_KEY) or "" for row in others} - set(found)
    largest = sorted((-count, key) for key, count in found.items() if count)[:KEYS_SHOWN]
    groups = [_group(counts, key, -count, _of_key(key), known, oldest[0].start_time) for count, key in largest]
    return await asyncio.gather(*groups)


async def _group(
    counts: SessionCounts, name: str, waiting: int, where: str, known: dict[str, datetime], since: datetime
) -> Group:
    """`known` are the oldest by name, as far as they are among the first that wait at all, from `since` on."""
    return Group(name, waiting, known.get(name) or await counts.oldest_at(where, since=since))


async def _first(counts: SessionCounts, by_priority: list[Group], wanted: int) -> list[WorkflowExecution]:
    found: list[WorkflowExecution] = []
    for group in by_priority:
        missing = min(wanted - len(found), group.waiting)
        if missing > 0:
            rows = await counts.oldest(_of_priority(int(group.name)), missing, of=group.waiting)
            found += rows[:missing]
    return found


async def _session(client: Client, row: WorkflowExecution, at_once: asyncio.Semaphore) -> WaitingSession:
    async with at_once:
        about = await client.get_workflow_handle(row.id).describe(rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
    told = row.typed_search_attributes
    task_id = row.id.removeprefix(ids.session_workflow_id(""))
    return WaitingSession(
        task_id=task_id,
        title=await about.static_summary() or task_id,
        priority=told.get(PRIORITY) or 0,
        fairness_key=told.get(FAIRNESS_KEY) or "",
        since=_queued_at(about) or row.start_time,
    )


def _queued_at(about: WorkflowExecutionDescription) -> datetime | None:
    found = (each for each in about.raw_description.pending_activities if each.activity_type.name == "hold_slot")
    return next((each.scheduled_time.ToDatetime(tzinfo=UTC) for each in found), None)


def _of_priority(priority: int) -> str:
    return f"{_WAITING} AND {search.PRIORITY} = {priority}"


def _of_key(key: str) -> str:
    return f"{_WAITING} AND {search.FAIRNESS_KEY} = {quoted(key)}"
