"""A swarm as it has ended, in a store: for whatever tells of it."""

from collections.abc import Mapping

import orjson
from pydantic import BaseModel

from longshift.adapters.store import Store
from longshift.contracts import ids
from longshift.contracts.swarm import CriticalPath, ItemFailure, ItemReport, ItemStatus, SwarmResult, SwarmSummary
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan

PLAN_HASH = "0123456789abcdef"


async def put(store: Store, key: str, value: BaseModel) -> None:
    await store.create(key, orjson.dumps(value.model_dump(mode="json")))


async def put_ended_swarm(
    store: Store, swarm: str, statuses: Mapping[str, ItemStatus], *, summary: str = "Typed it."
) -> SwarmResult:
    """All items were tried once; those that are not merged have failed for being stuck."""
    plan = SwarmPlan(
        goal="Type all modules",
        items=tuple(SwarmItem(id=item, goal=f"Type {item}", write_scope=(f"{item}.py",)) for item in statuses),
    )
    await put(store, ids.plan_key(swarm, PLAN_HASH), plan)
    for item, status in statuses.items():
        is_merged = status is ItemStatus.MERGED
        report = ItemReport(
            item=item,
            goal=f"Type {item}",
            status=status,
            failure=None if is_merged else ItemFailure.STUCK,
            reason="" if is_merged else "it went round in circles",
            summary=summary,
            files=(f"{item}.py",),
            insertions=3,
            steps=10,
            started_at=100.0,
            ended_at=160.0,
            agent=ids.agent_id(ids.item_task_id(swarm, item)),
        )
        await put(store, ids.item_report_key(swarm, item, 1), report)
    counts: dict[str, int] = {}
    for status in statuses.values():
        counts[status.value] = counts.get(status.value, 0) + 1
    result = SwarmResult(
        swarm=swarm,
        plan_hash=PLAN_HASH,
        summary=SwarmSummary(swarm=swarm, title="Type all modules", total=len(statuses), counts=counts, steps=20),
        attempts=dict.fromkeys(statuses, 1),
        statuses={item: status.value for item, status in statuses.items()},
        reasons={
            item: "it went round in circles" for item, status in statuses.items() if status is not ItemStatus.MERGED
        },
        critical_path=CriticalPath(steps=15, serial_steps=25, seconds=60, serial_seconds=120, speed_up=25 / 15),
        branch="mend/swarm1",
    )
    await put(store, ids.swarm_result_key(swarm), result)
    return result
