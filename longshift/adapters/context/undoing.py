"""Begins the epoch in which a conversation goes on from an earlier step; what was said since stays where it is.

What an agent makes of it is decided in `policy.rollback`, and its files are put back elsewhere.
"""

import asyncio
from collections.abc import Sequence

from longshift.adapters.calls import parse_arguments
from longshift.adapters.context.sizes import view_tokens
from longshift.adapters.context.timeline import Timeline
from longshift.adapters.store import PlacedStep, Store, Transcripts
from longshift.contracts.model import CallDigest
from longshift.contracts.rollback import ConversationRolledBack, RollBackConversationInput
from longshift.contracts.tools import PlanItem, UpdatePlanArguments
from longshift.contracts.transcript import CarriedSteps, EpochBase, EpochCause, Note, Speaker
from longshift.policy import describe

LOAD_AT_ONCE = 64
_PLAN = "update_plan"


class Undoing:
    """Goes back in conversations."""

    def __init__(self, store: Store, transcripts: Transcripts) -> None:
        self._store = store
        self._transcripts = transcripts

    async def back(self, request: RollBackConversationInput, *, with_thinking: bool) -> ConversationRolledBack:
        """Begin the epoch; one that an earlier attempt has begun is taken as it is.

        Raises:
            StoreMissing: a step of the conversation is not in the store.
        """
        timeline = await Timeline.read(self._store, request.agent, until_epoch=request.epoch)
        base = _goes_back(timeline, request)
        epoch = request.epoch + 1
        # A compaction that was given up may have written the next epoch, which nobody is in.
        while not _is_begun(await self._transcripts.put_base(request.agent, epoch, base), base):
            epoch += 1
        await self._store.settled()
        view = await self._transcripts.view(request.agent, epoch, request.step, "all" if with_thinking else "none")
        steps = await self._transcripts.steps(request.agent, epoch, request.step)
        return ConversationRolledBack(
            epoch=epoch,
            first_step=base.carried[-1].first_step if base.carried else request.step,
            context_tokens=view_tokens(view, request.bytes_per_token),
            context_bytes=view.size_bytes,
            plan=_plan(base, steps),
            people=await self._people(timeline, request, steps),
        )

    async def _people(
        self, timeline: Timeline, request: RollBackConversationInput, kept: Sequence[PlacedStep]
    ) -> tuple[Note, ...]:
        """What people said in the steps after the wanted one, each message once."""
        known = {note.message_id for placed in kept for note in placed.step.answer.notes}
        found: dict[str, Note] = {}
        for start in range(request.to_step + 1, request.step, LOAD_AT_ONCE):
            numbers = range(start, min(start + LOAD_AT_ONCE, request.step))
            answers = await asyncio.gather(
                *(self._transcripts.answer(request.agent, timeline.epoch_of(number), number) for number in numbers)
            )
            said = [note for answer in answers for note in answer.notes if note.speaker is Speaker.PERSON]
            for note in said:
                if not note.message_id or note.message_id not in known:
                    found.setdefault(note.message_id or note.text, note)
        return tuple(found.values())


def _goes_back(timeline: Timeline, request: RollBackConversationInput) -> EpochBase:
    """What the new epoch starts with."""
    epoch = timeline.epoch_of(request.to_step) if request.to_step else 1
    base = timeline.bases[epoch - 1]
    carried: tuple[CarriedSteps, ...] = ()
    if request.to_step:
        own = CarriedSteps(agent=request.agent, epoch=epoch, first_step=base.first_step, end_step=request.to_step + 1)
        carried = (*base.carried, own)
    if request.foreign:
        carried = tuple(steps.model_copy(update={"foreign": True}) for steps in carried)
    update = {"first_step": request.step, "handoff": None, "carried": carried, "cause": EpochCause.ROLLBACK}
    return base.model_copy(update=update)


def _is_begun(stored: EpochBase, base: EpochBase) -> bool:
    """Whether the epoch of `stored` is the wanted one."""
    return (stored.cause, stored.first_step, stored.carried) == (base.cause, base.first_step, base.carried)


def _plan(base: EpochBase, steps: Sequence[PlacedStep]) -> tuple[PlanItem, ...]:
    """The last plan of the conversation: one that the agent set, else the one that its opening has."""
    for placed in reversed(steps):
        for call in reversed(placed.step.answer.calls):
            if call.name == _PLAN and not call.rejected and not _failed(placed, call):
                return _items(placed, call)
    texts = [str(block.get("text", "")) for message in base.messages for block in message["content"]]
    return next((describe.plan_of(text) for text in reversed(texts) if text.startswith("<plan>\n")), ())


def _failed(placed: PlacedStep, call: CallDigest) -> bool:
    result = placed.step.results.get(call.index)
    return result is None or result.is_error


def _items(placed: PlacedStep, call: CallDigest) -> tuple[PlanItem, ...]:
    uses = [block for block in placed.step.answer.content if block.get("type") == "tool_use"]
    arguments = parse_arguments(_PLAN, uses[call.index]["input"])
    assert isinstance(arguments, UpdatePlanArguments)  # as its name says
    return arguments.items
