"""What an agent starts with: a plain task, the note of another agent, or another session's conversation.

A base is written once; a second attempt gets the first one's. What is said is decided in `policy.prompt` and
`policy.starting`.
"""

from collections.abc import Sequence
from typing import Any

from longshift.adapters.context.epochs import Epochs
from longshift.adapters.context.legacy import Legacy, checks_of, plan_of, read_legacy
from longshift.adapters.store import Lineage, PlacedEpoch, PlacedStep, Store, Transcripts, read_task
from longshift.contracts import ids
from longshift.contracts.activities import OpenAgentInput, OpenedAgent
from longshift.contracts.errors import BadInput
from longshift.contracts.session import SessionStatus
from longshift.contracts.task import StartFrom, TaskSpec
from longshift.contracts.transcript import CarriedSteps, EpochBase, EpochCause, Speaker
from longshift.contracts.workspace import Workspace
from longshift.policy import compaction, describe, notes, offering, prompt, starting
from longshift.policy.compaction import Round


class Openings:
    """Writes the first epochs of agents."""

    def __init__(self, store: Store, transcripts: Transcripts, tools: tuple[dict[str, Any], ...]) -> None:
        self._store = store
        self._transcripts = transcripts
        self._epochs = Epochs(store, transcripts)
        self._lineage = Lineage(store)
        self._tools = tools

    async def begin(self, request: OpenAgentInput) -> OpenedAgent:
        """Write an agent's first base, and say what else it starts with.

        Raises:
            BadInput: the session that it is to go on from has nothing to go on from.
            StoreMissing: a part of that is gone.
            StoreUnavailable: the store cannot be read or written.
        """
        task = await read_task(self._store, request.task_id)
        start = task.start_from
        if request.handoff_from:
            resumed = await self._resumed(request) if request.keeps_conversation else None
            return resumed or await self._next_shift(request, task)
        if start is None:
            await self._begun(request, await self._plain(request, task))
            return OpenedAgent()
        if start.step is None:
            return await self._continued(request, task, start)
        return await self._forked(request, start, start.step)

    async def _plain(self, request: OpenAgentInput, task: TaskSpec) -> EpochBase:
        tools = tuple(tool for tool in self._tools if tool["name"] not in offering.withheld(task))
        opening = await self._epochs.opening(request.task_id, request.workspace)
        return EpochBase(system=prompt.SYSTEM, tools=tools, messages=opening, first_step=1)

    async def _next_shift(self, request: OpenAgentInput, task: TaskSpec) -> OpenedAgent:
        legacy = await read_legacy(self._store, self._transcripts, request.handoff_from)
        base = await self._plain(request, task)
        if legacy is None:
            await self._begun(request, base)
            return OpenedAgent()
        await self._begun(request, _inherited(base, legacy, written=starting.SHIFT_BEFORE))
        return OpenedAgent(plan=legacy.plan, proposed=legacy.checks)

    async def _resumed(self, request: OpenAgentInput) -> OpenedAgent | None:
        """Go on with an earlier shift's conversation; None where it has written a note, or there is none."""
        source = await self._newest_before(request.agent)
        if source is None or await self._store.find(ids.handoff_key(source.agent)) is not None:
            return None
        end_step = await self._lineage.end_step(source)
        steps = await self._transcripts.steps(source.agent, source.number, end_step)
        update = {"carried": carried_by(steps, request.profile), "first_step": end_step, "cause": EpochCause.FORK}
        await self._begun(request, source.base.model_copy(update=update))
        missing = _missing(request.workspace, steps, is_settled=False)
        return OpenedAgent(
            first_step=end_step,
            plan=plan_of(source.base, steps),
            proposed=checks_of(source.base, steps),
            notes=starting.resumed_notes(request.workspace, missing),
        )

    async def _newest_before(self, agent: str) -> PlacedEpoch | None:
        """The last epoch of the newest earlier shift that began."""
        for shift in range(ids.shift_of_agent(agent) - 1, 0, -1):
            source = await self._lineage.newest(ids.agent_id(ids.task_of_agent(agent), shift=shift))
            if source is not None:
                return source
        return None

    async def _continued(self, request: OpenAgentInput, task: TaskSpec, start: StartFrom) -> OpenedAgent:
        agent = ids.agent_id(start.session, shift=await self._lineage.shifts(start.session) or 1)
        legacy = await read_legacy(self._store, self._transcripts, agent)
        if legacy is None:
            raise BadInput(f"start_from.session: {start.session!r} has no conversation yet to go on from")
        unheard = await self._unheard(start.session)
        written = starting.written_by(start.session)
        await self._begun(request, _inherited(await self._plain(request, task), legacy, unheard, written=written))
        missing = _missing(request.workspace, legacy.steps, is_settled=legacy.has_note)
        return OpenedAgent(
            plan=legacy.plan,
            proposed=legacy.checks,
            notes=starting.first_notes(start, request.workspace, missing),
        )

    async def _forked(self, request: OpenAgentInput, start: StartFrom, step: int) -> OpenedAgent:
        source = await self._lineage.writer(ids.agent_id(start.session, start.agent, start.shift), step)
        if source is None or not await self._lineage.is_closed(source, step):
            raise BadInput(f"start_from.step: {start.session!r} has no closed step {step}")
        steps = await self._transcripts.steps(source.agent, source.number, step + 1)
        update = {
            "carried": carried_by(steps, request.profile),
            "first_step": step + 1,
            "cause": EpochCause.FORK,
        }
        await self._begun(request, source.base.model_copy(update=update))
        missing = _missing(request.workspace, steps, is_settled=await self._is_settled(source, step))
        return OpenedAgent(
            first_step=step + 1,
            plan=plan_of(source.base, steps),
            proposed=checks_of(source.base, steps),
            notes=starting.first_notes(start, request.workspace, missing),
        )

    async def _is_settled(self, source: PlacedEpoch, step: int) -> bool:
        """Whether the step's changes were saved if there were any: later calls wait for that."""
        later = await self._lineage.writer(source.agent, step + 1)
        return later is not None and await self._lineage.is_closed(later, step + 1)

    async def _unheard(self, session: str) -> tuple[str, ...]:
        """What people said to a session so late that no agent of it was given it, as a model reads it."""
        body = await self._store.find(ids.artifact_key(session, "report.json"))
        if body is None:
            return ()
        unheard = SessionStatus.model_validate_json(body).unheard
        return tuple(notes.rendered(note) for note in unheard if note.speaker is Speaker.PERSON)

    async def _begun(self, request: OpenAgentInput, base: EpochBase) -> None:
        await self._transcripts.put_base(request.agent, 1, base)
        await self._store.settled()


