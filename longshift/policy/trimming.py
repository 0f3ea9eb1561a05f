"""Clearing old tool results, the cheapest way to make room: the calls stay, their output goes."""

from collections.abc import Callable, Sequence

from longshift.contracts.transcript import Message

CLEARED_SHARES = (0.5, 0.8, 1.0)
"""The oldest half of the conversation first, then more."""
CLEARED = "[output cleared to make room]"


def with_cleared_results(
    messages: Sequence[bytes], share: float, loads: Callable[[bytes], Message], dumps: Callable[[Message], bytes]
) -> list[bytes]:
    """The serialised messages, with the tool results in the oldest `share` of them replaced by a short mark."""
    count = int(len(messages) * share)
    cleared = [dumps(_cleared(loads(message))) for message in messages[:count]]
    return [*cleared, *messages[count:]]


def _cleared(message: Message) -> Message:
    if message["role"] != "user":
        return message
    content = [
        {**block, "content": CLEARED} if block.get("type") == "tool_result" else block for block in message["content"]
    ]
    return {**message, "content": content}
