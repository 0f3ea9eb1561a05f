"""Model calls: a transcript becomes a request, the answer is checked and stored, the workflow gets a digest.

A stored answer is never asked for again. What a failure means is decided in `policy.provider`, when to compact in
`policy.context`; how an answer is streamed, retried and limited is the adapter's business.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from temporalio import activity

from activities.heartbeat import Progress, heartbeating
from longshift.adapters.calls import check_calls
from longshift.adapters.model import ModelAnswer, ModelClient, ModelRequest, StreamProgress, complete_with_patience
from longshift.adapters.store import Store, Transcripts
from longshift.contracts import ids
from longshift.contracts.activities import CallModelInput, ModelActivities, WriteHandoffInput
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome, ModelProfile, Usage
from longshift.contracts.tools import TOOL_ARGUMENTS
from longshift.contracts.transcript import AnswerRecord, EpochBase, HandoffRecord
from longshift.policy import answers, context, prompt, provider, trimming
from longshift.policy.transcript import notes_message

PATIENCE_SECONDS = 120.0
"""How long one activity retries a provider's trouble by itself; longer waits are the workflow's, with an alert."""
HANDOFF_TRIES = 3
_ASSISTANT = b'{"role":"assistant"'
"""How each answer of a view begins; the results between them, most of the bytes, hold no calls."""


@dataclass(frozen=True)
class _Prompt:
    """What is sent, apart from the output limit."""

    profile: ModelProfile
    task_id: str
    base: EpochBase
    messages: Sequence[bytes]
    tokens: int
    """The estimate of its size."""


class Models(ModelActivities):
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
        self._client = client
        self._store = store
        self._transcripts = transcripts
        self._profiles = profiles
        self._patience_seconds = patience_seconds
        self._jitter = jitter or random.Random()
        self._learnt_windows: dict[str, int] = {}
        """By profile, where an overflow told a smaller one than the profile's; a new worker learns it again."""

    @activity.defn
    async def call_model(self, request: CallModelInput) -> ModelDigest:
        """Ask for the next step; seal and answer are safe from a power cut when this returns."""
        if request.seal is not None:
            await self._transcripts.put_seal(request.seal)
        digest = await self._outcome(request)
        await self._store.settled()
        return digest

    async def _outcome(self, request: CallModelInput) -> ModelDigest:
        profile = self._profiles.get(request.profile)
        if profile is None:
            return ModelDigest(outcome=ModelOutcome.MISCONFIGURED, detail=self._unknown_profile(request.profile))
        answer = await self._transcripts.find_answer(request.agent, request.epoch, request.step)
        if answer is None:
            try:
                answer = await self._answer(profile, request)
            except ProviderError as error:
                return ModelDigest(
                    outcome=provider.outcome_of(error),
                    detail=provider.detail_of(error),
                    window_tokens=error.window_tokens or self._fitted(profile).window_tokens,
                    retry_after_seconds=error.retry_after_seconds,
                )
        return _digest(self._fitted(profile), answer)

    async def _answer(self, profile: ModelProfile, request: CallModelInput) -> AnswerRecord:
        view = await self._transcripts.view(request.agent, request.epoch, request.step, profile.thinking_replay)
        messages = view.with_user(notes_message(request.notes))
        tokens = request.context_tokens or _overhead_tokens(view.base) + context.estimate_tokens(view.size_bytes)
        tokens += context.estimate_tokens(sum(len(note.text) for note in request.notes))
        asked = _Prompt(profile, request.task_id, view.base, messages, tokens)
        progress = Progress()
        async with heartbeating(progress):
            answer, usage = await self._whole_answer(asked, progress)
        checked = check_calls(
            answer.content,
            answer.raw_inputs,
            TOOL_ARGUMENTS,
            is_used=lambda call_id: _is_used(call_id, messages),
            step=request.step,
        )
        record = AnswerRecord(
            content=checked.content,
            stop_reason=answer.stop_reason,
            calls=checked.calls,
            usage=usage,
            context_tokens=(answer.usage.prompt_tokens or tokens) + answer.usage.output_tokens,
            model=answer.model,
            notes=request.notes,
            rejections=checked.rejections,
            truncated=answers.is_cut_in_call(answer.stop_reason, answer.content),
            leaked=checked.leaked,
        )
        return await self._transcripts.put_answer(
            request.agent, request.epoch, request.step, answers.without_cut_call(record)
        )

    async def _whole_answer(self, asked: _Prompt, progress: Progress) -> tuple[ModelAnswer, Usage]:
        """An answer that was cut inside a call is asked for once more, with all the room there is."""
        answer = await self._ask(asked, None, progress)
        usage = answer.usage
        if answers.is_cut_in_call(answer.stop_reason, answer.content):
            answer = await self._ask(asked, asked.profile.output_limit_tokens, progress)
            usage = usage + answer.usage
        return answer, usage

    async def _ask(self, asked: _Prompt, wanted_tokens: int | None, progress: Progress) -> ModelAnswer:
        profile = self._fitted(asked.profile)
        size_bytes = sum(map(len, asked.messages))
        if size_bytes > profile.body_limit_bytes:
            text = f"the request has {size_bytes} bytes; {profile.name} takes {profile.body_limit_bytes}"
            raise ProviderError(ProviderFailure.TOO_LARGE, text)
        request = ModelRequest(
            system=asked.base.system,
            tools=asked.base.tools,
            messages=asked.messages,
            max_tokens=context.output_tokens(profile, asked.tokens, wanted_tokens),
            prompt_tokens_estimate=asked.tokens,
            user_id=asked.task_id,
        )

        def on_progress(made: StreamProgress) -> None:
            progress.report(f"{made.characters} characters")

        def on_retry(error: ProviderError, delay_seconds: float) -> None:
            progress.report(f"{provider.detail_of(error)}; asking again in {delay_seconds:.0f} s")

        try:
            answer = await complete_with_patience(
                self._client,
                profile,
                request,
                on_progress,
                patience_seconds=self._patience_seconds,
                random=self._jitter,
                on_retry=on_retry,
            )
        except ProviderError as error:
            if not self._learns(profile, error) or not self._has_room(asked, request.max_tokens):
                raise
            return await self._ask(asked, wanted_tokens, progress)
        if answer.stop_reason == "refusal":
            raise ProviderError(ProviderFailure.REFUSED, "the model refused to answer", request_id=answer.request_id)
        return answer

    def _learns(self, profile: ModelProfile, error: ProviderError) -> bool:
        """Whether an overflow told a smaller window than was known, which is kept."""
        if error.window_tokens is None or error.window_tokens >= profile.window_tokens:
            return False
        self._learnt_windows[profile.name] = error.window_tokens
        return True

    def _has_room(self, asked: _Prompt, max_tokens: int) -> bool:
        """Whether the prompt fits the window as it is known now, with less output than `max_tokens`."""
        fitted = self._fitted(asked.profile)
        less = context.output_tokens(fitted, asked.tokens, max_tokens)
        return less < max_tokens and asked.tokens + less <= fitted.window_tokens

    def _fitted(self, profile: ModelProfile) -> ModelProfile:
        """The profile with the window that the provider really has."""
        learnt = self._learnt_windows.get(profile.name, profile.window_tokens)
        return profile.model_copy(update={"window_tokens": learnt}) if learnt < profile.window_tokens else profile

    @activity.defn
    async def write_handoff(self, request: WriteHandoffInput) -> HandoffDigest:
        """Ask for a hand-off note; between epochs, open the next one with it."""
        profile = self._profiles.get(request.profile)
        if profile is None:
            return HandoffDigest(outcome=ModelOutcome.MISCONFIGURED, detail=self._unknown_profile(request.profile))
        try:
            progress = Progress()
            async with heartbeating(progress):
                return await self._handed_off(profile, request, progress)
        except ProviderError as error:
            return HandoffDigest(
                outcome=provider.outcome_of(error),
                detail=provider.detail_of(error),
                epoch=request.epoch,
                retry_after_seconds=error.retry_after_seconds,
            )

    async def _handed_off(self, profile: ModelProfile, request: WriteHandoffInput, progress: Progress) -> HandoffDigest:
        record = await self._find_handoff(request)
        if record is None:
            note, usage = await self._note(profile, request, progress)
            record = HandoffRecord(note=note, step=request.step, reason=request.reason, usage=usage)
            record = await self._keep_handoff(request, record)
            await self._store.settled()
        base_tokens = 0
        if not request.final:
            base = await self._transcripts.base(request.agent, request.epoch + 1)
            base_tokens = _base_tokens(base)
        return HandoffDigest(
            outcome=ModelOutcome.ANSWERED,
            epoch=request.epoch if request.final else request.epoch + 1,
            usage=record.usage,
            cost_usd=profile.prices.cost_usd(record.usage),
            context_tokens=base_tokens,
            note=record.note[:500],
        )

    async def _find_handoff(self, request: WriteHandoffInput) -> HandoffRecord | None:
        if request.final:
            body = await self._store.find(ids.handoff_key(request.agent))
            return HandoffRecord.model_validate_json(body) if body else None
        body = await self._store.find(ids.base_key(request.agent, request.epoch + 1))
        return EpochBase.model_validate_json(body).handoff if body else None

    async def _keep_handoff(self, request: WriteHandoffInput, record: HandoffRecord) -> HandoffRecord:
        if request.final:
            body = await self._store.create(
                ids.handoff_key(request.agent), orjson.dumps(record.model_dump(mode="json"))
            )
            return HandoffRecord.model_validate_json(body)
        first = await self._transcripts.base(request.agent, 1)
        people = await self._transcripts.people_messages(request.agent, request.epoch, request.step)
        opening = prompt.epoch_messages(first.messages, people, request.plan, request.changed_files, record.note)
        base = first.model_copy(update={"messages": opening, "first_step": request.step, "handoff": record})
        stored = await self._transcripts.put_base(request.agent, request.epoch + 1, base)
        return stored.handoff or record

    async def _note(self, profile: ModelProfile, request: WriteHandoffInput, progress: Progress) -> tuple[str, Usage]:
        """The note's text, asked on the live prefix; where that leaves too little room, with old results cleared.

        A model that never writes a whole note is taken at the longest words it had.
        """
        view = await self._transcripts.view(request.agent, request.epoch, request.step, profile.thinking_replay)
        usage, shares, longest, wanted = Usage(), iter(trimming.CLEARED_SHARES), "", None
        messages: Sequence[bytes] = view.with_user(prompt.handoff_message())
        tokens = request.context_tokens or _base_tokens(view.base)
        for _ in range(HANDOFF_TRIES + len(trimming.CLEARED_SHARES)):
            share = None
            try:
                asked = _Prompt(profile, request.task_id, view.base, messages, tokens)
                answer = await self._ask(asked, wanted, progress)
            except ProviderError as error:
                share = next(shares, None)
                if provider.outcome_of(error) is not ModelOutcome.OVERFLOW or share is None:
                    raise
            else:
                usage = usage + answer.usage
                checked = check_calls(answer.content, answer.raw_inputs, TOOL_ARGUMENTS)
                note = answers.text_of(checked.content)
                if answers.is_whole_note(answer.stop_reason, checked.content) and not checked.leaked:
                    return note, usage
                longest = max(longest, note, key=len)
                if answers.is_cut(answer.stop_reason):
                    share = next(shares, None) if wanted else None
                    wanted = profile.output_limit_tokens
            if share is not None:
                messages = trimming.with_cleared_results(messages, share, orjson.loads, orjson.dumps)
                tokens = _overhead_tokens(view.base) + context.estimate_tokens(sum(map(len, messages)))
        if longest:
            return longest, usage
        raise ProviderError(ProviderFailure.INCOMPLETE, "the model wrote no hand-off note")

    def _unknown_profile(self, name: str) -> str:
        return f"model: no profile is named {name!r}; this worker knows {', '.join(sorted(self._profiles))}"