def _inherited(base: EpochBase, legacy: Legacy, unheard: tuple[str, ...] = (), *, written: str) -> EpochBase:
    """A plain beginning, with what another agent has left."""
    record = legacy.record
    survivors = prompt.Survivors(
        plan=describe.plan_text(legacy.plan, legacy.checks),
        changed_files=record.changed_files,
        changed_count=record.changed_count,
    )
    opening = prompt.epoch_opening(base.messages, (*legacy.people, *unheard))
    messages, _ = compaction.closed(opening, (), prompt.epoch_closing(survivors, record.note, written=written))
    return base.model_copy(update={"messages": messages, "handoff": record})


def carried_by(steps: Sequence[PlacedStep], profile: str) -> tuple[CarriedSteps, ...]:
    """The steps as ranges; those that another profile's model wrote are foreign to this one."""
    rounds = [
        Round(
            agent=placed.place.agent,
            epoch=placed.place.epoch,
            step=placed.number,
            size_bytes=0,
            cleared=placed.place.cleared,
            then=placed.then,
            foreign=placed.place.foreign or placed.step.answer.profile not in ("", profile),
        )
        for placed in steps
    ]
    return compaction.carried(rounds)


def _missing(workspace: Workspace, steps: Sequence[PlacedStep], *, is_settled: bool) -> tuple[int, ...]:
    restoration = workspace.restoration
    known = {"", *(placed.place.agent for placed in steps)}
    saved_step = restoration.step if restoration is not None and restoration.agent in known else 0
    worked = [starting.worked(placed.number, placed.step.answer, placed.step.seal) for placed in steps]
    return starting.missing_changes(worked, saved_step, is_settled=is_settled)
