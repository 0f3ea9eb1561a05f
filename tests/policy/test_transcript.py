"""Records become messages that every strict provider accepts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.model import CallDigest, ToolClass, Usage
from longshift.contracts.transcript import AnswerRecord, Message, Note, ResultRecord, SealedResult, SealRecord, Speaker
from longshift.policy import transcript


def answer(*content: dict[str, Any], calls: int = 0, **fields: Any) -> AnswerRecord:
    digests = tuple(
        CallDigest(index=i, call_id=f"c{i}", name="bash", tool_class=ToolClass.EFFECT, arguments_hash="0")
        for i in range(calls)
    )
    return AnswerRecord(content=content, stop_reason="tool_use", calls=digests, usage=Usage(), model="m", **fields)


def tool_use(index: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"c{index}", "name": "bash", "input": {}}


THINKING = {"type": "thinking", "thinking": "hm"}
SEALED = SealRecord(results=(SealedResult(call_id="c0", index=0), SealedResult(call_id="c1", index=1, text="lost")))


def test_results_stand_in_the_seals_order_with_text_from_object_or_seal() -> None:
    said = answer(tool_use(0), tool_use(1), calls=2)
    message = transcript.user_message(said, {0: ResultRecord(text="out")}, SEALED)
    assert [(b["tool_use_id"], b["content"]) for b in message["content"]] == [("c0", "out"), ("c1", "lost")]


def test_a_rejected_calls_result_is_the_text_kept_with_the_answer() -> None:
    said = answer(tool_use(0), calls=1, rejections={"0": "no such field"})
    sealed = SealRecord(results=(SealedResult(call_id="c0", index=0, is_error=True),))
    block = transcript.user_message(said, {}, sealed)["content"][0]
    assert (block["content"], block["is_error"]) == ("no such field", True)


def test_an_empty_result_is_sent_as_words() -> None:
    said = answer(tool_use(0), calls=1)
    sealed = SealRecord(results=(SealedResult(call_id="c0", index=0),))
    assert transcript.user_message(said, {0: ResultRecord(text="")}, sealed)["content"][0]["content"] == "(no output)"


def test_an_answer_of_thinking_alone_is_not_sent_back() -> None:
    assert transcript.assistant_message(answer(THINKING)) is None


def test_thinking_is_replayed_as_it_came_or_left_out_by_the_profile() -> None:
    said = answer(THINKING, tool_use(0), calls=1)
    assert {"role": "assistant", "content": [THINKING, tool_use(0)]} == transcript.assistant_message(said)
    assert {"role": "assistant", "content": [tool_use(0)]} == transcript.assistant_message(said, "none")


def test_people_and_runner_are_told_apart() -> None:
    message = transcript.notes_message([Note(speaker=Speaker.PERSON, text="a"), Note(speaker=Speaker.RUNNER, text="b")])
    assert message is not None
    assert [block["text"].splitlines()[0] for block in message["content"]] == [
        "<message-from-person>",
        "<message-from-runner>",
    ]


def test_violations_name_what_a_strict_provider_refuses() -> None:
    broken: list[Message] = [
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "assistant", "content": [tool_use(0)]},
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "assistant", "content": []},
    ]
    assert len(transcript.violations(broken)) == 3


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans(), st.booleans()), max_size=12))
def test_any_history_of_steps_renders_to_a_sound_conversation(
    steps: list[tuple[int, bool, bool, bool]],
) -> None:
    """Steps with any number of calls, with or without text, notes before the answer and seal notes."""
    messages: list[Message] = [{"role": "user", "content": [{"type": "text", "text": "task"}]}]

    def append(message: Message | None) -> None:
        if message is None:
            return
        if messages[-1]["role"] == message["role"] == "user":
            messages[-1] = transcript.joined(messages[-1], message)
        else:
            messages.append(message)

    for number, (calls, has_text, noted, seal_noted) in enumerate(steps):
        uses = [{**tool_use(i), "id": f"s{number}c{i}"} for i in range(calls)]
        content = [THINKING, *([{"type": "text", "text": "t"}] if has_text else []), *uses]
        delivered = (Note(speaker=Speaker.PERSON, text="n"),) if noted else ()
        said = answer(*content, calls=calls, notes=delivered)
        seal = SealRecord(
            results=tuple(SealedResult(call_id=f"s{number}c{i}", index=i) for i in range(calls)),
            notes=(Note(speaker=Speaker.RUNNER, text="r"),) if seal_noted else (),
        )
        append(transcript.notes_message(said.notes))
        append(transcript.assistant_message(said))
        append(transcript.user_message(said, {i: ResultRecord(text="o") for i in range(calls)}, seal))
    assert transcript.violations(messages) == []
