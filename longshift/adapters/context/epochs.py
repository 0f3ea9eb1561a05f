"""Begins epochs: every way in which a conversation goes on without carrying all of itself.

A base is written once; a second writer gets the first one's, so that a crash leaves the old epoch or the new one. What
is kept, and what is said, is decided in `policy.compaction` and `policy.prompt`.
"""

import asyncio
from collections.abc import Sequence

import orjson

from longshift.adapters.store import PlacedStep, Store, Transcripts, read_task
from longshift.contracts import ids
from longshift.contracts.activities import WriteHandoffInput
from longshift.contracts.transcript import CarriedSteps, EpochBase, EpochCause, HandoffRecord, Message
from longshift.contracts.workspace import Workspace
from longshift.policy import answers, compaction, prompt, transcript
from longshift.policy.compaction import Round
from longshift.policy.record_note import Done


class Epochs:
    """Finds and writes what epochs start with."""

    def __init__(self, store: Store, transcripts: Transcripts) -> None:
        self._store = store
        self._transcripts = transcripts

    async def find(self, agent: str, epoch: int) -> EpochBase | None:
        """What an epoch starts with, if it has begun."""
        body = await self._store.find(ids.base_key(agent, epoch))
        return EpochBase.model_validate_json(body) if body else None

    async def opening(self, task_id: str, workspace: Workspace) -> tuple[Message, ...]:
        """The first message of an agent, from its sources: the task, the place, the repository's rules.

        Raises:
            StoreMissing: the task is not in the store.
        """
        task = await read_task(self._store, task_id)
        rules = await self._store.find(ids.rules_key(task_id)) if workspace.rules_file else None
        return prompt.opening_messages(task, workspace, rules.decode(errors="replace") if rules else "")

    async def cleared(self, request: WriteHandoffInput, carried: tuple[CarriedSteps, ...]) -> EpochBase:
        """The next epoch, with the same conversation less old results."""
        base = await self._transcripts.base(request.agent, request.epoch)
        update = {"carried": carried, "first_step": request.step, "cause": EpochCause.CLEARING}
        return await self._begin(request, base.model_copy(update=update))

    async def handed_off(
        self,
        request: WriteHandoffInput,
        record: HandoffRecord,
        left: Sequence[PlacedStep],
        kept: tuple[CarriedSteps, ...],
    ) -> EpochBase:
        """The next epoch, out of a note. `left` are the steps that it leaves behind, for what people said in them."""
        base = await self._transcripts.base(request.agent, request.epoch)
        if request.workspace is not None:
            opening = await self.opening(request.task_id, request.workspace)
        else:
            opening = (await self._transcripts.base(request.agent, 1)).messages
        people = prompt.people_messages(base.messages, [placed.step.answer for placed in left])
        survivors = prompt.Survivors(
            plan=request.plan,
            changed_files=request.changed_files,
            changed_count=request.changed_count,
            jobs=request.jobs,
            failed_approaches=request.failed_approaches,
        )
        messages, kept = compaction.closed(
            prompt.epoch_opening(opening, people), kept, prompt.epoch_closing(survivors, record.note)
        )
        update = {
            "messages": messages,
            "carried": kept,
            "first_step": request.step,
            "handoff": record,
            "cause": EpochCause.HANDOFF,
        }
        return await self._begin(request, base.model_copy(update=update))

    async def _begin(self, request: WriteHandoffInput, base: EpochBase) -> EpochBase:
        stored = await self._transcripts.put_base(request.agent, request.epoch + 1, base)
        await self._store.settled()
        return stored


async def rounds_of(steps: Sequence[PlacedStep], *, foreign: bool) -> list[Round]:
    """The steps as the policy weighs them; `foreign`: for a model that wrote none of them."""
    return await asyncio.to_thread(lambda: [_round(placed, foreign=foreign) for placed in steps])


def _round(placed: PlacedStep, *, foreign: bool) -> Round:
    place = placed.place
    return Round(
        agent=place.agent,
        epoch=place.epoch,
        step=placed.number,
        size_bytes=sum(len(orjson.dumps(message)) for message in placed.messages("all", foreign=foreign)),
        clearable_bytes=0 if place.cleared else transcript.clearable_characters(placed.step.results),
        cleared=place.cleared,
        foreign=place.foreign or foreign,
        then=placed.then,
    )


def done(placed: PlacedStep) -> Done:
    """A step as a note made of the record tells it."""
    failed = {line.index for line in placed.step.seal.results if line.is_error}
    return Done(
        step=placed.number,
        words=answers.text_of(placed.step.answer.content)[:500],
        calls=tuple((call.summary or call.name, call.index in failed) for call in placed.step.answer.calls),
    )
