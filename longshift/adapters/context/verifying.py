"""Asks a model in a fresh context whether a task is done, and reads its verdict strictly.

What it is asked is `policy.verifier`'s, what follows from a verdict `policy.completion`'s. A verdict is stored once,
and never asked for again.
"""

import re
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from longshift.adapters.context.asker import Asker, Prompt
from longshift.adapters.context.sizes import overhead_tokens
from longshift.adapters.context.tab import Tab
from longshift.adapters.store import Store, Transcripts
from longshift.contracts import ids
from longshift.contracts.completion import Verdict
from longshift.contracts.errors import ProviderError
from longshift.contracts.model import ModelOutcome, ModelProfile
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import FINISH
from longshift.contracts.transcript import EpochBase
from longshift.contracts.verification import DiffRecord, VerdictDigest, VerdictRecord, VerifyInput
from longshift.policy import answers, context, provider, verifier

TRIES = 2
"""Answers that are no verdict, before that counts as a rejection."""
_FENCE = re.compile(r"\A```[a-z]*\s*\n(.*)\n```\Z", re.DOTALL)
_Line = Annotated[str, StringConstraints(max_length=20_000)]


class _Answer(BaseModel):
    """What a verifier has to answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    verdict: Literal["accept", "reject"]
    reasons: list[_Line] = Field(default=[], max_length=100)
    missing: list[_Line] = Field(default=[], max_length=100)


class Verifying:
    """Gets verdicts."""

    def __init__(self, store: Store, transcripts: Transcripts, asker: Asker) -> None:
        self._store = store
        self._transcripts = transcripts
        self._asker = asker

    async def verdict(self, profile: ModelProfile, request: VerifyInput, tab: Tab) -> VerdictDigest:
        """The verdict on a `finish`; a provider's failure is an outcome, with what was paid until then.

        Raises:
            StoreMissing: task, answer or changes are not in the store.
            StoreUnavailable: the store cannot be read or written.
        """
        key = f"{request.diff_key.removesuffix('-diff.json')}-verdict.json"
        body = await self._store.find(key)
        if body is None:
            try:
                verdict = await self._asked(profile, await self._evidence(request), request, tab)
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
        record = VerdictRecord.model_validate_json(body)
        return VerdictDigest(
            outcome=ModelOutcome.ANSWERED,
            verdict=record.verdict,
            **profile.prices.spent(record.usage, record.unknown),
        )

    async def _evidence(self, request: VerifyInput) -> verifier.Evidence:
        task = TaskSpec.model_validate_json(await self._store.get(ids.task_key(request.task_id)))
        diff = DiffRecord.model_validate_json(await self._store.get(request.diff_key))
        answer = await self._transcripts.answer(request.agent, request.epoch, request.step)
        summaries = [str(block["input"].get("summary", "")) for block in answer.content if block.get("name") == FINISH]
        return verifier.Evidence(
            task=task,
            diff=diff,
            checks=request.checks,
            proposed=request.proposed,
            claims=request.claims,
            summary=summaries[-1] if summaries else "",
        )

    async def _asked(
        self,
        profile: ModelProfile,
        evidence: verifier.Evidence,
        request: VerifyInput,
        tab: Tab,
    ) -> Verdict:
        shares = iter(verifier.DIFF_SHARES)
        share, tries = next(shares), 0
        while tries < TRIES:
            prompt = _prompt(profile, request.task_id, evidence, share, again=tries > 0)
            try:
                answer = await self._asker.ask(prompt, None, tab)
            except ProviderError as error:
                smaller = next(shares, None)
                if provider.outcome_of(error) is not ModelOutcome.OVERFLOW or smaller is None:
                    raise
                share = smaller
                continue
            tries += 1
            found = read_verdict(answers.text_of(answer.content), request.step, profile.name)
            if found is not None:
                return found
        return Verdict(step=request.step, accepted=False, profile=profile.name, unreadable=True)


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


def _prompt(profile: ModelProfile, task_id: str, evidence: verifier.Evidence, share: float, *, again: bool) -> Prompt:
    base = EpochBase(system=verifier.SYSTEM, tools=(), messages=(), first_step=1)
    message = orjson.dumps(verifier.question(evidence, share, again=again))
    tokens = overhead_tokens(base) + context.estimate_tokens(len(message))
    return Prompt(profile, task_id, base, [message], tokens, tokens)
