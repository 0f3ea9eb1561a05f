"""The prefix of a request: its bytes stay from step to step, so that a provider's cache of it is hit."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_wire import profile_of, request_of

from longshift.adapters.model.profiles import load_profiles, override
from longshift.adapters.model.request import request_body
from longshift.contracts.model import ModelProfile

CACHES = ("auto", "blocks", "top-level", "none")
MARKER = re.compile(rb',"cache_control":\{"type":"ephemeral"\}')
"""As a field of a block: inside of a text its quotes would be escaped."""
LOOKBACK_BLOCKS = 20
END = b"],"

Message = dict[str, Any]

texts = st.text(min_size=1, max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
tools = st.lists(
    st.fixed_dictionaries({"name": texts, "description": texts, "input_schema": st.dictionaries(texts, values)}),
    max_size=3,
).map(tuple)


@st.composite
def steps(draw: st.DrawFn) -> list[Message]:
    """An answer with thinking, text and up to 30 parallel calls, and what a user message says to it."""
    answer: list[dict[str, Any]] = [{"type": "text", "text": draw(texts)}]
    if draw(st.booleans()):
        answer.insert(0, {"type": "thinking", "thinking": draw(texts), "signature": draw(texts)})
    results: list[dict[str, Any]] = []
    for index in range(draw(st.sampled_from((0, 1, 2, 30)))):
        answer.append({"type": "tool_use", "id": f"call:{index}", "name": "bash", "input": {"command": draw(values)}})
        results.append({"type": "tool_result", "tool_use_id": f"call:{index}", "content": draw(texts)})
    if not results or draw(st.booleans()):
        results.append({"type": "text", "text": draw(texts)})
    return [{"role": "assistant", "content": answer}, {"role": "user", "content": results}]


@st.composite
def conversations(draw: st.DrawFn) -> list[list[bytes]]:
    """The messages of successive requests, each longer than the one before."""
    messages = [orjson.dumps({"role": "user", "content": [{"type": "text", "text": draw(texts)}]})]
    grown = [list(messages)]
    for step in draw(st.lists(steps(), min_size=1, max_size=5)):
        messages += [orjson.dumps(message, option=orjson.OPT_NON_STR_KEYS) for message in step]
        grown.append(list(messages))
    return grown


def prefix_of(body: bytes, messages: list[bytes]) -> bytes:
    """The body up to the end of its last message, without markers."""
    plain = MARKER.sub(b"", body)
    whole = b'"messages":[' + b",".join(messages)
    assert 1 == plain.count(whole + END)
    return plain[: plain.index(whole) + len(whole)]


def body_of(profile: ModelProfile, **fields: Any) -> bytes:
    return bytes(request_body(profile, request_of(**fields)))


@settings(max_examples=150, deadline=None)
@given(conversations(), tools, st.sampled_from(CACHES), st.data())
def test_each_request_begins_with_the_whole_prompt_of_the_one_before(
    grown: list[list[bytes]], given_tools: tuple[Message, ...], cache: str, data: st.DataObject
) -> None:
    """Whatever varies between requests (room for the answer, estimate, user) is drawn anew for each."""
    profile = profile_of(cache=cache, extra_body={"thinking": {"type": "enabled"}, "metadata": {"team": "x"}})
    prefixes = [
        prefix_of(
            body_of(
                profile,
                messages=messages,
                tools=given_tools,
                max_tokens=data.draw(st.integers(1, 10**6)),
                prompt_tokens_estimate=data.draw(st.integers(0, 10**6)),
                user_id=data.draw(st.just("") | texts),
            ),
            messages,
        )
        for messages in grown
    ]
    assert all(longer.startswith(shorter) for shorter, longer in pairwise(prefixes))


@settings(max_examples=100, deadline=None)
@given(conversations(), tools, st.text(max_size=20), st.sampled_from(CACHES))
def test_what_stands_after_the_messages_is_all_that_varies(
    grown: list[list[bytes]], given_tools: tuple[Message, ...], system: str, cache: str
) -> None:
    messages = grown[-1]
    prompt: dict[str, Any] = {"messages": messages, "tools": given_tools, "system": system}
    one = body_of(profile_of(cache=cache), **prompt, max_tokens=1, prompt_tokens_estimate=1, user_id="a")
    two = body_of(profile_of(cache=cache), **prompt, max_tokens=2, prompt_tokens_estimate=2, user_id="b")
    cut = one.rindex(END)
    assert one[:cut] == two[:cut]
    tail = orjson.loads(b"{" + one[cut + len(END) :])
    assert {"max_tokens", "metadata"} | ({"cache_control"} if cache == "top-level" else set()) == set(tail)
    assert {"max_tokens", "metadata"}.isdisjoint(orjson.loads(one[: one.index(b',"messages":[')] + b"}"))


@settings(max_examples=100, deadline=None)
@given(conversations(), tools)
def test_a_marker_stands_where_the_last_one_of_the_previous_request_stood(
    grown: list[list[bytes]], given_tools: tuple[Message, ...]
) -> None:
    """So the previous prompt is found in the cache even past a step with more than 20 blocks."""
    profile = profile_of(cache="blocks")
    bodies = [orjson.loads(body_of(profile, messages=messages, tools=given_tools)) for messages in grown]
    for before, after in pairwise(bodies):
        assert marked_blocks(before)[-1] == marked_blocks(after)[-2]
        assert len(marked_blocks(after)) == 2
    assert all(markers(body) <= 4 for body in bodies)


def test_a_step_of_thirty_calls_is_longer_than_the_lookback_and_still_has_its_predecessors_marker() -> None:
    calls: list[Message] = [{"type": "tool_use", "id": str(index), "name": "bash", "input": {}} for index in range(30)]
    results = [{"type": "tool_result", "tool_use_id": str(index), "content": "ok"} for index in range(30)]
    opening: Message = {"role": "user", "content": [{"type": "text", "text": "go"}]}
    step: list[Message] = [{"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    profile = profile_of(cache="blocks")
    body = orjson.loads(body_of(profile, messages=[orjson.dumps(message) for message in (opening, *step)]))
    first, last = marked_blocks(body)
    assert (0, 60) == (first, last)
    assert last - first > LOOKBACK_BLOCKS


def marked_blocks(body: Message) -> list[int]:
    """The positions of the marked blocks among all blocks of the messages."""
    blocks = [block for message in body["messages"] for block in message["content"]]
    return [index for index, block in enumerate(blocks) if "cache_control" in block]


def markers(body: Message) -> int:
    return len(marked_blocks(body)) + sum(
        "cache_control" in block for block in (*body.get("tools", ()), *body.get("system", ()))
    )


@pytest.mark.parametrize("name", sorted(load_profiles()))
def test_every_built_in_profile_keeps_its_prefix(name: str) -> None:
    profile = override(load_profiles()[name], base_url="http://127.0.0.1:9", model="m")
    first = [orjson.dumps({"role": "user", "content": [{"type": "text", "text": "go"}]})]
    more = [*first, b'{"role":"assistant","content":[]}', first[0]]
    one, two = (
        prefix_of(body_of(profile, messages=messages, max_tokens=number, user_id=str(number)), messages)
        for number, messages in enumerate((first, more))
    )
    assert two.startswith(one)


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from model_wire import request_of
from longshift.adapters.model.profiles import load_profiles
from longshift.adapters.model.request import request_body
for profile in load_profiles().values():
    sys.stdout.buffer.write(bytes(request_body(profile, request_of())))
"""


def test_bodies_made_at_different_times_by_different_processes_are_byte_equal() -> None:
    """No clock, counter, random id or hash order goes into a body."""
    bodies = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed},
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert 1 == len(bodies)
    assert b'"messages":[' in bodies.pop()
