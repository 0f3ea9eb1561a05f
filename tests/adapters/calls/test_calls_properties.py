"""Properties of the whole check: it never raises, what it keeps can be stored, and checking again changes nothing."""

import json
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.adapters.calls import CheckedAnswer, check_calls
from longshift.contracts.model import Usage
from longshift.contracts.tools import TOOL_ARGUMENTS
from longshift.contracts.transcript import AnswerRecord

ANY_TEXT = st.text(st.characters(), max_size=12)
"""Surrogates included."""
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | ANY_TEXT
    | st.sampled_from(["ls", "a.py", "pending", "5", "true", '["a"]', "<|tool_call_begin|>"])
)
KEYS = ANY_TEXT | st.sampled_from(
    ["command", "cmd", "path", "file_path", "content", "old", "new", "items", "todos", "title", "timeout", "summary"]
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)
NAMES = ANY_TEXT | st.sampled_from([*TOOL_ARGUMENTS, "functions.bash:1", "TodoWrite", "edit", "todo.write", "shell!"])
CALLS = st.fixed_dictionaries(
    {"type": st.just("tool_use")}, optional={"id": JSON, "name": NAMES | JSON, "input": JSON, "extra": JSON}
)
TEXTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "image"])}, optional={"text": JSON, "x": JSON}
)
CONTENT = st.lists(CALLS | TEXTS | JSON, max_size=5).map(tuple)
RAW = st.dictionaries(
    st.integers(0, 5), ANY_TEXT | JSON.map(json.dumps) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))
)


def record(checked: CheckedAnswer) -> AnswerRecord:
    return AnswerRecord(
        content=checked.content,
        stop_reason="tool_use",
        calls=checked.calls,
        usage=Usage(),
        model="m",
        rejections=checked.rejections,
    )


WITHOUT_ARGUMENTS = {
    name
    for name, arguments in TOOL_ARGUMENTS.items()
    if not any(field.is_required() for field in arguments.model_fields.values())
}


@settings(max_examples=400, deadline=None)
@given(CONTENT, RAW)
def test_whatever_a_provider_sends_is_checked_into_content_that_loads_back_equal(
    content: tuple[Any, ...], raw: dict[int, str]
) -> None:
    checked = check_calls(content, raw, TOOL_ARGUMENTS)
    assert list(checked.content) == orjson.loads(orjson.dumps(checked.content))
    assert record(checked) == AnswerRecord.model_validate_json(record(checked).model_dump_json())
    calls = [block for block in checked.content if block["type"] == "tool_use"]
    assert [digest.call_id for digest in checked.calls] == [block["id"] for block in calls]
    assert len(calls) == len({block["id"] for block in calls})
    for digest, block in zip(checked.calls, calls, strict=True):
        assert isinstance(block["input"], dict)
        assert digest.rejected == (str(digest.index) in checked.rejections)
        assert not digest.rejected or block["input"] == {}
        assert len(digest.summary) <= 120


@settings(max_examples=400, deadline=None)
@given(CONTENT, RAW)
def test_checking_a_checked_answer_changes_nothing(content: tuple[Any, ...], raw: dict[int, str]) -> None:
    first = check_calls(content, raw, TOOL_ARGUMENTS)
    second = check_calls(first.content, {}, TOOL_ARGUMENTS)
    assert first.content == second.content
    # What is rejected keeps no arguments, which is a call for a tool that needs none.
    kept = [(one, two) for one, two in zip(first.calls, second.calls, strict=True) if one.name not in WITHOUT_ARGUMENTS]
    assert [one.rejected for one, _ in kept] == [two.rejected for _, two in kept]
    assert [one.arguments_hash for one, _ in kept if not one.rejected] == [
        two.arguments_hash for _, two in kept if not two.rejected
    ]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_as_arguments_are_run_only_as_valid_arguments(raw: bytes) -> None:
    block: dict[str, Any] = {"type": "tool_use", "id": "a", "name": "bash", "input": {}}
    checked = check_calls((block,), {0: raw.decode(errors="surrogateescape")}, TOOL_ARGUMENTS)
    assert checked.calls[0].rejected or "command" in checked.content[0]["input"]
