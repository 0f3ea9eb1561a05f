"""A model that costs nothing: it speaks just enough of the Messages API to play one tool call N times, then `finish`.

The scripted model that ships with the product reads and checks every conversation, which at a megabyte costs more than
the runner's own step. This one counts markers in the bytes.
`python -m bench.zero_model --steps N --path FILE --port P`
"""

import argparse
import asyncio
import json
import re
import time

ASSISTANT = b'"role":"assistant"'
HANDOFF = b"<handoff-request>"
TURN_MARK = b"<scripted-turn>"
TURN = re.compile(TURN_MARK + rb"(\d+)</scripted-turn>")


class ZeroModel:
    """Answers each request at once and remembers when it came."""

    def __init__(self, steps: int, path: str) -> None:
        self._steps = steps
        self._path = path
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
                    await self._answer(body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _tell(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        wanted = re.search(rb"wait_for=(\d+)", head)
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self._requests) >= (int(wanted.group(1)) if wanted else 0))
        body = json.dumps({"requests": self._requests}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()

    async def _answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        arrived = time.monotonic()
        start = max(0, body.rfind(TURN_MARK))
        noted = TURN.match(body, start)
        turn = (int(noted.group(1)) if noted else 0) + body.count(ASSISTANT, start)
        tokens = len(body) // 4
        events = _events(self._blocks(turn, is_handoff=HANDOFF in body[-4_000:]), tokens)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(events), events))
        await writer.drain()
        async with self._arrived:
            self._requests.append({"received_monotonic_seconds": arrived, "prompt_tokens": tokens})
            self._arrived.notify_all()

    def _blocks(self, turn: int, *, is_handoff: bool) -> dict[str, object]:
        if is_handoff:
            return {"type": "text", "text": f"Going on.\n<scripted-turn>{turn}</scripted-turn>"}
        if turn >= self._steps:
            return {"type": "tool_use", "id": f"f:{turn}", "name": "finish", "input": {"summary": "Done."}}
        return {"type": "tool_use", "id": f"r:{turn}", "name": "read_file", "input": {"path": self._path}}


def _events(block: dict[str, object], tokens: int) -> bytes:
    """The stream of an answer with one block."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": tokens - 10, "output_tokens": 20}
    if block["type"] == "text":
        start: dict[str, object] = {"type": "text", "text": ""}
        delta: dict[str, object] = {"type": "text_delta", "text": block["text"]}
        reason = "end_turn"
    else:
        start = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        reason = "tool_use"
    message: dict[str, object] = {
        "id": "msg",
        "type": "message",
        "role": "assistant",
        "model": "zero",
        "content": [],
        "usage": usage,
    }
    told: list[dict[str, object]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage},
        {"type": "message_stop"},
    ]
    return b"".join(b"event: %b\ndata: %b\n\n" % (str(e["type"]).encode(), json.dumps(e).encode()) for e in told)


async def _serve(steps: int, path: str, port: int) -> None:
    server = await asyncio.start_server(ZeroModel(steps, path).serve, "127.0.0.1", port, limit=2**26)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(_serve(options.steps, options.path, options.port))
