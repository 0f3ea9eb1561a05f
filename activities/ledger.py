"""Bookkeeping in the store: the task as submitted, the opening of an agent, the seals of its steps."""

import orjson
from temporalio import activity

from longshift.adapters.calls import tool_definitions
from longshift.adapters.context import Openings, Timeline
from longshift.adapters.store import Store, Transcripts
from longshift.adapters.tools import Toolbox
from longshift.contracts import ids
from longshift.contracts.activities import LedgerActivities, OpenAgentInput, OpenedAgent, OpenSessionInput
from longshift.contracts.rollback import FindStepsInput, StepsFound
from longshift.contracts.tools import TOOL_ARGUMENTS
from longshift.contracts.transcript import SealInput


class Ledger(LedgerActivities):
    """Short and idempotent: every write is create-if-absent, and safe from a power cut when the activity ends."""

    def __init__(self, store: Store, transcripts: Transcripts) -> None:
        self._store = store
        self._transcripts = transcripts
        self._openings = Openings(store, transcripts, tool_definitions(Toolbox.descriptions(), TOOL_ARGUMENTS))

    @activity.defn
    async def open_session(self, request: OpenSessionInput) -> None:
        """Keep the task as submitted."""
        await self._store.create(ids.task_key(request.task.id), orjson.dumps(request.task.model_dump(mode="json")))
        await self._store.settled()

    @activity.defn
    async def open_agent(self, request: OpenAgentInput) -> OpenedAgent:
        """Write the base of an agent's first epoch."""
        return await self._openings.begin(request)

    @activity.defn
    async def seal(self, request: SealInput) -> None:
        """Close a step."""
        await self._transcripts.put_seal(request)
        await self._store.settled()

    @activity.defn
    async def find_steps(self, request: FindStepsInput) -> StepsFound:
        """How far the agent's transcript has come."""
        timeline = await Timeline.read(self._store, request.agent)
        return await timeline.found(self._store)
