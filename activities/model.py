"""Model calls: a transcript becomes a request, the answer is checked and stored, the workflow gets a digest.

A stored answer is never asked for again. What a failure means is decided in `policy.provider`, when to compact in
`policy.context`; how an answer is streamed, retried and limited is the adapter's business.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson
from temporalio import activity

from activities.heartbeat import Progress, heartbeating, tab_of_attempt
from longshift.adapters.calls import check_calls
from longshift.adapters.context import (
    Asker,
    Compactor,
    Criticising,
    Judging,
    Prompt,
    Tab,
    Undoing,
    Verifying,
    most_of,
    overhead_bytes,
    view_tokens,
)
from longshift.adapters.model import ModelAnswer, ModelClient
from longshift.adapters.store import Store, Transcripts, View
from longshift.contracts.activities import CallModelInput, ModelActivities, WriteHandoffInput
from longshift.contracts.errors import ProviderError
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome, ModelProfile
from longshift.contracts.rollback import ConversationRolledBack, RollBackConversationInput
from longshift.contracts.swarm_activities import CriticisePlanInput, SwarmModelActivities
from longshift.contracts.tools import TOOL_ARGUMENTS, ToolArguments
from longshift.contracts.transcript import AnswerRecord
from longshift.contracts.verification import VerdictDigest, VerifyInput
from longshift.policy import answers, context, provider
from longshift.policy.transcript import notes_message

Judged = TypeVar("Judged", VerifyInput, CriticisePlanInput)

PATIENCE_SECONDS = 120.0
"""How long one activity retries a provider's trouble by itself; longer waits are the workflow's, with an alert."""
_ASSISTANT = b'{"role":"assistant"'
"""How each answer of a view begins; the results between them, most of the bytes, hold no calls."""


class Models(ModelActivities, SwarmModelActivities):
    """Calls the providers that `profiles` describe."""

    def __init__(
        self,
        client: ModelClient,
        store: Store,
        transcripts: Transcripts,
        profiles: Mapping[str, ModelProfile],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        jitter: random.Random | None = None,
    ) -> None:
        self._store = store
        self._transcripts = transcripts
        self._profiles = profiles
        self._asker = Asker(client, patience_seconds=patience_seconds, jitter=jitter or random.Random())
        self._compactor = Compactor(store, transcripts, self._asker)
        self._undoing = Undoing(store, transcripts)
        judging = Judging(store, self._asker)
        self._verifying = Verifying(store, transcripts, judging)
        self._criticising = Criticising(store, judging)

    @activity.defn
    async def call_model(self, request: CallModelInput) -> ModelDigest:
        """Ask for the next step; seal and answer are safe from a power cut when this returns."""
        tab = tab_of_attempt()
        async with heartbeating(tab, tells_end=True):
            if request.seal is not None:
                await self._transcripts.put_seal(request.seal)
            digest = await self._outcome(request, tab)
            await self._store.settled()
        return digest

    async def _outcome(self, request: CallModelInput, tab: Tab) -> ModelDigest:
        profile = self._profiles.get(request.profile)
        if profile is None:
            return ModelDigest(outcome=ModelOutcome.MISCONFIGURED, detail=self._unknown_profile(request.profile))
        self._asker.learn_window(profile, request.learnt_window_tokens)
        tab.limit(profile.prices, request.left)
        answer = await self._transcripts.find_answer(request.agent, request.epoch, request.step)
        is_own = True
        if answer is None:
            try:
                asked = await self._answer(profile, request, tab)
                answer = await self._transcripts.put_answer(request.agent, request.epoch, request.step, asked)
                is_own = answer == asked
            except ProviderError as error:
                fitted = self._asker.fitted(profile)
                return ModelDigest(
                    outcome=provider.outcome_of(error),
                    detail=provider.detail_of(error),
                    window_tokens=error.window_tokens or fitted.window_tokens,
                    learnt_window_tokens=_learnt_window(profile, fitted),
                    body_limit_bytes=fitted.body_limit_bytes,
                    retry_after_seconds=error.retry_after_seconds,
                    reserve=self._asker.reserve(profile, request.context_tokens),
                    throttled=tab.booked.throttled,
                    **_spent(profile, tab),
                )
        digest = _digest(profile, self._asker.fitted(profile), answer)
        if not is_own:  # an attempt that was given up stored its answer first: both are paid
            digest = _with_spent(profile, digest, tab)
        reserve = self._asker.reserve(profile, digest.context_tokens)
        return digest.model_copy(update={"reserve": reserve, "throttled": tab.booked.throttled})

    async def _answer(self, profile: ModelProfile, request: CallModelInput, tab: Tab) -> AnswerRecord:
        view = await self._transcripts.view(request.agent, request.epoch, request.step, profile.thinking_replay)
        asked = self._prompt(profile, request, view)
        answer = await self._whole_answer(asked, tab)
        checked = check_calls(
            answer.content,
            answer.raw_inputs,
            _offered(view),
            is_used=lambda call_id: _is_used(call_id, asked.messages),
            step=request.step,
            autonomy=request.autonomy,
        )
        answer_bytes = len(orjson.dumps(checked.content))
        record = AnswerRecord(
            content=checked.content,
            stop_reason=answer.stop_reason,
            calls=checked.calls,
            usage=tab.booked.usage,
            unknown=tab.booked.unknown,
            context_tokens=(answer.usage.prompt_tokens or asked.tokens) + answer.usage.output_tokens,
            context_bytes=asked.size_bytes + answer_bytes,
            bytes_per_token=context.measured_bytes_per_token(
                asked.size_bytes + overhead_bytes(asked.base), answer.usage.prompt_tokens
            ),
            model=answer.model,
            profile=profile.name,
            notes=request.notes,
            rejections=checked.rejections,
            truncated=answers.is_cut_in_call(answer.stop_reason, answer.content),
            leaked=checked.leaked,
        )
        return answers.without_cut_call(record)

    def _prompt(self, profile: ModelProfile, request: CallModelInput, view: View) -> Prompt:
        tokens, estimated = request.context_tokens, request.estimated_tokens
        if not tokens:
            tokens = estimated = view_tokens(view, request.bytes_per_token)
        said = context.estimate_tokens(sum(len(note.text) for note in request.notes), request.bytes_per_token)
        messages = view.with_user(notes_message(request.notes))
        return Prompt(profile, request.task_id, view.base, messages, tokens + said, estimated + said)

    async def _whole_answer(self, asked: Prompt, tab: Tab) -> ModelAnswer:
        """An answer that was cut inside a call is asked for once more, with all the room there is, and the budget has.

        Both are paid.
        """
        answer = await self._asker.ask(asked, None, tab)
        room = asked.profile.output_limit_tokens
        if answers.is_cut_in_call(answer.stop_reason, answer.content) and tab.affords(most_of(asked, room)):
            answer = await self._asker.ask(asked, room, tab)
        return answer

    @activity.defn
    async def write_handoff(self, request: WriteHandoffInput) -> HandoffDigest:
        """Make room and open the next epoch, or write the last note."""
        profile = self._profiles.get(request.profile)
        if profile is None:
            return HandoffDigest(outcome=ModelOutcome.MISCONFIGURED, detail=self._unknown_profile(request.profile))
        self._asker.learn_window(profile, request.learnt_window_tokens)
        write = self._compactor.last_note if request.final else self._compactor.compact
        tab = tab_of_attempt()
        try:
            async with heartbeating(tab, tells_end=True):
                return await write(profile, request, tab)
        except ProviderError as error:
            return HandoffDigest(
                outcome=provider.outcome_of(error),
                detail=provider.detail_of(error),
                epoch=request.epoch,
                retry_after_seconds=error.retry_after_seconds,
                **_spent(profile, tab),
            )

    @activity.defn
    async def roll_back_conversation(self, request: RollBackConversationInput) -> ConversationRolledBack:
        """Open the next epoch with the conversation as it was after an earlier step."""
        profile = self._profiles.get(request.profile)
        async with heartbeating(Progress()):
            return await self._undoing.back(request, with_thinking=profile is None or profile.thinking_replay == "all")

    @activity.defn
    async def verify(self, request: VerifyInput) -> VerdictDigest:
        """Ask in a fresh context whether the task is done."""
        return await self._judged(request, self._verifying.verdict)

    @activity.defn
    async def criticise_plan(self, request: CriticisePlanInput) -> VerdictDigest:
        """Ask in a fresh context whether a swarm's plan may be carried out."""
        return await self._judged(request, self._criticising.verdict)

    async def _judged(
        self, request: Judged, verdict: Callable[[ModelProfile, Judged, Tab], Awaitable[VerdictDigest]]
    ) -> VerdictDigest:
        profile = self._profiles.get(request.profile)
        if profile is None:
            return VerdictDigest(outcome=ModelOutcome.MISCONFIGURED, detail=self._unknown_profile(request.profile))
        tab = tab_of_attempt()
        async with heartbeating(tab, tells_end=True):
            return await verdict(profile, request, tab)

    def _unknown_profile(self, name: str) -> str:
        return f"model: no profile is named {name!r}; this worker knows {', '.join(sorted(self._profiles))}"


