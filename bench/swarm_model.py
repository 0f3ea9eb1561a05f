"""A model for a swarm that costs nothing: a lead that delegates at once; sub-agents that read, write once and finish.

Who asks is read from the request's `user_id`. With `--allowed N` it is a provider that bears N calls at a time and says
429 to all others; `--answer-seconds` is what an answer takes. Which calls were in flight when, it tells in its facts.
`python -m bench.swarm_model --items N --steps N --port P [--allowed N] [--answer-seconds S]`
"""

import argparse
import asyncio
import json
import re
import time
from typing import Any

from bench.planted import Call
from bench.zero_model import ZeroModel, events_of, send_events, serve_model, turn_of

USER_MARK = b'"user_id":"'
USER = re.compile(USER_MARK + rb'([^"]+)"')
ITEM = re.compile(r"\.swarm\d+(?:-\d+)?\.(.+)$")
LINES = 10
"""To read in a step."""
REFUSAL = json.dumps(
    {"type": "error", "error": {"type": "rate_limit_reached_error", "message": "Too many requests at a time"}}
).encode()


def path_of(number: int) -> str:
    """The file of item `number`, from 1."""
    return f"modules/m{number:04}.txt"


def plan(items: int) -> dict[str, Any]:
    """The arguments of `delegate`: one template over the files."""
    return {
        "goal": "Read each file and rewrite it.",
        "templates": [
            {
                "id": "read-{{number}}",
                "goal": "Read {{input}} to its end and rewrite it.",
                "inputs": ["{{input}}"],
                "write_scope": ["{{input}}"],
                "over": [path_of(number) for number in range(1, items + 1)],
            }
        ],
    }


class SwarmModel(ZeroModel):
    """Plays the lead and all of its sub-agents."""

    def __init__(self, items: int, steps: int, allowed: int, answer_seconds: float) -> None:
        super().__init__(steps, "", LINES)
        self._items = items
        self._steps_of_item = steps
        self._allowed = allowed
        self._answer_seconds = answer_seconds
        self._in_flight = 0
        self._flights: list[tuple[float, int]] = []
        """When the number of calls in flight changed (monotonic seconds), and to what."""
        self._delegated_at: list[float] = []
        self._finished: dict[str, float] = {}
        """Item → when its last `finish` was answered."""
        self._calls: dict[str, int] = {}
        self._refused = 0

    def facts(self) -> dict[str, Any]:
        """For `bench.swarm`."""
        return {
            "flights": self._flights,
            "delegated_at": self._delegated_at,
            "finished": self._finished,
            "calls": self._calls,
            "refused": self._refused,
        }

    async def answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        """Refuse what is too much, else play the turn of whoever asks."""
        arrived = time.monotonic()
        if self._allowed and self._in_flight >= self._allowed:
            self._refused += 1
            writer.write(
                b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(REFUSAL), REFUSAL)
            )
            await writer.drain()
            return
        self._flies(1)
        try:
            if self._answer_seconds:
                await asyncio.sleep(self._answer_seconds)
            found = USER.search(body, body.rfind(USER_MARK))
            asker = found[1].decode() if found else ""
            turn = turn_of(body)
            blocks = [
                {"type": "tool_use", "id": f"r:{turn}", "name": name, "input": arguments}
                for name, arguments in [self._call(asker, turn)]
            ]
            await send_events(events_of(blocks, len(body) // 4), writer)
        finally:
            self._flies(-1)
        await self.record({"received_monotonic_seconds": arrived})

    def _flies(self, change: int) -> None:
        self._in_flight += change
        self._flights.append((time.monotonic(), self._in_flight))

    def _call(self, asker: str, turn: int) -> Call:
        item = ITEM.search(asker)
        if item is None:
            if turn == 0:
                self._delegated_at.append(time.monotonic())
                return ("delegate", plan(self._items))
            return ("finish", {"summary": "All of it is done."})
        name = item[1]
        self._calls[name] = self._calls.get(name, 0) + 1
        if turn >= self._steps_of_item - 1:
            self._finished[name] = time.monotonic()
            return ("finish", {"summary": "Read and rewritten."})
        number = re.search(r"\d+", name)
        path = path_of(int(number[0]) if number else 1)
        if turn == self._steps_of_item - 2:
            return ("write_file", {"path": path, "content": f"{name} {turn}\n" * (LINES * (turn + 2))})
        return ("read_file", {"path": path, "offset": 1 + turn, "limit": LINES})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--allowed", type=int, default=0, help="calls at a time; 0: any number")
    parser.add_argument("--answer-seconds", type=float, default=0.0)
    options = parser.parse_args()
    model = SwarmModel(options.items, options.steps, options.allowed, options.answer_seconds)
    asyncio.run(serve_model(model, options.port))
