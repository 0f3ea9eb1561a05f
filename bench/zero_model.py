"""A model that costs nothing: it speaks just enough of the Messages API to play one tool call N times, then `finish`.

The scripted model that ships with the product reads and checks every conversation, which at a megabyte costs more than
the runner's own step. This one looks for markers in the bytes. With `--planted` it plays the calls of `bench.planted`
instead, and watches the requests (`bench.watched_requests`).
`python -m bench.zero_model --steps N --path FILE --port P [--planted]`
"""

import argparse
import asyncio
import json
import re
import time
from typing import Any

from bench import planted
from bench.watched_requests import WatchedRequests

HANDOFF = b"<handoff-request>"
TURN_MARK = b"<scripted-turn>"
TURN = re.compile(TURN_MARK + rb"(\d+)</scripted-turn>")
CALL_MARK = b'"id":"r:'
CALL = re.compile(CALL_MARK + rb"(\d+)")


class ZeroModel:
    """Answers each request at once and remembers when it came."""

    def __init__(self, steps: int, path: str, lines: int, watched: WatchedRequests | None = None) -> None:
        self._steps = steps
        self._path = path
        self._lines = lines
        self._watched = watched
        self._requests: list[dict[str, float]] = []
        self._arrived = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length.group(1))) if length else b""
                if head.startswith(b"GET"):
                    await self._tell(head, writer)
                else:
                    await self.answer(body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def facts(self) -> dict[str, Any]:
        """What was seen besides the requests."""
        return dict(self._watched.facts) if self._watched else {}

    async def _tell(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        wanted = re.search(rb"wait_for=(\d+)", head)
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self._requests) >= (int(wanted.group(1)) if wanted else 0))
        body = json.dumps({"requests": self._requests, "facts": self.facts()}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()

    async def answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        """Answer one request for a step or a note."""
        arrived = time.monotonic()
        turn, is_handoff = turn_of(body), HANDOFF in body[-4_000:]
        tokens = len(body) // 4
        events = events_of(self._blocks(turn, is_handoff=is_handoff), tokens)
        await send_events(events, writer)
        record: dict[str, float] = {"received_monotonic_seconds": arrived, "prompt_tokens": tokens}
        if self._watched is not None:
            share, common = self._watched.see(body, turn, is_handoff=is_handoff)
            record |= {"turn": turn, "is_handoff": is_handoff, "prefix_share": share, "cached_tokens": common // 4}
        await self.record(record)

    async def record(self, record: dict[str, float]) -> None:
        """Remember a request, and tell whoever waits for it."""
        async with self._arrived:
            self._requests.append(record)
            self._arrived.notify_all()

    def _blocks(self, turn: int, *, is_handoff: bool) -> list[dict[str, Any]]:
        if is_handoff:
            note = "Going on." if self._watched is None else planted.NOTE
            return [{"type": "text", "text": f"{note}\n<scripted-turn>{turn}</scripted-turn>"}]
        calls = planted.calls_of(turn, self._steps) if self._watched else self._plain(turn)
        said = planted.text_of(turn) if self._watched else ""
        return [
            *([{"type": "text", "text": said}] if said else []),
            *({"type": "tool_use", "id": _call_id(turn, i), "name": n, "input": a} for i, (n, a) in enumerate(calls)),
        ]

    def _plain(self, turn: int) -> list[planted.Call]:
        if turn >= self._steps:
            return [("finish", {"summary": "Done."})]
        return [("read_file", {"path": self._path, "offset": 1 + turn, "limit": self._lines})]


def turn_of(body: bytes) -> int:
    """The turn to play: after the last call of the conversation, or where a hand-off note says."""
    called = CALL.match(body, max(0, body.rfind(CALL_MARK)))
    noted = TURN.match(body, max(0, body.rfind(TURN_MARK)))
    return max(int(called.group(1)) + 1 if called else 0, int(noted.group(1)) if noted else 0)


def _call_id(turn: int, index: int) -> str:
    return f"r:{turn}" if index == 0 else f"r:{turn}.{index}"


def events_of(blocks: list[dict[str, Any]], tokens: int) -> bytes:
    """The stream of an answer; the prompt had so many tokens."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": tokens - 10, "output_tokens": 20}
    head: dict[str, Any] = {
        "id": "msg",
        "type": "message",
        "role": "assistant",
        "model": "zero",
        "content": [],
        "usage": usage,
    }
    told: list[dict[str, Any]] = [{"type": "message_start", "message": head}]
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            start: dict[str, Any] = {"type": "text", "text": ""}
            delta: dict[str, Any] = {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        told += [
            {"type": "content_block_start", "index": index, "content_block": start},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    reason = "tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn"
    told += [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, {"type": "message_stop"}]
    return b"".join(b"event: %b\ndata: %b\n\n" % (str(e["type"]).encode(), json.dumps(e).encode()) for e in told)


async def send_events(events: bytes, writer: asyncio.StreamWriter) -> None:
    """An answer as a provider streams it, in one piece."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(events), events))
    await writer.drain()


async def serve_model(model: ZeroModel, port: int) -> None:
    """Until the process ends."""
    server = await asyncio.start_server(model.serve, "127.0.0.1", port, limit=2**26)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--path", default="")
    parser.add_argument("--lines", type=int, default=10, help="to read in a step")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--planted", action="store_true")
    options = parser.parse_args()
    watched = WatchedRequests(planted.FACTS) if options.planted else None
    asyncio.run(serve_model(ZeroModel(options.steps, options.path, options.lines, watched), options.port))
