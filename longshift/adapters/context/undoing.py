"""Begins the epoch in which a conversation goes on from an earlier step; what was said since stays where it is.

What an agent makes of it is decided in `policy.rollback`, and its files are put back elsewhere.
"""

import asyncio
from collections.abc import Sequence

from longshift.adapters.context.legacy import plan_of
from longshift.adapters.context.openings import carried_by
from longshift.adapters.context.sizes import view_tokens
from longshift.adapters.context.timeline import Timeline
from longshift.adapters.store import PlacedStep, Store, Transcripts
from longshift.contracts.rollback import ConversationRolledBack, RollBackConversationInput
from longshift.contracts.transcript import EpochBase, EpochCause, Note, Speaker

LOAD_AT_ONCE = 64


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
        source = timeline.epoch_of(request.to_step)
        kept = await self._transcripts.steps(request.agent, source, request.to_step + 1)
        update = {
            "first_step": request.step,
            "carried": carried_by(kept, request.profile),
            "cause": EpochCause.ROLLBACK,
        }
        base = timeline.bases[source - 1].model_copy(update=update)
        epoch = request.epoch + 1
        # A compaction that was given up may have written the next epoch, which nobody is in.
        while not _is_begun(await self._transcripts.put_base(request.agent, epoch, base), base):
            epoch += 1
        await self._store.settled()
        view = await self._transcripts.view(request.agent, epoch, request.step, "all" if with_thinking else "none")
        return ConversationRolledBack(
            epoch=epoch,
            first_step=kept[0].number if kept else request.step,
            context_tokens=view_tokens(view, request.bytes_per_token),
            context_bytes=view.size_bytes,
            plan=plan_of(base, kept),
            people=await self._people(timeline, request, kept),
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


def _is_begun(stored: EpochBase, base: EpochBase) -> bool:
    """Whether the epoch of `stored` is the wanted one."""
    return (stored.cause, stored.first_step, stored.carried) == (base.cause, base.first_step, base.carried)
