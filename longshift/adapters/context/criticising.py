"""Asks a model in a fresh context whether a swarm's plan may be carried out.

What it is asked is `policy.plan_critic`'s, how a verdict is read and kept `judging`'s.
"""

import orjson

from longshift.adapters.context.judging import Case, Judging
from longshift.adapters.context.tab import Tab
from longshift.adapters.store import Store, read_plan, read_task
from longshift.contracts import ids
from longshift.contracts.model import ModelProfile
from longshift.contracts.swarm_activities import CriticisePlanInput
from longshift.contracts.verification import VerdictDigest
from longshift.policy import plan_critic


class Criticising:
    """Gets verdicts on plans."""

    def __init__(self, store: Store, judging: Judging) -> None:
        self._store = store
        self._judging = judging

    async def verdict(self, profile: ModelProfile, request: CriticisePlanInput, tab: Tab) -> VerdictDigest:
        """The verdict on a plan; a provider's failure is an outcome, with what was paid until then.

        Raises:
            StoreMissing: task or plan are not in the store.
            StoreUnavailable: the store cannot be read or written.
        """
        key = ids.plan_verdict_key(request.swarm, request.plan_hash, request.round)
        if stored := await self._judging.stored(profile, key):
            return stored
        task = await read_task(self._store, request.task_id)
        plan = await read_plan(self._store, request.swarm, request.plan_hash)
        listing = await self._store.find(ids.plan_files_key(request.swarm, request.plan_hash))
        files = str(orjson.loads(listing)["text"]) if listing else ""
        case = Case(
            task_id=request.task_id,
            step=request.step,
            system=plan_critic.SYSTEM,
            sizes=plan_critic.CUTS,
            question=lambda cut, again: plan_critic.question(task, plan, files, cut, again=again),
        )
        return await self._judging.verdict(profile, key, case, tab)
