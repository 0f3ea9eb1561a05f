"""What an agent leaves to whoever goes on with its work: its note, people's messages, its plan; out of the store alone.

How the next one is told is `openings`' business; what a note says is the agent's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from longshift.adapters.calls import parse_arguments
from longshift.adapters.context.epochs import done
from longshift.adapters.store import Lineage, PlacedEpoch, PlacedStep, Store, Transcripts
from longshift.contracts import ids
from longshift.contracts.completion import ProposedCheck
from longshift.contracts.tools import PlanItem, UpdatePlanArguments
from longshift.contracts.transcript import EpochBase, HandoffRecord, Message
from longshift.policy import describe, prompt
from longshift.policy.record_note import record_note

UPDATE_PLAN = "update_plan"
NO_NOTE = "the session ended without one"


@dataclass(frozen=True)
class Legacy:
    """What is left of an agent."""

    epoch: PlacedEpoch
    """The one that it worked in last."""
    steps: Sequence[PlacedStep]
    """That epoch's conversation."""
    record: HandoffRecord
    has_note: bool
    """It ended with a note; otherwise one is made of the record."""
    people: tuple[str, ...]
    """Their messages as the model read them, oldest first."""
    plan: tuple[PlanItem, ...]
    checks: tuple[ProposedCheck, ...] = ()
    """What that plan proposes as checks."""


async def read_legacy(store: Store, transcripts: Transcripts, agent: str) -> Legacy | None:
    """What an agent leaves; None if it never began.

    Raises:
        StoreMissing: a part of its last epoch is gone.
        StoreUnavailable: the store cannot be read.
    """
    lineage = Lineage(store)
    epoch = await lineage.newest(agent)
    if epoch is None:
        return None
    end_step = await lineage.end_step(epoch)
    steps = await transcripts.steps(agent, epoch.number, end_step)
    open_answer = await transcripts.find_answer(agent, epoch.number, end_step)
    body = await store.find(ids.handoff_key(agent))
    messages = epoch.base.messages
    if body is not None:
        record = HandoffRecord.model_validate_json(body)
    else:
        earlier = epoch.base.handoff.note if epoch.base.handoff else ""
        note = record_note(list(map(done, steps)), NO_NOTE, earlier)
        record = HandoffRecord(note=note, step=steps[-1].number + 1 if steps else 1, by_runner=True)
    kept = describe.plan_of_text(record.plan)
    return Legacy(
        epoch=epoch,
        steps=steps,
        record=record,
        has_note=body is not None,
        people=prompt.people_messages(
            messages, [*(placed.step.answer for placed in steps), *([open_answer] if open_answer else [])]
        ),
        plan=kept or plan_of(epoch.base, steps),
        checks=describe.checks_of_text(record.plan) if kept else checks_of(epoch.base, steps),
    )


def plan_of(base: EpochBase, steps: Sequence[PlacedStep]) -> tuple[PlanItem, ...]:
    """The plan in force after these steps: the last that was set in them, or the one that their epoch began with."""
    for placed in reversed(steps):
        found = _told_in(placed.then) or _set_in(placed)
        if found:
            return found
    return _told_in(base.messages)


def checks_of(base: EpochBase, steps: Sequence[PlacedStep]) -> tuple[ProposedCheck, ...]:
    """The checks in force after these steps: those that a plan in them named last, or that their epoch began with."""
    for placed in reversed(steps):
        found = _planned_in(placed)
        if found is not None and found.checks is not None:
            return found.checks
        if told := prompt.element_of(placed.then, "plan"):
            return describe.checks_of_text(told)
    return describe.checks_of_text(prompt.element_of(base.messages, "plan"))


def _told_in(messages: Sequence[Message]) -> tuple[PlanItem, ...]:
    return describe.plan_of_text(prompt.element_of(messages, "plan"))


def _set_in(placed: PlacedStep) -> tuple[PlanItem, ...]:
    arguments = _planned_in(placed)
    return arguments.items if arguments is not None else ()


def _planned_in(placed: PlacedStep) -> UpdatePlanArguments | None:
    answer = placed.step.answer
    sound = {line.index for line in placed.step.seal.results if not line.is_error}
    uses = [block for block in answer.content if block.get("type") == "tool_use"]
    indexes = [call.index for call in answer.calls if call.name == UPDATE_PLAN and call.index in sound]
    if not indexes:
        return None
    arguments = parse_arguments(UPDATE_PLAN, uses[indexes[-1]]["input"])
    return arguments if isinstance(arguments, UpdatePlanArguments) else None
