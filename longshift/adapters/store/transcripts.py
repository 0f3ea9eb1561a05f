"""Transcripts in the store: bases, answers, results, seals; and views of them as ready request fragments.

A view is the serialised messages of one epoch up to a step. The worker keeps recent views and extends them by the
steps that are missing, so a step costs the same however long the session is; a cold worker loads all steps in parallel.
What a message looks like is decided in `policy.transcript`; nothing here knows the model or the engine.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import orjson

from longshift.adapters.store.objects import Store, exact
from longshift.contracts import ids
from longshift.contracts.errors import StoreMissing
from longshift.contracts.transcript import (
    AnswerRecord,
    EpochBase,
    Message,
    ResultRecord,
    SealedResult,
    SealInput,
    SealRecord,
    Speaker,
)
from longshift.contracts.wire import Wire
from longshift.policy import notes, transcript

VIEWS_BYTES = 64_000_000
"""Views beyond this many bytes in all are dropped, least recently used first."""
LOAD_AT_ONCE = 64

Record = TypeVar("Record", bound=Wire)


@dataclass
class View:
    """The serialised messages of an epoch, up to and including step `next_step - 1`."""

    base: EpochBase
    next_step: int
    messages: list[bytes] = field(default_factory=list[bytes])
    last_user: Message | None = None
    """The last user message as a value, in case a further one has to join it."""
    size_bytes: int = 0

    def with_user(self, message: Message | None) -> list[bytes]:
        """The messages of a request that ends with `message`; the view itself stays as it is."""
        if message is None:
            return self.messages
        if self.last_user is None:
            return [*self.messages, orjson.dumps(message)]
        return [*self.messages[:-1], orjson.dumps(transcript.joined(self.last_user, message))]

    def append(self, message: Message) -> None:
        """Add one message; a user message after a user message joins it."""
        if message["role"] == "user" and self.last_user is not None:
            message = transcript.joined(self.last_user, message)
            self.size_bytes -= len(self.messages.pop())
        body = exact(orjson.dumps(message))
        self.messages.append(body)
        self.size_bytes += len(body)
        self.last_user = message if message["role"] == "user" else None


@dataclass(frozen=True)
class Step:
    """One closed step."""

    answer: AnswerRecord
    results: dict[int, ResultRecord]
    seal: SealRecord


class Transcripts:
    """Reads and writes the records of agents. All writes are create-if-absent and return what is stored."""

    def __init__(self, store: Store, *, views_bytes: int = VIEWS_BYTES) -> None:
        self._store = store
        self._views: OrderedDict[tuple[str, int, str], View] = OrderedDict()
        self._views_limit_bytes = views_bytes

    async def put_base(self, agent: str, epoch: int, base: EpochBase) -> EpochBase:
        """Start an epoch."""
        return await self._put(ids.base_key(agent, epoch), base)

    async def base(self, agent: str, epoch: int) -> EpochBase:
        """What an epoch starts with."""
        return EpochBase.model_validate_json(await self._store.get(ids.base_key(agent, epoch)))

    async def put_answer(self, agent: str, epoch: int, step: int, answer: AnswerRecord) -> AnswerRecord:
        """Keep an answer; a late second one gives way to the first."""
        return await self._put(ids.answer_key(agent, epoch, step), answer)

    async def find_answer(self, agent: str, epoch: int, step: int) -> AnswerRecord | None:
        """The step's answer, if it has arrived."""
        body = await self._store.find(ids.answer_key(agent, epoch, step))
        return None if body is None else AnswerRecord.model_validate_json(body)

    async def answer(self, agent: str, epoch: int, step: int) -> AnswerRecord:
        """The step's answer.

        Raises:
            StoreMissing: it has not arrived.
        """
        return AnswerRecord.model_validate_json(await self._store.get(ids.answer_key(agent, epoch, step)))

    async def put_result(
        self, agent: str, epoch: int, step: int, index: int, result: ResultRecord, generation: int = 1
    ) -> ResultRecord:
        """Keep the result of a call."""
        return await self._put(ids.result_key(agent, epoch, step, index, generation), result)

    async def find_result(
        self, agent: str, epoch: int, step: int, index: int, generation: int = 1
    ) -> ResultRecord | None:
        """The result of a call, if there is one."""
        body = await self._store.find(ids.result_key(agent, epoch, step, index, generation))
        return None if body is None else ResultRecord.model_validate_json(body)

    async def put_seal(self, seal: SealInput) -> SealRecord:
        """Close a step."""
        record = SealRecord(results=seal.results, notes=seal.notes)
        return await self._put(ids.seal_key(seal.agent, seal.epoch, seal.step), record)

    async def step(self, agent: str, epoch: int, step: int) -> Step:
        """A closed step with all its parts.

        Raises:
            StoreMissing: a part is not there; the step is not closed.
        """
        answer, seal_body = await asyncio.gather(
            self.answer(agent, epoch, step), self._store.get(ids.seal_key(agent, epoch, step))
        )
        seal = SealRecord.model_validate_json(seal_body)
        stored = [
            sealed for sealed in seal.results if sealed.text is None and str(sealed.index) not in answer.rejections
        ]
        found = await asyncio.gather(*(self._result(agent, epoch, step, sealed) for sealed in stored))
        results = {sealed.index: result for sealed, result in zip(stored, found, strict=True)}
        return Step(answer=answer, results=results, seal=seal)

    async def view(self, agent: str, epoch: int, next_step: int, thinking: Literal["all", "none"] = "all") -> View:
        """The conversation of `epoch` before `next_step`, ready to send.

        Raises:
            StoreMissing: a step before `next_step` is not closed.
        """
        key = (agent, epoch, thinking)
        view = self._views.pop(key, None)
        if view is None or view.next_step > next_step:
            base = await self.base(agent, epoch)
            view = View(base=base, next_step=base.first_step)
            for message in base.messages:
                view.append(message)
        for step in await self._steps(agent, epoch, view.next_step, next_step):
            for message in (
                transcript.notes_message(step.answer.notes),
                transcript.assistant_message(step.answer, thinking),
            ):
                if message is not None:
                    view.append(message)
            view.append(transcript.user_message(step.answer, step.results, step.seal))
        view.next_step = next_step
        self._views.pop((agent, epoch - 1, thinking), None)  # a compacted epoch is not asked for again
        self._views[key] = view
        self._forget_old_views()
        return view

    async def people_messages(self, agent: str, epoch: int, next_step: int) -> tuple[str, ...]:
        """What people said in the steps of `epoch` before `next_step`, as the model read it, oldest first."""
        base = await self.base(agent, epoch)
        earlier = [
            block["text"]
            for block in base.messages[0]["content"]
            if str(block.get("text", "")).startswith("<message-from-person>")
        ]
        steps = await self._steps(agent, epoch, base.first_step, next_step)
        said = [notes.rendered(note) for step in steps for note in step.answer.notes if note.speaker is Speaker.PERSON]
        return (*earlier, *said)

    async def _steps(self, agent: str, epoch: int, first: int, end: int) -> list[Step]:
        steps: list[Step] = []
        for start in range(first, end, LOAD_AT_ONCE):
            numbers = range(start, min(start + LOAD_AT_ONCE, end))
            steps += await asyncio.gather(*(self.step(agent, epoch, number) for number in numbers))
        return steps

    async def _result(self, agent: str, epoch: int, step: int, sealed: SealedResult) -> ResultRecord:
        result = await self.find_result(agent, epoch, step, sealed.index, sealed.generation)
        if result is None:
            raise StoreMissing(f"step {step} of {agent} has no result {sealed.index}")
        return result

    async def _put(self, key: str, record: Record) -> Record:
        body = orjson.dumps(record.model_dump(mode="json", exclude_defaults=True))
        stored = await self._store.create(key, body)
        return record if stored is body else type(record).model_validate_json(stored)

    def _forget_old_views(self) -> None:
        total = sum(view.size_bytes for view in self._views.values())
        while total > self._views_limit_bytes and len(self._views) > 1:
            _, dropped = self._views.popitem(last=False)
            total -= dropped.size_bytes
