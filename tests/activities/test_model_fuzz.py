"""Whatever a provider sends, a model activity ends with an outcome, and what it stores renders to a sound conversation.

Sound is what `policy.transcript` says and what the scripted model, the strictest of providers, takes.
"""

import json
from collections.abc import Sequence
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.testing import ActivityEnvironment

from activities.model import Models
from longshift.adapters.calls import tool_definitions
from longshift.adapters.scripted_model.validation import find_problem
from longshift.adapters.store import Transcripts, open_store
from longshift.adapters.tools import Toolbox
from longshift.contracts.activities import CallModelInput, WriteHandoffInput
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome
from longshift.contracts.tools import TOOL_ARGUMENTS
from longshift.contracts.transcript import EpochBase, Note, ResultRecord, SealedResult, SealInput, Speaker
from longshift.policy.prompt import handoff_message
from longshift.policy.transcript import violations
from tests.adapters.model.model_wire import client_over, profile_of

pytestmark = pytest.mark.timeout(600)

AGENT = "t/lead"
OPENING = {"role": "user", "content": [{"type": "text", "text": "task"}]}
TOOLS = tool_definitions(Toolbox.descriptions(), TOOL_ARGUMENTS)
KNOWN_BLOCKS = {"text", "thinking", "redacted_thinking", "tool_use", "tool_result"}
HAS_ANSWER = {ModelOutcome.ANSWERED, ModelOutcome.TRUNCATED}

TEXT = st.text(st.characters(), max_size=10) | st.sampled_from(
    [
        "",
        " ",
        "\ud83d",
        "\ude00",
        "a\0b",
        "<|tool_call_begin|>",
        "(Empty response: none)",
        "x" * 200,
        "{}",
        '{"command":',
    ]
)
"""Halves of surrogate pairs included."""
NUMBERS = st.integers() | st.floats() | st.sampled_from([-1, 2**31, 2**63 - 1, 2**63, 10**30, -(10**30), 1e308])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
KEYS = TEXT | st.sampled_from(["type", "id", "name", "input", "text", "command", "path", "message", "usage", "index"])
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
CALL_IDS = st.sampled_from(["a", "b", "functions.bash:0", "", "é", "x" * 300]) | JSON
NAMES = st.sampled_from([*TOOL_ARGUMENTS, "functions.bash:1", "no such tool", "Bash "]) | JSON
INPUTS = st.sampled_from([{}, {"command": "ls"}, {"path": "a"}, [], "ls", 5, '{"command":"ls"}']) | JSON
TYPES = st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "image", "server_tool_use"])
BLOCKS = (
    st.fixed_dictionaries({"type": st.just("tool_use")}, optional={"id": CALL_IDS, "name": NAMES, "input": INPUTS})
    | st.fixed_dictionaries(
        {"type": TYPES | JSON}, optional={"text": JSON, "thinking": JSON, "data": JSON, "signature": JSON}
    )
    | JSON
)
USAGE = (
    st.dictionaries(
        st.sampled_from(
            ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "x"]
        ),
        SCALARS,
        max_size=4,
    )
    | JSON
)
REASONS = (
    st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal", "pause_turn", "model_context_window_exceeded"])
    | TEXT
    | JSON
)
PIECES = st.sampled_from(['{"command":', '"ls"}', '{"command":"ls"}', "[1]", "5", "{", "null", "```"]) | TEXT
DELTAS = (
    st.fixed_dictionaries({"type": st.just("input_json_delta"), "partial_json": PIECES})
    | st.fixed_dictionaries({"type": st.just("text_delta"), "text": TEXT})
    | st.fixed_dictionaries({"type": st.just("thinking_delta"), "thinking": TEXT})
    | st.fixed_dictionaries({}, optional={"signature": JSON, "citation": JSON, "other": JSON})
    | JSON
)
INDEXES = st.integers(0, 3) | st.sampled_from([0, 0, -1, 2.5, "1", None])


@st.composite
def blocks_with_deltas(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A block as it is streamed, perhaps without its beginning or end."""
    index = draw(INDEXES)
    deltas = draw(st.lists(DELTAS, max_size=3))
    events = [
        {"type": "content_block_start", "index": index, "content_block": draw(BLOCKS)},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]
    return events if draw(st.integers(0, 9)) else events[draw(st.integers(0, 1)) :]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """An event stream; most are whole."""
    start: dict[str, Any] = draw(
        st.fixed_dictionaries({}, optional={"model": TEXT | JSON, "usage": USAGE, "content": JSON})
    )
    end: dict[str, Any] = draw(st.fixed_dictionaries({}, optional={"stop_reason": REASONS}))
    events: list[object] = [{"type": "message_start", "message": start}]
    for block in draw(st.lists(blocks_with_deltas(), max_size=4)):
        events += block
    events += [{"type": "message_delta", "delta": end, "usage": draw(USAGE)}, {"type": "message_stop"}]
    if not draw(st.integers(0, 9)):
        events.insert(draw(st.integers(0, len(events))), draw(JSON))
    return b"".join(_event(event) for event in events)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A whole message, as an endpoint sends it that does not stream."""
    content = draw(st.lists(BLOCKS, max_size=4) | JSON)
    message = {"type": "message", "content": content, "stop_reason": draw(REASONS), "usage": draw(USAGE)}
    return json.dumps(message).encode()


BODIES = streams() | documents() | st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())


