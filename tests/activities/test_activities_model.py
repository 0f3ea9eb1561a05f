"""Model activities: what is sent, stored and told, over a real store and the real client with scripted responses."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.model import Models
from longshift.adapters.store import Transcripts, open_store
from longshift.contracts.activities import CallModelInput, WriteHandoffInput
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome
from longshift.contracts.transcript import EpochBase, Note, SealedResult, SealInput, Speaker
from longshift.policy.prompt import handoff_message
from longshift.policy.transcript import violations
from tests.adapters.model.model_wire import (
    call_block,
    client_over,
    ended,
    event,
    profile_of,
    started,
    stream_response,
    text_block,
)

AGENT = "t/lead"
OPENING = {"role": "user", "content": [{"type": "text", "text": "task"}]}
TOOLS = ({"name": "bash"},)
OVERFLOW = "Invalid request: Your request exceeded model token limit: 50000 (requested: 60000)"

Body = dict[str, Any]


class Rig:
    """One agent's activities; `answers` come in order, the last one for ever."""

    def __init__(self, *answers: bytes | httpx.Response | Callable[[Body], bytes], **profile: Any) -> None:
        self.sent: list[Body] = []
        self._answers: Sequence[bytes | httpx.Response | Callable[[Body], bytes]] = answers
        store = open_store("memory://")
        self.transcripts = Transcripts(store)
        self.models = Models(
            client_over(self._respond), store, self.transcripts, {"test": profile_of(**profile)}, patience_seconds=0
        )

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        answer = self._answers[min(len(self.sent), len(self._answers)) - 1]
        if isinstance(answer, httpx.Response):
            return answer
        return stream_response(answer if isinstance(answer, bytes) else answer(self.sent[-1]))

    async def call(self, step: int = 1, **fields: Any) -> ModelDigest:
        base = EpochBase(system="s", tools=TOOLS, messages=(OPENING,), first_step=1)
        await self.transcripts.put_base(AGENT, 1, base)
        asked = CallModelInput(
            agent=AGENT, task_id="t", profile="test", epoch=1, epoch_first_step=1, step=step, **fields
        )
        return await ActivityEnvironment().run(self.models.call_model, asked)

    async def handoff(self, **fields: Any) -> HandoffDigest:
        await self.transcripts.put_base(AGENT, 1, EpochBase(system="s", tools=TOOLS, messages=(OPENING,), first_step=1))
        asked = WriteHandoffInput(
            agent=AGENT, task_id="t", profile="test", epoch=1, epoch_first_step=1, step=1, final=True, **fields
        )
        return await ActivityEnvironment().run(self.models.write_handoff, asked)


def bash(call_id: str, *, stop_reason: str = "tool_use", arguments: str = '{"command":"ls"}') -> bytes:
    return started(input_tokens=100) + call_block(0, call_id, "bash", arguments) + ended(stop_reason, output_tokens=10)


def words(text: str, stop_reason: str = "end_turn") -> bytes:
    return started(input_tokens=100) + text_block(0, text) + ended(stop_reason, output_tokens=10)


def refused(message: str) -> httpx.Response:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    return httpx.Response(400, json=error)


def sealed(step: int, digest: ModelDigest) -> SealInput:
    results = tuple(SealedResult(call_id=call.call_id, index=call.index, text="out") for call in digest.calls)
    return SealInput(agent=AGENT, epoch=1, step=step, results=results)


@pytest.mark.parametrize("call_id", ["functions.bash:0", ""])
async def test_an_id_that_a_model_uses_again_in_a_later_step_is_told_apart(call_id: str) -> None:
    rig = Rig(bash(call_id))
    digest = await rig.call(1)
    for step in range(2, 6):
        digest = await rig.call(step, seal=sealed(step - 1, digest))
    assert [] == violations(rig.sent[-1]["messages"])
    first = rig.sent[-1]["messages"][1]["content"][0]["id"]
    assert first == (call_id or "call_0")


async def test_an_answer_that_was_asked_for_twice_fills_the_context_once_and_is_paid_twice() -> None:
    rig = Rig(bash("a", stop_reason="max_tokens", arguments='{"comm'), bash("b"))
    digest = await rig.call()
    assert (110, 220) == (digest.context_tokens, digest.usage.total_tokens)


async def test_messages_that_go_with_a_call_count_when_the_output_is_fitted_to_the_window() -> None:
    rig = Rig(words("ok"), window_tokens=20_000, max_output_tokens=9_000, output_limit_tokens=9_000)
    await rig.call(context_tokens=10_000, notes=(Note(speaker=Speaker.PERSON, text="x" * 30_000),))
    assert rig.sent[0]["max_tokens"] + 10_000 + 7_500 <= 20_000


