"""Asks a model in a fresh context for a verdict and reads it strictly; what is stored is not asked for again.

What it is asked is the business of whoever asks, and so is what follows from the verdict.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from longshift.adapters.context.asker import Asker, Prompt
from longshift.adapters.context.sizes import overhead_tokens
from longshift.adapters.context.tab import Tab
from longshift.adapters.store import Store
from longshift.contracts.completion import Verdict
from longshift.contracts.errors import ProviderError
from longshift.contracts.model import ModelOutcome, ModelProfile
from longshift.contracts.transcript import EpochBase, Message
from longshift.contracts.verification import VerdictDigest, VerdictRecord
from longshift.policy import answers, context, provider, verifier

TRIES = 2
"""Answers that are no verdict, before that counts as a rejection."""
_FENCE = re.compile(r"\A```[a-z]*\s*\n(.*)\n```\Z", re.DOTALL)
_Line = Annotated[str, StringConstraints(max_length=20_000)]
Size = TypeVar("Size")


class _Answer(BaseModel):
    """What a judge has to answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    verdict: Literal["accept", "reject"]
    reasons: list[_Line] = Field(default=[], max_length=100)
    missing: list[_Line] = Field(default=[], max_length=100)


@dataclass(frozen=True)
class Case(Generic[Size]):
    """What is to be judged."""

    task_id: str
    step: int
    system: str
    sizes: Sequence[Size]
    """How much is shown: the first one that fits the window."""
    question: Callable[[Size, bool], Message]
    """The one message; True: once more, after an answer that was no verdict."""


class Judging:
    """Gets verdicts."""

    def __init__(self, store: Store, asker: Asker) -> None:
        self._store = store
        self._asker = asker

    async def stored(self, profile: ModelProfile, key: str) -> VerdictDigest | None:
        """A verdict that was given before."""
        body = await self._store.find(key)
        return None if body is None else _digest(profile, VerdictRecord.model_validate_json(body))

    async def verdict(self, profile: ModelProfile, key: str, case: Case[Size], tab: Tab) -> VerdictDigest:
        """Ask, and keep the verdict; a provider's failure is an outcome, with what was paid until then.

        Raises:
            StoreUnavailable: the store cannot be read or written.
        """
        try:
            verdict = await self._asked(profile, case, tab)
        except ProviderError as error:
            return VerdictDigest(
                outcome=provider.outcome_of(error),
                detail=provider.detail_of(error),
                **profile.prices.spent(tab.booked.usage, tab.booked.unknown),
                retry_after_seconds=error.retry_after_seconds,
            )
        booked = tab.booked
        record = VerdictRecord(verdict=verdict, usage=booked.usage, unknown=booked.unknown, profile=profile.name)
        body = await self._store.create(key, orjson.dumps(record.model_dump(mode="json")))
        await self._store.settled()
        return _digest(profile, VerdictRecord.model_validate_json(body))

    async def _asked(self, profile: ModelProfile, case: Case[Size], tab: Tab) -> Verdict:
        sizes = iter(case.sizes)
        size, tries = next(sizes), 0
        while tries < TRIES:
            prompt = _prompt(profile, case, case.question(size, tries > 0))
            try:
                answer = await self._asker.ask(prompt, None, tab)
            except ProviderError as error:
                smaller = next(sizes, None)
                if provider.outcome_of(error) is not ModelOutcome.OVERFLOW or smaller is None:
                    raise
                size = smaller
                continue
            tries += 1
            found = read_verdict(answers.text_of(answer.content), case.step, profile.name)
            if found is not None:
                return found
        return Verdict(step=case.step, accepted=False, profile=profile.name, unreadable=True)


def read_verdict(text: str, step: int, profile: str) -> Verdict | None:
    """The verdict that an answer is, from its first character to its last; None where it is anything else.

    One that accepts and still names something missing contradicts itself, and is none.
    """
    fence = _FENCE.match(text.strip())
    try:
        answer = _Answer.model_validate_json(fence[1] if fence else text)
    except ValidationError:
        return None
    if answer.verdict == "accept" and answer.missing:
        return None
    return Verdict(
        step=step,
        accepted=answer.verdict == "accept",
        reasons=verifier.short(tuple(answer.reasons)),
        missing=verifier.short(tuple(answer.missing)),
        profile=profile,
    )


def _digest(profile: ModelProfile, record: VerdictRecord) -> VerdictDigest:
    return VerdictDigest(
        outcome=ModelOutcome.ANSWERED,
        verdict=record.verdict,
        **profile.prices.spent(record.usage, record.unknown),
    )


def _prompt(profile: ModelProfile, case: Case[Size], message: Message) -> Prompt:
    base = EpochBase(system=case.system, tools=(), messages=(), first_step=1)
    body = orjson.dumps(message)
    tokens = overhead_tokens(base) + context.estimate_tokens(len(body))
    return Prompt(profile, case.task_id, base, [body], tokens, tokens)