def _event(value: object) -> bytes:
    kind = value.get("type", "") if isinstance(value, dict) else "message_delta"  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
    name = f"event: {kind}\n".encode() if isinstance(kind, str) and kind.isascii() and kind.isprintable() else b""
    return name + b"data: " + json.dumps(value).encode() + b"\n\n"


class Session:
    """One agent's model activities over a store in memory, step by step."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.body = b""
        store = open_store("memory://")
        self.transcripts = Transcripts(store)
        profiles = {"test": profile_of()}
        self.models = Models(client_over(self._respond), store, self.transcripts, profiles, patience_seconds=0)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(orjson.loads(request.content))
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=self.body)

    async def begin(self) -> None:
        base = EpochBase(system="s", tools=TOOLS, messages=(OPENING,), first_step=1)
        await self.transcripts.put_base(AGENT, 1, base)

    async def call(self, step: int, body: bytes, seal: SealInput | None) -> ModelDigest:
        self.body = body
        asked = CallModelInput(
            agent=AGENT,
            task_id="t",
            profile="test",
            epoch=1,
            epoch_first_step=1,
            step=step,
            seal=seal,
            notes=(Note(speaker=Speaker.PERSON, text="go on"),) if step % 2 == 0 else (),
        )
        return await ActivityEnvironment().run(self.models.call_model, asked)

    async def hand_off(self, step: int, body: bytes) -> HandoffDigest:
        self.body = body
        asked = WriteHandoffInput(
            agent=AGENT, task_id="t", profile="test", epoch=1, epoch_first_step=1, step=step, plan="- [ ] go on"
        )
        return await ActivityEnvironment().run(self.models.write_handoff, asked)

    async def close(self, step: int, digest: ModelDigest) -> SealInput:
        """The results of a step: those of every second call are objects, the others stand in the seal."""
        lines: list[SealedResult] = []
        for call in digest.calls:
            text = None if call.rejected or call.index % 2 else "out"
            if text is None and not call.rejected:
                await self.transcripts.put_result(AGENT, 1, step, call.index, ResultRecord(text=""))
            lines.append(SealedResult(call_id=call.call_id, index=call.index, text=text, is_error=call.rejected))
        return SealInput(agent=AGENT, epoch=1, step=step, results=tuple(lines))


async def played(bodies: Sequence[bytes]) -> tuple[Session, int]:
    """A session that got these answers; where one was none, the same step is asked for again. The first open step."""
    session = Session()
    await session.begin()
    step, seal = 1, None
    for body in bodies:
        digest = await session.call(step, body, seal)
        assert digest == ModelDigest.model_validate_json(digest.model_dump_json())
        if digest.outcome in HAS_ANSWER:
            seal = await session.close(step, digest)
            step += 1
    if seal is not None:
        await session.transcripts.put_seal(seal)
    return session, step


def problems(messages: Sequence[bytes]) -> list[str]:
    """What is wrong with a conversation; blocks of a kind that nobody knows go back to whoever sent them."""
    parsed = [orjson.loads(message) for message in messages]
    for message in parsed:
        message["content"] = [block for block in message["content"] if block["type"] in KNOWN_BLOCKS]
    body = {"model": "m", "max_tokens": 1, "system": "s", "tools": list(TOOLS), "messages": parsed}
    problem = find_problem(body, set(), require_thinking=False)
    return [*violations(parsed), *([problem.message] if problem else [])]


@settings(deadline=None)
@given(st.lists(BODIES, min_size=1, max_size=4))
async def test_any_answers_are_stored_as_a_sound_conversation_or_not_at_all(bodies: list[bytes]) -> None:
    session, step = await played(bodies)
    view = await session.transcripts.view(AGENT, 1, step)
    assert [] == problems(view.messages)
    assert [] == problems(view.with_user(handoff_message()))
    bare = await session.transcripts.view(AGENT, 1, step, "none")
    assert [] == problems(bare.messages)
    for body in session.sent:
        assert [] == problems([orjson.dumps(message) for message in body["messages"]])


@settings(max_examples=50, deadline=None)
@given(st.lists(BODIES, max_size=2), BODIES)
async def test_any_answer_to_a_hand_off_request_opens_a_sound_epoch_or_none(bodies: list[bytes], note: bytes) -> None:
    session, step = await played(bodies)
    digest = await session.hand_off(step, note)
    assert digest == HandoffDigest.model_validate_json(digest.model_dump_json())
    if digest.outcome is ModelOutcome.ANSWERED:
        view = await session.transcripts.view(AGENT, 2, step)
        assert [] == problems(view.messages)
