"""Bookkeeping in the store: the task as submitted, the opening of an agent, the seals of its steps."""

import orjson
from temporalio import activity

from longshift.adapters.calls import tool_definitions
from longshift.adapters.context import Timeline
from longshift.adapters.store import Store, Transcripts
from longshift.adapters.tools import Toolbox
from longshift.contracts import ids
from longshift.contracts.activities import LedgerActivities, OpenAgentInput, OpenSessionInput
from longshift.contracts.rollback import FindStepsInput, StepsFound
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import TOOL_ARGUMENTS
from longshift.contracts.transcript import EpochBase, HandoffRecord, SealInput
from longshift.policy import prompt


class Ledger(LedgerActivities):
    """Short and idempotent: every write is create-if-absent, and safe from a power cut when the activity ends."""

    def __init__(self, store: Store, transcripts: Transcripts) -> None:
        self._store = store
        self._transcripts = transcripts
        self._tools = tool_definitions(Toolbox.descriptions(), TOOL_ARGUMENTS)

    @activity.defn
    async def open_session(self, request: OpenSessionInput) -> None:
        """Keep the task as submitted."""
        await self._store.create(ids.task_key(request.task.id), orjson.dumps(request.task.model_dump(mode="json")))
        await self._store.settled()

    @activity.defn
    async def open_agent(self, request: OpenAgentInput) -> None:
        """Write the base of an agent's first epoch."""
        task = TaskSpec.model_validate_json(await self._store.get(ids.task_key(request.task_id)))
        note = ""
        if request.handoff_from:
            body = await self._store.find(ids.handoff_key(request.handoff_from))
            note = HandoffRecord.model_validate_json(body).note if body else ""
        rules = await self._store.find(ids.rules_key(request.task_id)) if request.workspace.rules_file else None
        rules_text = rules.decode(errors="replace") if rules else ""
        opening = prompt.opening_messages(task, request.workspace, rules_text, note)
        base = EpochBase(system=prompt.SYSTEM, tools=self._tools, messages=opening, first_step=1)
        await self._transcripts.put_base(request.agent, 1, base)
        await self._store.settled()

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
