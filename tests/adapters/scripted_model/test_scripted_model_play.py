"""What the server plays: scripts, repetitions, policies, hand-offs, and the shape of its streams."""

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from scripted_model_client import Client, played, request, user

from longshift.adapters.scripted_model import (
    Repeat,
    RequestView,
    Script,
    ScriptedCall,
    ScriptedModel,
    ToolOutput,
    Turn,
)

Connect = Callable[[ScriptedModel], Client]

LS = ScriptedCall(name="bash", input={"command": "ls"})
TWO_TURNS = Script(turns=(Turn(thinking="I look.", text="Looking.", calls=(LS, LS)), Turn(text="Done.")))


def tagged(turn: int) -> str:
    return f"<scripted-turn>{turn}</scripted-turn>"


async def converse(client: Client, messages: list[dict[str, Any]], rounds: int) -> list[dict[str, Any]]:
    for _ in range(rounds):
        answer = await client.stream(messages)
        messages = [*messages, *played(answer.content, answer.raw_inputs)]
    return messages


async def test_a_stream_has_the_events_of_the_messages_api_in_order(connect: Connect) -> None:
    async with ScriptedModel(Script(turns=(Turn(thinking="t", text="x", calls=(LS,)),))) as model:
        answer = await connect(model).stream([user()])
    block = ["content_block_start", "content_block_delta"]
    expected = ["message_start", "ping"]
    expected += [*block, "content_block_delta", "content_block_stop"]  # thinking has a signature too
    expected += [*block, "content_block_stop"] * 2
    expected += ["message_delta", "message_stop"]
    assert expected == answer.kinds


async def test_a_streamed_answer_holds_what_the_turn_says(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS) as model:
        answer = await connect(model).stream([user()])
    thinking, text, first, second = answer.content
    assert ("I look.", "Looking.") == (thinking["thinking"], text["text"])
    assert len(thinking["signature"]) == 32
    assert [first["id"], second["id"]] == ["functions.bash:0", "functions.bash:0.1"]
    assert orjson.loads(answer.raw_inputs[2]) == {"command": "ls"}
    assert answer.stop_reason == "tool_use"


async def test_an_answer_without_stream_is_the_same_message(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS) as model:
        streamed = await connect(model).stream([user()])
        whole = (await connect(model).post(request([user()]))).json()
    assert [block["type"] for block in streamed.content] == [block["type"] for block in whole["content"]]
    assert whole["content"][2]["input"] == {"command": "ls"}
    assert (streamed.stop_reason, "assistant") == (whole["stop_reason"], whole["role"])


async def test_turns_are_played_in_order_and_then_the_script_is_over(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS) as model:
        client = connect(model)
        messages = await converse(client, [user()], 2)
        answer = await client.stream(messages)
    assert messages[3]["content"][0]["text"] == "Done."
    assert answer.content == [{"type": "text", "text": "script is over"}]
    assert [0, 1, 2] == [record.turn_index for record in model.requests]


async def test_a_retry_gets_the_same_answer_even_from_another_server(connect: Connect) -> None:
    answers: list[list[dict[str, Any]]] = []
    for _ in range(2):
        async with ScriptedModel(TWO_TURNS) as model:
            client = connect(model)
            answers += [(await client.stream([user()])).content for _ in range(2)]
    assert all(answer == answers[0] for answer in answers)


async def test_a_handoff_request_is_answered_with_a_note_that_holds_the_turn(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS) as model:
        client = connect(model)
        messages = await converse(client, [user()], 1)
        messages[-1]["content"].append({"type": "text", "text": "Write it. <handoff-request>"})
        note = await client.stream(messages)
    assert [block["type"] for block in note.content] == ["text"]
    assert tagged(1) in note.content[0]["text"]
    assert note.stop_reason == "end_turn"
    assert model.requests[-1].is_handoff


async def test_after_a_handoff_the_script_goes_on_where_it_was(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS) as model:
        answer = await connect(model).stream([user(f"The task.\nNotes: {tagged(1)}")])
    assert answer.content == [{"type": "text", "text": "Done."}]


async def test_rounds_kept_before_the_note_are_not_counted_and_those_after_it_are(connect: Connect) -> None:
    script = Script(turns=tuple(Turn(text=f"turn {index}", calls=(LS,)) for index in range(10)))
    async with ScriptedModel(script) as model:
        client = connect(model)
        kept = await converse(client, [user()], 2)
        kept[-1]["content"].append({"type": "text", "text": tagged(5)})
        messages = await converse(client, kept, 2)
        answer = await client.stream(messages)
    assert answer.content[0]["text"] == "turn 7"
    assert answer.content[1]["id"] == "functions.bash:7"


async def test_the_last_of_several_notes_counts(connect: Connect) -> None:
    script = Script(turns=tuple(Turn(text=f"turn {index}") for index in range(10)))
    messages = [user(tagged(2)), {"role": "assistant", "content": "x"}, user(f"{tagged(3)} {tagged(4)}")]
    async with ScriptedModel(script) as model:
        answer = await connect(model).stream(messages)
    assert answer.content[0]["text"] == "turn 4"


async def test_tags_in_tool_results_do_not_count(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS) as model:
        client = connect(model)
        messages = await converse(client, [user()], 1)
        messages[-1]["content"][0]["content"] = f"{tagged(9)} <handoff-request>"
        answer = await client.stream(messages)
    assert answer.content[0]["text"] == "Done."


