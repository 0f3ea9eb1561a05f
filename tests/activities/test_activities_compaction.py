"""Compaction over a real store and the real client: what the next epoch holds, and what it does when things fail."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from temporalio.testing import ActivityEnvironment

from activities.model import Models
from longshift.adapters.store import Transcripts, open_store
from longshift.contracts import ids
from longshift.contracts.activities import CallModelInput, WriteHandoffInput
from longshift.contracts.agent import AgentLimits
from longshift.contracts.model import CallDigest, HandoffDigest, ModelDigest, ModelOutcome, ToolClass, Usage
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import Job
from longshift.contracts.transcript import (
    AnswerRecord,
    EpochBase,
    EpochCause,
    Note,
    ResultRecord,
    SealedResult,
    SealInput,
    Speaker,
)
from longshift.contracts.workspace import Workspace
from longshift.policy.transcript import violations
from tests.adapters.model.model_wire import (
    call_block,
    client_over,
    ended,
    profile_of,
    started,
    stream_response,
    text_block,
)

AGENT = "t/lead"
TASK = TaskSpec(id="t", title="Mend it", instructions="Mend the parser.", constraints=("Keep the API.",))
WORKSPACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w/new")
OPENING = {"role": "user", "content": [{"type": "text", "text": "the task as it was said first"}]}
NOTE = started(input_tokens=100) + text_block(0, "Half is done.") + ended("end_turn", output_tokens=10)
BUSY = started() + text_block(0, "Let me look.") + call_block(1, "a", "bash", "{}") + ended("tool_use")

Response = bytes | httpx.Response | Callable[[dict[str, Any]], "bytes | httpx.Response"]


class Rig:
    """An agent with closed steps in a store; `responses` come in order, the last one for ever."""

    def __init__(self, *responses: Response, **profile: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        self.agent = AGENT
        self._responses = responses
        self.store = open_store("memory://")
        self.transcripts = Transcripts(self.store)
        self.profiles = {"test": profile_of(**profile), "other": profile_of(name="other", **profile)}
        self.models = self.fresh_worker()

    def fresh_worker(self) -> Models:
        client = client_over(self._respond)
        return Models(client, self.store, Transcripts(self.store), self.profiles, patience_seconds=0)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        response = self._responses[min(len(self.sent), len(self._responses)) - 1]
        if callable(response):
            response = response(self.sent[-1])
        return response if isinstance(response, httpx.Response) else stream_response(response)

    async def begin(self, steps: int, *, result_characters: int = 1_000) -> None:
        await self.store.create(ids.task_key("t"), orjson.dumps(TASK.model_dump(mode="json")))
        await self.transcripts.put_base(
            self.agent, 1, EpochBase(system="s", tools=(), messages=(OPENING,), first_step=1)
        )
        for step in range(1, steps + 1):
            await self.close(1, step, result_characters)

    async def close(self, epoch: int, step: int, result_characters: int = 1_000) -> None:
        call = CallDigest(
            index=0,
            call_id=f"functions.bash:{step}",
            name="bash",
            tool_class=ToolClass.EFFECT,
            arguments_hash="0" * 16,
            summary=f"bash: make part-{step}",
        )
        use = {"type": "tool_use", "id": call.call_id, "name": "bash", "input": {"command": f"make part-{step}"}}
        thinking = {"type": "thinking", "thinking": f"thought {step}", "signature": "c2ln"}
        said = (Note(speaker=Speaker.PERSON, text=f"word {step}", message_id=f"m{step}"),) if step % 4 == 1 else ()
        answer = AnswerRecord(
            content=(thinking, use), stop_reason="tool_use", calls=(call,), usage=Usage(), model="m", notes=said
        )
        await self.transcripts.put_answer(self.agent, epoch, step, answer)
        await self.transcripts.put_result(
            self.agent, epoch, step, 0, ResultRecord(text=f"output {step} ".ljust(result_characters, "."))
        )
        seal = SealInput(
            agent=self.agent, epoch=epoch, step=step, results=(SealedResult(call_id=call.call_id, index=0),)
        )
        await self.transcripts.put_seal(seal)

    async def compact(self, step: int, *, epoch: int = 1, models: Models | None = None, **fields: Any) -> HandoffDigest:
        given: dict[str, Any] = {
            "agent": self.agent,
            "task_id": "t",
            "profile": "test",
            "epoch": epoch,
            "epoch_first_step": 1,
            "step": step,
            "context_tokens": 4_000,
            "workspace": WORKSPACE,
            "plan": "- [~] mend the parser",
            "changed_files": ("src/parser.py",),
            "changed_count": 3,
            "jobs": (Job(job="job-2-0", command="make watch", state="running"),),
            "limits": AgentLimits(keep_results_tokens=500, keep_rounds_tokens=600),
            **fields,
        }
        activity = (models or self.models).write_handoff
        return await ActivityEnvironment().run(activity, WriteHandoffInput.model_validate(given))

    async def call(self, step: int = 2, *, models: Models | None = None, **fields: Any) -> ModelDigest:
        given = {
            "agent": self.agent,
            "task_id": "t",
            "profile": "test",
            "epoch": 1,
            "epoch_first_step": 1,
            "step": step,
        }
        activity = (models or self.models).call_model
        return await ActivityEnvironment().run(
            activity, CallModelInput.model_validate({**given, "step": step, **fields})
        )

    async def conversation(self, epoch: int, step: int) -> list[dict[str, Any]]:
        return [
            json.loads(message) for message in (await Transcripts(self.store).view(self.agent, epoch, step)).messages
        ]


def window(tokens: int) -> dict[str, int]:
    return {"window_tokens": tokens, "max_output_tokens": 500, "output_limit_tokens": 1_000}


def texts_of(message: dict[str, Any]) -> list[str]:
    return [block.get("text", "") for block in message["content"]]


def refused(message: str) -> httpx.Response:
    return httpx.Response(400, json={"type": "error", "error": {"type": "invalid_request_error", "message": message}})


async def test_clearing_old_results_is_enough_where_it_frees_enough_and_asks_no_model() -> None:
    rig = Rig(NOTE, **window(6_000))
    await rig.begin(16)
    digest = await rig.compact(17, may_clear=True)
    assert (True, 2, [], "") == (digest.cleared, digest.epoch, rig.sent, digest.note)
    before, after = await rig.conversation(1, 17), await rig.conversation(2, 17)
    assert (len(before), []) == (len(after), violations(after))
    contents = [block["content"] for message in after for block in message["content"] if "tool_use_id" in block]
    assert contents[0] == "[cleared to make room: 1000 characters of bash: make part-1]"
    assert [before[0], before[-1]] == [after[0], after[-1]]
    assert EpochCause.CLEARING is (await rig.transcripts.base(AGENT, 2)).cause


async def test_clearing_that_frees_too_little_gives_way_to_a_note() -> None:
    rig = Rig(NOTE, **window(4_200))
    await rig.begin(16, result_characters=300)
    digest = await rig.compact(17, may_clear=True)
    assert (False, "Half is done.") == (digest.cleared, digest.note)


async def test_a_note_is_asked_for_on_the_live_prefix() -> None:
    rig = Rig(NOTE, **window(200_000))
    await rig.begin(8)
    before = await rig.conversation(1, 9)
    await rig.compact(9)
    assert before[:-1] == rig.sent[0]["messages"][:-1]
    assert before[-1]["content"] == rig.sent[0]["messages"][-1]["content"][:-1]


async def test_what_must_survive_stands_verbatim_in_the_next_epoch() -> None:
    rig = Rig(NOTE, **window(8_000))
    await rig.begin(12)
    await rig.compact(13)
    messages = await rig.conversation(2, 13)
    assert [] == violations(messages)
    opening = "\n".join(texts_of(messages[0]))
    assert ["Mend the parser.", "- Keep the API.", "/w/new"] == [
        said for said in ("Mend the parser.", "- Keep the API.", "/w/new") if said in opening
    ]
    everything = json.dumps(messages)
    assert [f"word {step}" for step in (1, 5, 9)] == [
        f"word {step}" for step in (1, 5, 9) if f"word {step}" in everything
    ]
    assert [
        "<plan>\n- [~] mend the parser\n</plan>",
        "<changed-files>\nsrc/parser.py\n(2 more)\n</changed-files>",
        "<background-jobs>\n- job-2-0 (running): make watch\n</background-jobs>",
    ] == texts_of(messages[-1])[-4:-1]
    assert "Half is done." in texts_of(messages[-1])[-1]


async def test_a_sub_agents_conversation_is_compacted_as_the_leads_is() -> None:
    lead, sub_agent = Rig(NOTE, **window(8_000)), Rig(NOTE, **window(8_000))
    sub_agent.agent = "t/survey-3"
    for rig in (lead, sub_agent):
        await rig.begin(12)
        await rig.compact(13)
    assert await lead.conversation(2, 13) == await sub_agent.conversation(2, 13)
    assert await sub_agent.store.find(ids.base_key(AGENT, 2)) is None


async def test_the_latest_rounds_go_on_verbatim_before_the_note() -> None:
    rig = Rig(NOTE, **window(8_000))
    await rig.begin(12)
    await rig.compact(13)
    old, new = await rig.conversation(1, 13), await rig.conversation(2, 13)
    kept = len(new) - 1
    assert 0 < kept < len(old) - 1
    assert old[-kept:-1] == new[1:-1]
    assert old[-1]["content"] == new[-1]["content"][: len(old[-1]["content"])]


async def test_the_opening_of_later_epochs_has_the_same_bytes_as_long_as_no_person_says_more() -> None:
    rig = Rig(NOTE, **window(8_000))
    await rig.begin(12)
    await rig.compact(13)
    await rig.close(2, 14 - 1)
    await rig.close(2, 14)
    await rig.compact(15, epoch=2)
    first, second = (await rig.conversation(2, 13))[0], (await rig.conversation(3, 15))[0]
    assert first["content"] == second["content"][: len(first["content"])]


async def test_an_epoch_that_was_cleared_is_handed_off_with_all_that_people_said() -> None:
    rig = Rig(NOTE, **window(6_000))
    await rig.begin(16)
    await rig.compact(17, may_clear=True)
    for step in range(17, 24):
        await rig.close(2, step)
    digest = await rig.compact(24, epoch=2)
    messages = await rig.conversation(3, 24)
    assert (3, False, []) == (digest.epoch, digest.cleared, violations(messages))
    everything = json.dumps(messages)
    assert [] == [step for step in range(1, 24, 4) if f"word {step}\\n" not in everything]


async def test_notes_of_earlier_compactions_do_not_pile_up() -> None:
    rig = Rig(NOTE, **window(8_000))
    await rig.begin(12)
    await rig.compact(13)
    await rig.close(2, 13)
    await rig.compact(14, epoch=2)
    assert 1 == json.dumps(await rig.conversation(3, 14)).count("<handoff-note>")


async def test_an_epoch_that_has_begun_is_taken_as_it_is() -> None:
    rig = Rig(NOTE, **window(8_000))
    await rig.begin(12)
    first = await rig.compact(13)
    again = await rig.compact(13, models=rig.fresh_worker(), plan="another")
    assert (first, 1) == (again, len(rig.sent))


async def test_a_request_that_overflows_goes_again_with_old_results_cleared() -> None:
    rig = Rig(refused("prompt is too long: maximum context length is 3000 tokens"), NOTE, **window(8_000))
    await rig.begin(12)
    digest = await rig.compact(13)
    assert (ModelOutcome.ANSWERED, False, 2) == (digest.outcome, digest.by_runner, len(rig.sent))
    assert "[output cleared to make room]" in json.dumps(rig.sent[1])


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (refused("maximum context length is 300 tokens"), "overflow"),
        (httpx.Response(413, json={"error": {"message": "too large"}}), "too_large"),
        (started() + text_block(0, "No.") + ended("refusal"), "refused"),
        (started() + call_block(0, "a", "bash", "{}") + ended("tool_use"), "it wrote none"),
    ],
)
async def test_where_no_model_writes_a_note_the_record_makes_one(response: Response, said: str) -> None:
    rig = Rig(response, **window(8_000))
    await rig.begin(12)
    digest = await rig.compact(13)
    assert (ModelOutcome.ANSWERED, True) == (digest.outcome, digest.by_runner)
    record = (await rig.transcripts.base(AGENT, 2)).handoff
    assert record is not None
    assert [True, True] == [said in record.note, "12: bash: make part-12" in record.note]


async def test_a_model_that_calls_a_tool_instead_is_told_and_asked_again() -> None:
    rig = Rig(BUSY, NOTE, **window(8_000))
    await rig.begin(12)
    assert "Half is done." == (await rig.compact(13)).note
    assert "No tool can be called now" in texts_of(rig.sent[1]["messages"][-1])[-1]


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_a_provider_that_is_down_is_waited_for_and_no_epoch_begins(status: int) -> None:
    rig = Rig(httpx.Response(status, json={"error": {"type": "overloaded_error", "message": "later"}}), **window(8_000))
    await rig.begin(12)
    assert ModelOutcome.UNAVAILABLE is (await rig.compact(13)).outcome
    assert await rig.store.find(ids.base_key(AGENT, 2)) is None


async def test_another_providers_model_gets_no_thinking_and_ids_that_every_provider_takes() -> None:
    rig = Rig(NOTE, **window(8_000))
    await rig.begin(12)
    await rig.compact(13, profile="other", foreign=True)
    kept = await rig.conversation(2, 13)
    for messages in (rig.sent[0]["messages"], kept):
        blocks = [block for message in messages for block in message["content"]]
        uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
        assert (set(), [], True) == (
            {block["type"] for block in blocks} - {"text", "tool_use", "tool_result"},
            violations(messages),
            bool(uses) and all(use.replace("_", "").replace("-", "").isalnum() for use in uses),
        )


async def test_a_window_that_was_learnt_by_another_worker_holds() -> None:
    rig = Rig(NOTE, max_output_tokens=20_000, output_limit_tokens=20_000)
    await rig.begin(1)
    digest = await rig.call(context_tokens=40_000, learnt_window_tokens=50_000, models=rig.fresh_worker())
    assert (50_000, 50_000, 8_000) == (digest.window_tokens, digest.learnt_window_tokens, rig.sent[0]["max_tokens"])


async def test_an_overflow_without_a_number_teaches_a_smaller_window() -> None:
    too_long = refused("Invalid request: the prompt exceeds the maximum context length of this model")
    rig = Rig(too_long, NOTE, max_output_tokens=20_000, output_limit_tokens=20_000)
    await rig.begin(1)
    digest = await rig.call(context_tokens=100_000)
    assert (ModelOutcome.ANSWERED, 114_000) == (digest.outcome, digest.learnt_window_tokens)
    assert [20_000, 9_000] == [body["max_tokens"] for body in rig.sent]


async def test_a_large_guess_near_the_window_is_counted_by_the_provider_first() -> None:
    counted = httpx.Response(200, json={"input_tokens": 6_000})
    rig = Rig(
        lambda body: counted if "max_tokens" not in body else NOTE,
        count_tokens_path="/count",
        **{**window(10_000), "max_output_tokens": 3_000, "output_limit_tokens": 3_000},
    )
    await rig.begin(1)
    digest = await rig.call(context_tokens=9_500, estimated_tokens=2_000)
    assert (ModelOutcome.ANSWERED, [None, 3_000]) == (digest.outcome, [body.get("max_tokens") for body in rig.sent])


async def test_a_prompt_that_is_counted_as_too_large_is_not_sent() -> None:
    rig = Rig(httpx.Response(200, json={"input_tokens": 9_900}), count_tokens_path="/count", **window(10_000))
    await rig.begin(1)
    digest = await rig.call(context_tokens=8_000, estimated_tokens=2_000)
    assert (ModelOutcome.OVERFLOW, 1, True) == (digest.outcome, len(rig.sent), "9900" in digest.detail)


async def test_an_endpoint_that_cannot_count_is_asked_once_and_the_estimate_stands() -> None:
    missing = httpx.Response(404, json={"error": {"type": "not_found_error", "message": "no such page"}})
    rig = Rig(lambda body: missing if "max_tokens" not in body else NOTE, count_tokens_path="/count", **window(10_000))
    await rig.begin(2)
    for step in (2, 3):
        await rig.call(step, context_tokens=8_000, estimated_tokens=2_000)
    assert [False, True] == ["max_tokens" in body for body in rig.sent]
