"""Reads a session's transcript out of the store, in order and as far as it has come; a second call goes on from there.

Needs no engine: keys follow from the task's id. How an entry looks is `render_transcript`'s.
"""

from dataclasses import dataclass

from longshift.adapters.store import Store, Transcripts
from longshift.adapters.store.transcripts import Step
from longshift.contracts import ids
from longshift.contracts.errors import StoreMissing
from longshift.contracts.transcript import AnswerRecord, EpochBase, HandoffRecord, Note
from longshift.policy import transcript


@dataclass(frozen=True)
class OpeningEntry:
    """A new epoch: what its requests start with."""

    agent: str
    epoch: int
    base: EpochBase


@dataclass(frozen=True)
class AnswerEntry:
    """The model's answer in a step, with the messages that went with the request."""

    agent: str
    epoch: int
    step: int
    answer: AnswerRecord


@dataclass(frozen=True)
class CallResult:
    """What came of one call."""

    call_id: str
    name: str
    summary: str
    text: str
    is_error: bool


@dataclass(frozen=True)
class SealEntry:
    """A step is closed: all results in the model's order, and the messages delivered with them."""

    agent: str
    epoch: int
    step: int
    results: tuple[CallResult, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class HandoffEntry:
    """The last note of an agent whose time or budget was used up."""

    agent: str
    record: HandoffRecord


Entry = OpeningEntry | AnswerEntry | SealEntry | HandoffEntry


class TranscriptReader:
    """A place in the transcript of a session's agent, shift after shift."""

    def __init__(self, store: Store, task_id: str, name: str = ids.LEAD, shift: int = 0) -> None:
        """`name` is whose transcript it is; with `shift` only that one's, otherwise all shifts'."""
        self._store = store
        self._transcripts = Transcripts(store)
        self._task_id, self._name = task_id, name
        self._only = shift
        self._shift, self._epoch, self._step = (shift or 1), 0, 1
        self._is_answered = False
        """The current step's answer was given out; its seal comes next."""
        self._handed_off = False

    async def start_near(self, shift: int, epoch: int, step: int) -> None:
        """Begin in the middle: at `step` of an epoch, or at the epoch's first step if that is later.

        Raises:
            StoreMissing: the epoch was never opened.
        """
        base = await self._transcripts.base(ids.agent_id(self._task_id, self._name, shift), epoch)
        self._shift, self._epoch, self._step = shift, epoch, max(step, base.first_step)

    @property
    def _agent(self) -> str:
        return ids.agent_id(self._task_id, self._name, self._shift)

    async def next(self) -> Entry | None:
        """The next entry, or None when there is none yet.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        if self._is_answered:
            return await self._seal()
        if self._epoch:
            answer = await self._transcripts.find_answer(self._agent, self._epoch, self._step)
            if answer is not None:
                self._is_answered = True
                return AnswerEntry(self._agent, self._epoch, self._step, answer)
        return await self._opening() or await self._handoff()

    async def rest(self) -> list[Entry]:
        """Everything from here on that is there."""
        found: list[Entry] = []
        while (entry := await self.next()) is not None:
            found.append(entry)
        return found

    async def _seal(self) -> Entry | None:
        try:
            step = await self._transcripts.step(self._agent, self._epoch, self._step)
        except StoreMissing:
            return None
        entry = SealEntry(self._agent, self._epoch, self._step, _results(step), step.seal.notes)
        self._is_answered = False
        self._step += 1
        return entry

    async def _opening(self) -> Entry | None:
        """The next epoch of this agent, or the first one of the next shift."""
        for shift, epoch in ((self._shift, self._epoch + 1), (self._shift + 1, 1)):
            if self._only and shift > self._only:
                continue
            agent = ids.agent_id(self._task_id, self._name, shift)
            body = await self._store.find(ids.base_key(agent, epoch))
            if body is None:
                continue
            if shift > self._shift and (last := await self._handoff()) is not None:
                return last
            base = EpochBase.model_validate_json(body)
            if shift > self._shift:
                self._handed_off = False
            self._shift, self._epoch, self._step = shift, epoch, base.first_step
            return OpeningEntry(agent, epoch, base)
        return None

    async def _handoff(self) -> Entry | None:
        if self._handed_off or not self._epoch:
            return None
        body = await self._store.find(ids.handoff_key(self._agent))
        if body is None:
            return None
        self._handed_off = True
        return HandoffEntry(self._agent, HandoffRecord.model_validate_json(body))


def _results(step: Step) -> tuple[CallResult, ...]:
    """The results as the model was given them, with the names of their calls."""
    calls = {call.index: call for call in step.answer.calls}
    blocks = transcript.user_message(step.answer, step.results, step.seal)["content"]
    found: list[CallResult] = []
    for sealed, block in zip(step.seal.results, blocks, strict=False):  # notes come after the results
        call = calls.get(sealed.index)
        name, summary = (call.name, call.summary) if call else ("", "")
        found.append(CallResult(sealed.call_id, name, summary, block["content"], block.get("is_error", False)))
    return tuple(found)