async def test_the_window_learnt_from_an_overflow_holds_for_the_calls_after_it() -> None:
    rig = Rig(refused(OVERFLOW), words("ok"), max_output_tokens=20_000, output_limit_tokens=20_000)
    overflow = await rig.call(context_tokens=60_000)
    assert (ModelOutcome.OVERFLOW, 50_000, 1) == (overflow.outcome, overflow.window_tokens, len(rig.sent))
    answered = await rig.call(context_tokens=40_000)
    assert (ModelOutcome.ANSWERED, 50_000) == (answered.outcome, answered.window_tokens)
    assert rig.sent[1]["max_tokens"] <= 10_000


async def test_a_prompt_that_fits_the_learnt_window_is_asked_again_with_less_output() -> None:
    rig = Rig(refused(OVERFLOW), words("ok"), max_output_tokens=20_000, output_limit_tokens=20_000)
    digest = await rig.call(context_tokens=40_000)
    assert (ModelOutcome.ANSWERED, 50_000) == (digest.outcome, digest.window_tokens)
    assert [20_000, 8_000] == [body["max_tokens"] for body in rig.sent]


async def test_a_window_that_is_not_smaller_than_thought_is_an_overflow_at_once() -> None:
    rig = Rig(refused(OVERFLOW), window_tokens=50_000)
    digest = await rig.call(context_tokens=40_000)
    assert (ModelOutcome.OVERFLOW, 1) == (digest.outcome, len(rig.sent))


async def test_the_estimate_stands_in_where_a_provider_counts_no_prompt() -> None:
    rig = Rig(event("message_start", message={}) + text_block(0, "ok") + ended(output_tokens=10))
    assert 40_010 == (await rig.call(context_tokens=40_000)).context_tokens


async def test_a_hand_off_that_the_model_refuses_to_write_is_made_of_the_record() -> None:
    rig = Rig(words("I cannot help with that.", "refusal"))
    digest = await rig.handoff()
    assert (ModelOutcome.ANSWERED, True) == (digest.outcome, digest.by_runner)
    assert "refused to answer" in digest.note


async def test_words_beside_a_call_are_no_hand_off_note() -> None:
    both = started() + text_block(0, "Let me look first.") + call_block(1, "a", "bash", "{}") + ended("tool_use")
    rig = Rig(both, words("Done: everything."))
    assert "Done: everything." == (await rig.handoff()).note


async def test_a_model_that_never_stops_calling_is_taken_at_its_words() -> None:
    both = started() + text_block(0, "All is done.") + call_block(1, "a", "bash", "{}") + ended("tool_use")
    digest = await Rig(both).handoff()
    assert (ModelOutcome.ANSWERED, "All is done.") == (digest.outcome, digest.note)


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
async def test_a_hand_off_note_that_was_cut_is_asked_for_with_more_room(reason: str) -> None:
    rig = Rig(
        lambda body: words("whole") if body["max_tokens"] > 2_000 else words("cut of", reason),
        max_output_tokens=2_000,
        output_limit_tokens=8_000,
    )
    digest = await rig.handoff()
    assert ("whole", 8_000) == (digest.note, rig.sent[-1]["max_tokens"])


async def test_a_hand_off_note_without_room_in_the_window_gets_it_from_old_results() -> None:
    thinking = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "Well,"})
    only_thinking = started() + thinking + ended("max_tokens")
    rig = Rig(lambda body: words("whole") if body["max_tokens"] > 1_024 else only_thinking)
    digest = await rig.handoff(context_tokens=199_000)
    assert (ModelOutcome.ANSWERED, "whole") == (digest.outcome, digest.note)
    assert rig.sent[-1]["messages"][-1]["content"][-1:] == handoff_message(again=True)["content"]


async def test_a_hand_off_note_never_carries_call_syntax_into_the_next_prompt() -> None:
    leaked = words("I look first. <|tool_call_begin|>functions.bash:0<|tool_call_end|>")
    assert "whole" == (await Rig(leaked, words("whole")).handoff()).note
    assert "<|" not in (await Rig(leaked).handoff()).note


async def test_a_tool_that_the_agent_was_not_given_is_refused_in_its_answer() -> None:
    called = call_block(0, "c1", "delegate", '{"goal":"All."}')
    rig = Rig(started(input_tokens=100) + called + ended("tool_use", output_tokens=10))
    digest = await rig.call()
    (call,) = digest.calls
    assert call.rejected
    answer = await rig.transcripts.answer(AGENT, 1, 1)
    assert "there is no tool delegate" in answer.rejections["0"]
