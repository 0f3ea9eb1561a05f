"""What swarms have left in the store: results, plans and reports. How they are told is policy's."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from longshift.adapters.store.lineage import Lineage
from longshift.adapters.store.objects import Store
from longshift.contracts import ids
from longshift.contracts.swarm import ItemReport, SwarmResult
from longshift.contracts.swarm_plan import SwarmPlan

GAP = 20
"""A number that came to nothing, such as a plan that was refused, leaves a gap; so many in a row are the end."""
AT_ONCE = 16


class SwarmReports:
    """Reads; every method raises StoreUnavailable where the store cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def ended(self, task_id: str) -> tuple[str, ...]:
        """The ids of a session's swarms that have a result, the first one first."""
        return await self._swarms_with(task_id, ids.swarm_result_key)

    async def begun(self, task_id: str, item: str) -> tuple[str, ...]:
        """The ids of a session's swarms in which an item of this name was begun, the first one first."""
        return await self._swarms_with(
            task_id, lambda swarm: ids.base_key(ids.agent_id(ids.item_task_id(swarm, item)), 1)
        )

    async def _swarms_with(self, task_id: str, key: Callable[[str], str]) -> tuple[str, ...]:
        found = list[str]()
        for shift in range(1, max(1, await Lineage(self._store).shifts(task_id)) + 1):
            agent, number, missing = ids.agent_id(task_id, shift=shift), 1, 0
            while missing < GAP:
                swarm = ids.swarm_id(agent, number)
                is_there = await self._store.find(key(swarm)) is not None
                missing = 0 if is_there else missing + 1
                found += [swarm] if is_there else []
                number += 1
        return tuple(found)

    async def result(self, swarm: str) -> SwarmResult | None:
        """The whole result; None while there is none."""
        body = await self._store.find(ids.swarm_result_key(swarm))
        return SwarmResult.model_validate_json(body) if body is not None else None

    async def plan(self, plan_key: str) -> SwarmPlan | None:
        """A plan by its key; None where there is none."""
        body = await self._store.find(plan_key)
        return SwarmPlan.model_validate_json(body) if body is not None else None

    async def report(self, swarm: str, item: str, attempt: int) -> ItemReport | None:
        """The report of an attempt at an item; None where there is none."""
        async with self._at_once:
            body = await self._store.find(ids.item_report_key(swarm, item, attempt))
        return ItemReport.model_validate_json(body) if body is not None else None

    async def latest_report(self, swarm: str, item: str, *, attempts: int = 5) -> ItemReport | None:
        """That of the last attempt which has one, of so many at most."""
        for attempt in range(attempts, 0, -1):
            report = await self.report(swarm, item, attempt)
            if report is not None:
                return report
        return None

    async def reports(self, swarm: str, attempts: Mapping[str, int]) -> dict[str, ItemReport]:
        """Those of these attempts that are there, by item."""
        wanted: Iterable[tuple[str, int]] = attempts.items()
        found = await asyncio.gather(*(self.report(swarm, item, attempt) for item, attempt in wanted))
        return {item: report for item, report in zip(attempts, found, strict=True) if report is not None}
