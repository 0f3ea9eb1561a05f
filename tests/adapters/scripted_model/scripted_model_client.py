"""A plain HTTP client of the Messages API, and requests to send with it."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

Json = dict[str, Any]


@dataclass
class Client:
    """Talks to one server; streams are read to their end."""

    http: httpx.AsyncClient
    base_url: str = ""

    async def post(self, body: Json, path: str = "/v1/messages", **options: Any) -> httpx.Response:
        return await self.http.post(self.base_url + path, content=orjson.dumps(body), **options)

    async def stream(self, messages: list[Json], **fields: Any) -> "Streamed":
        response = await self.post(request(messages, stream=True, **fields))
        assert response.status_code == 200, response.text
        return read_stream(response.content)


@dataclass
class Streamed:
    """A stream, put together again."""

    events: list[Json]
    content: list[Json] = field(default_factory=list[Json])
    raw_inputs: dict[int, str] = field(default_factory=dict[int, str])
    stop_reason: str = ""
    usage: Json = field(default_factory=dict[str, Any])

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]


def read_stream(raw: bytes) -> Streamed:
    """Reads events as a client does; tolerant of a stream that was cut."""
    events: list[Json] = []
    for chunk in raw.split(b"\n\n")[:-1]:
        name, data = chunk.split(b"\n")
        event = orjson.loads(data.removeprefix(b"data: "))
        assert name.decode() == f"event: {event['type']}"
        events.append(event)
    streamed = Streamed(events)
    for event in events:
        _apply(streamed, event)
    return streamed


def _apply(streamed: Streamed, event: Json) -> None:
    if event["type"] == "content_block_start":
        assert event["index"] == len(streamed.content)
        streamed.content.append(dict(event["content_block"]))
        if event["content_block"]["type"] == "tool_use":
            streamed.raw_inputs[event["index"]] = ""
    elif event["type"] == "content_block_delta":
        delta: Json = event["delta"]
        block = streamed.content[int(event["index"])]
        if delta["type"] == "text_delta":
            block["text"] += delta["text"]
        elif delta["type"] == "thinking_delta":
            block["thinking"] += delta["thinking"]
        elif delta["type"] == "signature_delta":
            block["signature"] = delta["signature"]
        else:
            streamed.raw_inputs[event["index"]] += delta["partial_json"]
    elif event["type"] == "message_delta":
        streamed.stop_reason = event["delta"]["stop_reason"]
        streamed.usage = event["usage"]


def request(messages: list[Json], **fields: Any) -> Json:
    return {"model": "kimi", "max_tokens": 1_000, "messages": messages, **fields}


def user(text: str = "go") -> Json:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def played(content: list[Json], raw_inputs: dict[int, str]) -> list[Json]:
    """The two messages that follow an answer: itself, and its results."""
    blocks = [
        {**block, "input": orjson.loads(raw_inputs[index])} if block["type"] == "tool_use" else block
        for index, block in enumerate(content)
    ]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
        for block in blocks
        if block["type"] == "tool_use"
    ]
    return [
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": results or [{"type": "text", "text": "go on"}]},
    ]
