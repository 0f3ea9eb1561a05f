"""Makes room in a conversation: clears old results where that is enough, else has a hand-off note written.

Whatever a model fails to do here, there is a note in the end: one made of the record. Only a provider that is down, or
refuses the account, is for the caller to wait for.
"""

from collections.abc import Sequence

import orjson

from longshift.adapters.context.asker import Asker
from longshift.adapters.context.epochs import Epochs, done, rounds_of
from longshift.adapters.context.note_writer import Live, NoteWriter
from longshift.adapters.context.sizes import view_tokens
from longshift.adapters.context.tab import Tab
from longshift.adapters.store import PlacedStep, Store, Transcripts
from longshift.contracts import ids
from longshift.contracts.activities import WriteHandoffInput
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import HandoffDigest, ModelOutcome, ModelProfile, Usage
from longshift.contracts.transcript import EpochBase, EpochCause, HandoffRecord
from longshift.policy import compaction, provider
from longshift.policy.compaction import Round
from longshift.policy.record_note import record_note

_NO_NOTE_TO_HOPE_FOR = frozenset({ProviderFailure.OVERFLOW, ProviderFailure.TOO_LARGE, ProviderFailure.REFUSED})
NOTE_FOR_PEOPLE_CHARACTERS = 500


class Compactor:
    """Compacts conversations and writes last notes."""

    def __init__(self, store: Store, transcripts: Transcripts, asker: Asker) -> None:
        self._store = store
        self._transcripts = transcripts
        self._epochs = Epochs(store, transcripts)
        self._notes = NoteWriter(asker)
        self._asker = asker

    async def compact(self, profile: ModelProfile, request: WriteHandoffInput, tab: Tab) -> HandoffDigest:
        """Begin the next epoch; one that has begun already is taken as it is.

        Raises:
            ProviderError: the provider is down, or refuses the account.
        """
        base = await self._epochs.find(request.agent, request.epoch + 1)
        if base is None:
            base = await self._begun(profile, request, tab)
        view = await self._transcripts.view(request.agent, request.epoch + 1, request.step, profile.thinking_replay)
        record = base.handoff if base.cause is not EpochCause.CLEARING else None
        tokens = view_tokens(view, request.bytes_per_token)
        return HandoffDigest(
            outcome=ModelOutcome.ANSWERED,
            epoch=request.epoch + 1,
            **profile.prices.spent(record.usage if record else Usage(), record.unknown if record else Usage()),
            reserve=self._asker.reserve(profile, tokens),
            context_tokens=tokens,
            context_bytes=view.size_bytes,
            note=record.note[:NOTE_FOR_PEOPLE_CHARACTERS] if record else "",
            cleared=base.cause is EpochCause.CLEARING,
            by_runner=bool(record and record.by_runner),
        )

    async def last_note(self, profile: ModelProfile, request: WriteHandoffInput, tab: Tab) -> HandoffDigest:
        """Write the note with which an agent ends; one that is there already is taken as it is.

        Raises:
            ProviderError: the provider is down, or refuses the account.
        """
        key = ids.handoff_key(request.agent)
        body = await self._store.find(key)
        if body is None:
            steps = await self._transcripts.steps(request.agent, request.epoch, request.step)
            record = await self._record(profile, request, steps, tab)
            survives = request.model_dump(include={"plan", "changed_files", "changed_count"})
            record = record.model_copy(update=survives)
            body = await self._store.create(key, orjson.dumps(record.model_dump(mode="json")))
            await self._store.settled()
        record = HandoffRecord.model_validate_json(body)
        return HandoffDigest(
            outcome=ModelOutcome.ANSWERED,
            epoch=request.epoch,
            **profile.prices.spent(record.usage, record.unknown),
            note=record.note[:NOTE_FOR_PEOPLE_CHARACTERS],
            by_runner=record.by_runner,
        )

    async def _begun(self, profile: ModelProfile, request: WriteHandoffInput, tab: Tab) -> EpochBase:
        """The next epoch: by clearing alone where that frees enough, else out of a note."""
        steps = await self._transcripts.steps(request.agent, request.epoch, request.step)
        rounds = await rounds_of(steps, foreign=request.foreign)
        until = self._cleared_until(profile, request, rounds)
        if until:
            return await self._epochs.cleared(request, compaction.carried(rounds, cleared_until=until))
        record = await self._record(profile, request, steps, tab)
        first = self._kept_from(profile, request, rounds)
        return await self._epochs.handed_off(request, record, steps[:first], compaction.carried(rounds[first:]))

    def _cleared_until(self, profile: ModelProfile, request: WriteHandoffInput, rounds: Sequence[Round]) -> int:
        """How many rounds to clear; 0 where that is not wanted, or would free too little."""
        if not request.may_clear or request.foreign or not request.context_tokens:
            return 0
        window_tokens = self._asker.fitted(profile).window_tokens
        free_tokens = compaction.tokens_to_free(request.limits, request.context_tokens, window_tokens)
        recent_tokens = compaction.recent_tokens(request.limits, window_tokens)
        return compaction.first_uncleared(
            rounds,
            free_bytes=compaction.room_bytes(rounds, request.context_tokens, free_tokens),
            recent_bytes=compaction.room_bytes(rounds, request.context_tokens, recent_tokens),
        )

    def _kept_from(self, profile: ModelProfile, request: WriteHandoffInput, rounds: Sequence[Round]) -> int:
        """The first round that goes on beside a note; what has been learnt while it was written counts."""
        window_tokens = self._asker.fitted(profile).window_tokens
        keep_tokens = compaction.kept_tokens(request.limits, window_tokens) if request.keep_rounds else 0
        keep_bytes = compaction.room_bytes(rounds, request.context_tokens, keep_tokens)
        return compaction.first_kept(rounds, keep_bytes=keep_bytes)

    async def _record(
        self, profile: ModelProfile, request: WriteHandoffInput, steps: Sequence[PlacedStep], tab: Tab
    ) -> HandoffRecord:
        reason, note = request.by_runner, ""
        if not reason:
            try:
                note = await self._notes.write(await self._live(profile, request), tab)
                reason = "it wrote none"
            except ProviderError as error:
                if error.failure not in _NO_NOTE_TO_HOPE_FOR:
                    raise
                reason = provider.detail_of(error)
        by_runner = not note
        if by_runner:
            base = await self._transcripts.base(request.agent, request.epoch)
            earlier = base.handoff.note if base.handoff else ""
            note = record_note(list(map(done, steps)), reason, earlier)
        return HandoffRecord(
            note=note,
            step=request.step,
            reason=request.reason,
            usage=tab.booked.usage,
            unknown=tab.booked.unknown,
            by_runner=by_runner,
        )

    async def _live(self, profile: ModelProfile, request: WriteHandoffInput) -> Live:
        if request.foreign:
            view = await self._transcripts.foreign_view(request.agent, request.epoch, request.step)
            tokens = view_tokens(view, request.bytes_per_token)
        else:
            view = await self._transcripts.view(request.agent, request.epoch, request.step, profile.thinking_replay)
            tokens = request.context_tokens or view_tokens(view, request.bytes_per_token)
        return Live(profile, request.task_id, view, tokens)