def _is_used(call_id: str, messages: Sequence[bytes]) -> bool:
    """Whether a call of the conversation has this id; arguments that look like one count too, which does no harm."""
    written = b'"id":' + orjson.dumps(call_id)
    return any(message.startswith(_ASSISTANT) and written in message for message in messages)


def _digest(profile: ModelProfile, answer: AnswerRecord) -> ModelDigest:
    usage = answer.usage
    return ModelDigest(
        outcome=ModelOutcome.TRUNCATED if answer.truncated else ModelOutcome.ANSWERED,
        stop_reason="leaked" if answer.leaked and not answer.calls else answer.stop_reason,
        calls=answer.calls,
        usage=usage,
        cost_usd=profile.prices.cost_usd(usage),
        context_tokens=answer.context_tokens or answer.usage.total_tokens,
        window_tokens=profile.window_tokens,
        delivered_notes=len(answer.notes),
        text=answers.last_word(answer.content)[: answers.LAST_WORD_CHARACTERS],
    )


def _overhead_tokens(base: EpochBase) -> int:
    return context.estimate_tokens(len(base.system) + len(orjson.dumps(base.tools)))


def _base_tokens(base: EpochBase) -> int:
    return _overhead_tokens(base) + context.estimate_tokens(len(orjson.dumps(base.messages)))