def _offered(view: View) -> dict[str, type[ToolArguments]]:
    """The tools that the conversation began with: no others are called in it."""
    names = {tool["name"] for tool in view.base.tools}
    return {name: arguments for name, arguments in TOOL_ARGUMENTS.items() if name in names}


def _is_used(call_id: str, messages: Sequence[bytes]) -> bool:
    """Whether a call of the conversation has this id; arguments that look like one count too, which does no harm."""
    written = b'"id":' + orjson.dumps(call_id)
    return any(message.startswith(_ASSISTANT) and written in message for message in messages)


def _spent(profile: ModelProfile, tab: Tab) -> dict[str, Any]:
    """What was paid for no answer at all."""
    return profile.prices.spent(tab.booked.usage, tab.booked.unknown)


def _with_spent(profile: ModelProfile, digest: ModelDigest, tab: Tab) -> ModelDigest:
    more = ModelDigest(outcome=digest.outcome, **_spent(profile, tab))
    return digest.model_copy(
        update={
            "usage": digest.usage + more.usage,
            "cost_usd": digest.cost_usd + more.cost_usd,
            "unknown": digest.unknown + more.unknown,
            "unknown_usd": digest.unknown_usd + more.unknown_usd,
        }
    )


def _digest(profile: ModelProfile, fitted: ModelProfile, answer: AnswerRecord) -> ModelDigest:
    return ModelDigest(
        outcome=ModelOutcome.TRUNCATED if answer.truncated else ModelOutcome.ANSWERED,
        stop_reason="leaked" if answer.leaked and not answer.calls else answer.stop_reason,
        calls=answer.calls,
        **profile.prices.spent(answer.usage, answer.unknown),
        context_tokens=answer.context_tokens or answer.usage.total_tokens,
        context_bytes=answer.context_bytes,
        bytes_per_token=answer.bytes_per_token,
        window_tokens=fitted.window_tokens,
        learnt_window_tokens=_learnt_window(profile, fitted),
        body_limit_bytes=fitted.body_limit_bytes,
        delivered_notes=len(answer.notes),
        text=answers.last_word(answer.content)[: answers.LAST_WORD_CHARACTERS],
    )


def _learnt_window(profile: ModelProfile, fitted: ModelProfile) -> int:
    return fitted.window_tokens if fitted.window_tokens < profile.window_tokens else 0
