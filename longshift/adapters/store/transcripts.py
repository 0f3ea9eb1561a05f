"""Transcripts in the store: bases, answers, results, seals; and views of them as ready request fragments.

A view is the serialised messages of one epoch up to a step. The worker keeps recent views and extends them by the
steps that are missing, so a step costs the same however long the session is; a cold worker loads all steps in parallel.
What a message looks like is decided in `policy.transcript`; nothing here knows the model or the engine.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import orjson

from longshift.adapters.store.objects import Store
from longshift.adapters.store.view import View
from longshift.contracts import ids
from longshift.contracts.errors import StoreMissing
from longshift.contracts.transcript import (
    AnswerRecord,
    CarriedSteps,
    EpochBase,
    Message,
    ResultRecord,
    SealedResult,
    SealInput,
    SealRecord,
)
from longshift.contracts.wire import Wire
from longshift.policy import transcript

VIEWS_BYTES = 64_000_000
"""Views beyond this many bytes in all are dropped, least recently used first."""
LOAD_AT_ONCE = 64

Record = TypeVar("Record", bound=Wire)
Thinking = Literal["all", "none"]
"""Whether historic thinking is sent back, as a profile says."""


@dataclass(frozen=True)
class Step:
    """One closed step."""

    answer: AnswerRecord
    results: dict[int, ResultRecord]
    seal: SealRecord


@dataclass(frozen=True)
class PlacedStep:
    """A closed step, where it was written, and how it is shown."""

    place: CarriedSteps
    """The range that it is one step of."""
    number: int
    step: Step

    @property
    def then(self) -> tuple[Message, ...]:
        """User messages that follow it."""
        return self.place.then if self.number == self.place.end_step - 1 else ()

    def messages(self, thinking: Thinking, *, foreign: bool = False) -> Iterator[Message]:
        """What it adds to a conversation; `foreign`: for a provider whose model did not write it."""
        yield from transcript.step_messages(
            self.step.answer,
            self.step.results,
            self.step.seal,
            thinking=thinking,
            cleared=self.place.cleared,
            foreign_step=self.number if foreign or self.place.foreign else None,
        )
        yield from self.then


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

    async def view(self, agent: str, epoch: int, next_step: int, thinking: Thinking = "all") -> View:
        """The conversation of `epoch` before `next_step`, ready to send.

        Raises:
            StoreMissing: a step before `next_step` is not closed.
        """
        key = (agent, epoch, thinking)
        view = self._views.pop(key, None)
        if view is None or view.next_step > next_step:
            view = await self._opened(agent, epoch, thinking)
        own = CarriedSteps(agent=agent, epoch=epoch, first_step=view.next_step, end_step=next_step)
        for placed in await self._steps(own):
            for message in placed.messages(thinking):
                view.append(message)
        view.next_step = next_step
        self._views.pop((agent, epoch - 1, thinking), None)  # a compacted epoch is not asked for again
        self._views[key] = view
        self._forget_old_views()
        return view

    async def foreign_view(self, agent: str, epoch: int, next_step: int) -> View:
        """The same conversation for a model of another provider; it is needed once, and not kept."""
        view = View(base=await self.base(agent, epoch), next_step=next_step)
        for message in view.base.messages:
            view.append(message)
        for placed in await self.steps(agent, epoch, next_step):
            for message in placed.messages("none", foreign=True):
                view.append(message)
        return view

    async def steps(self, agent: str, epoch: int, next_step: int) -> list[PlacedStep]:
        """The steps of the epoch's conversation before `next_step`, those that it carries first."""
        base = await self.base(agent, epoch)
        own = CarriedSteps(agent=agent, epoch=epoch, first_step=base.first_step, end_step=next_step)
        return [placed for place in (*base.carried, own) for placed in await self._steps(place)]

    async def _opened(self, agent: str, epoch: int, thinking: Thinking) -> View:
        base = await self.base(agent, epoch)
        view = View(base=base, next_step=base.first_step)
        for message in base.messages:
            view.append(message)
        for place in base.carried:
            for placed in await self._steps(place):
                for message in placed.messages(thinking):
                    view.append(message)
        return view

    async def _steps(self, place: CarriedSteps) -> list[PlacedStep]:
        placed: list[PlacedStep] = []
        for start in range(place.first_step, place.end_step, LOAD_AT_ONCE):
            numbers = range(start, min(start + LOAD_AT_ONCE, place.end_step))
            found = await asyncio.gather(*(self.step(place.agent, place.epoch, number) for number in numbers))
            placed += [PlacedStep(place, number, step) for number, step in zip(numbers, found, strict=True)]
        return placed

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