async def test_a_repetition_varies_its_arguments_and_then_finishes(connect: Connect) -> None:
    turn = Turn(text="step {turn}", calls=(ScriptedCall(name="bash", input={"command": "echo {turn}", "n": [1]}),))
    async with ScriptedModel(Repeat(turn=turn, times=2)) as model:
        client = connect(model)
        messages = await converse(client, [user()], 3)
        over = await client.stream(messages)
    calls = [message["content"][-1] for message in messages if message["role"] == "assistant"]
    assert [call["input"].get("command") for call in calls] == ["echo 0", "echo 1", None]
    assert [call["name"] for call in calls] == ["bash", "bash", "finish"]
    assert over.content[0]["text"] == "script is over"


async def test_a_function_can_be_the_policy_and_sees_the_request(connect: Connect) -> None:
    seen: list[RequestView] = []

    def policy(view: RequestView) -> Turn:
        seen.append(view)
        return Turn(text="yes", calls=() if view.last_outputs else (LS,))

    async with ScriptedModel(policy) as model:
        client = connect(model)
        await converse(client, [user("the task")], 2)
    assert seen[1].last_outputs == (ToolOutput("functions.bash:0", "ok", False),)
    assert ("the task", 1) == (seen[1].opening, seen[1].turn_index)


async def test_broken_arguments_are_streamed_as_they_stand(connect: Connect) -> None:
    raw = '{"command": "ls'
    script = Script(turns=(Turn(calls=(ScriptedCall(name="bash", raw_input=raw, id="a"),)),))
    async with ScriptedModel(script) as model:
        answer = await connect(model).stream([user()])
        whole = (await connect(model).post(request([user()]))).json()
    assert {0: raw} == answer.raw_inputs
    assert answer.content[0]["id"] == "a"
    assert whole["content"][0]["input"] == {}


async def test_the_output_limit_cuts_an_answer_inside_a_call(connect: Connect) -> None:
    call = ScriptedCall(name="write_file", input={"path": "a", "content": "x" * 400})
    async with ScriptedModel(Script(turns=(Turn(text="1234", calls=(call,)),))) as model:
        answer = await connect(model).stream([user()], max_tokens=11)
    assert answer.stop_reason == "max_tokens"
    assert len(answer.raw_inputs[1]) == 40
    assert answer.usage["output_tokens"] == 11


async def test_a_large_answer_has_the_size_that_was_asked_for(connect: Connect) -> None:
    async with ScriptedModel(
        Script(turns=(Turn(text="ab", answer_bytes=1_000_000),)), window_tokens=1_000_000
    ) as model:
        answer = await connect(model).stream([user()], max_tokens=500_000)
    assert len(answer.content[0]["text"]) == 1_000_000
    assert answer.usage["output_tokens"] == 250_000


async def test_delays_split_the_stream_into_its_events(connect: Connect) -> None:
    script = Script(turns=(Turn(text="abcdef", chunk_characters=2, chunk_delay_seconds=0.001, delay_seconds=0.001),))
    async with ScriptedModel(script) as model:
        answer = await connect(model).stream([user()])
    assert answer.content[0]["text"] == "abcdef"
    assert answer.kinds.count("content_block_delta") == 3


async def test_usage_shows_how_much_of_the_prompt_was_seen_before(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS) as model:
        client = connect(model)
        metadata = {"metadata": {"user_id": "a"}, "system": "s" * 400}
        first = await client.stream([user()], **metadata)
        longer = [user(), *played(first.content, first.raw_inputs)]
        second = await client.stream(longer, **metadata)
        other = await client.stream(longer, system="s" * 400, metadata={"user_id": "b"})
        changed = await client.stream(longer, metadata={"user_id": "a"}, system="s" * 200 + "t" * 200)
    assert first.usage["cache_read_input_tokens"] == 0
    assert model.requests[0].prompt_tokens - second.usage["cache_read_input_tokens"] in (0, 1)  # rounding
    assert model.requests[1].prompt_tokens == second.usage["cache_read_input_tokens"] + second.usage["input_tokens"]
    assert other.usage["cache_read_input_tokens"] == 0
    assert 50 <= changed.usage["cache_read_input_tokens"] < 60


async def test_models_and_token_counts_are_served_under_any_prefix(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS, models=["kimi"]) as model:
        client = connect(model)
        listed = await client.http.get(f"{model.base_url}/anthropic/v1/models")
        counted = await client.post(
            {"model": "kimi", "messages": [user()]}, path="/anthropic/v1/messages/count_tokens?beta=true"
        )
        await client.post(request([user()]), path="/anthropic/v1/messages?beta=true")
        unknown = await client.http.get(f"{model.base_url}/v1/other")
        wrong_method = await client.http.get(f"{model.base_url}/v1/messages")
    assert [entry["id"] for entry in listed.json()["data"]] == ["kimi"]
    assert counted.json() == {"input_tokens": model.requests[0].prompt_tokens}
    assert (unknown.status_code, unknown.json()) == (404, {"error": "url.not_found"})
    assert wrong_method.status_code == 405


async def test_after_stop_connections_are_refused_until_start_on_the_same_port(connect: Connect) -> None:
    async with ScriptedModel(TWO_TURNS) as model:
        client = connect(model)
        port = model.port
        await model.stop()
        with pytest.raises(httpx.ConnectError):
            await client.post(request([user()]))
        await model.start()
        answer = await client.stream([user()])
    assert answer.stop_reason == "tool_use"
    assert port == model.port
    assert len(model.requests) == 1
