"""A policy for the scripted model that is stuck in the way its task names, until a person tells it what to do."""

import re
from collections.abc import Callable
from typing import Any

from longshift.adapters.scripted_model import RequestView, ScriptedCall, Turn

ADVICE = "Write out.txt, then finish."
OUT = {"path": "out.txt", "content": "done\n"}
LOOPS: dict[str, Callable[[int], Turn]] = {
    "repetition": lambda turn: _calls(("read_file", {"path": "a.txt"})),
    "reworded": lambda turn: Turn(
        text=f"Attempt {turn}: this time I look carefully.", calls=_calls(("read_file", {"path": "a.txt"})).calls
    ),
    "cycle": lambda turn: _calls(
        (("glob", {"pattern": "*"}), ("read_file", {"path": "a.txt"}), ("grep", {"pattern": "x"}))[turn % 3]
    ),
    "clock": lambda turn: _calls(("bash", {"command": "cat a.txt; date +%T; exit 3"})),
    "errors": lambda turn: _calls(("read_file", {"path": f"missing-{turn}.txt"})),
    "malformed": lambda turn: _calls(("read_file", {"nothing": turn})),
    "monologue": lambda turn: Turn(text=f"I think about it once more ({turn})."),
    "oscillation": lambda turn: _calls(("write_file", {"path": "b.txt", "content": "ab"[turn % 2]})),
    "plateau": lambda turn: _calls(
        ("write_file", {"path": "b.txt", "content": f"try {turn}"})
        if turn % 2
        else ("bash", {"command": "echo 'AssertionError: 3 != 4'; exit 1"})
    ),
    "stale": lambda turn: _calls(("bash", {"command": f"cat a.txt a.txt {'a.txt ' * (turn % 7)}| head -40"})),
    "claims": lambda turn: _calls(("finish", {"summary": f"It is done, look at {turn}."})),
}
"""Name → what is done in a turn, by the number of turns before."""


class StuckModel:
    """A `Policy`: `Loop: NAME` in the task says which loop it is in."""

    def __call__(self, request: RequestView) -> Turn:
        """The turn for `request`."""
        if request.is_handoff:
            return Turn(text="Nothing worked.")
        texts = _texts(request.messages)
        if any(ADVICE in text and text.startswith("<message-from-person>") for text in texts):
            if OUT in _inputs(request.messages):
                return _calls(("finish", {"summary": "Written."}))
            return _calls(("write_file", OUT))
        found = re.search(r"Loop: (\w+)", texts[0])
        assert found is not None, texts[0]
        return LOOPS[found[1]](request.turn_index)


def _calls(*calls: tuple[str, dict[str, Any]]) -> Turn:
    return Turn(calls=tuple(ScriptedCall(name=name, input=given) for name, given in calls))


def _texts(messages: list[dict[str, Any]]) -> list[str]:
    blocks = [block for message in messages if message["role"] == "user" for block in message["content"]]
    return [block["text"] for block in blocks if block["type"] == "text"]


def _inputs(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks = [block for message in messages if message["role"] == "assistant" for block in message["content"]]
    return [block["input"] for block in blocks if block["type"] == "tool_use"]
