"""Whole values that many read: a task as it was submitted, the plan of a swarm."""

from longshift.adapters.store.objects import Store
from longshift.contracts import ids
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.contracts.task import TaskSpec


async def read_task(store: Store, task_id: str) -> TaskSpec:
    """A task that was opened.

    Raises: StoreMissing, StoreUnavailable.
    """
    return TaskSpec.model_validate_json(await store.get(ids.task_key(task_id)))


async def read_plan(store: Store, swarm: str, plan_hash: str) -> SwarmPlan:
    """A version of a swarm's plan.

    Raises: StoreMissing, StoreUnavailable.
    """
    return SwarmPlan.model_validate_json(await store.get(ids.plan_key(swarm, plan_hash)))
