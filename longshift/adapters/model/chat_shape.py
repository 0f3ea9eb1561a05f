"""A Messages-API prompt as chat messages of the OpenAI shape, for endpoints that count only that shape.

The count is all that matters here: nothing of this is ever answered. Moonshot documents its estimator with `role`
(system, user, assistant) and `content` (never empty) alone: no tools, calls, results or reasoning beside them
(platform.moonshot.ai/docs/api/estimate). A field that it did not know could be left out of the count, so everything is
put into `content`, in the words that Kimi's chat template puts it (calls by id and arguments, `## Return of ID`).
"""

from collections.abc import Iterator
from typing import Any, cast

import orjson

from longshift.adapters.model.request import ModelRequest


def chat_messages(request: ModelRequest) -> list[bytes]:
    """The prompt as serialised chat messages: system, tool definitions, then one for each message."""
    messages = [("system", request.system)]
    if request.tools:
        messages.append(("system", orjson.dumps([_function(tool) for tool in request.tools]).decode()))
    messages += [_chat_message(orjson.loads(message)) for message in request.messages]
    return [orjson.dumps({"role": role, "content": content}) for role, content in messages if content.strip()]


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    function = {
        "name": tool.get("name", ""),
        "description": tool.get("description", ""),
        "parameters": tool.get("input_schema", {}),
    }
    return {"type": "function", "function": function}


def _chat_message(message: dict[str, Any]) -> tuple[str, str]:
    role = "assistant" if message.get("role") == "assistant" else "user"
    return role, "\n".join(_texts(message.get("content")))


def _texts(content: object) -> Iterator[str]:
    """What the model reads of a message's, or a result's, content."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in cast("list[dict[str, Any]]", content):
            yield from _block_texts(block)


def _block_texts(block: dict[str, Any]) -> Iterator[str]:
    match block.get("type"):
        case "text" | "thinking" as kind:
            yield str(block.get(kind) or "")
        case "tool_use":
            yield f"{block.get('id')} {block.get('name')} {orjson.dumps(block.get('input') or {}).decode()}"
        case "tool_result":
            yield f"## Return of {block.get('tool_use_id')}"
            yield from _texts(block.get("content"))
        case _:
            # Rather too many tokens than too few.
            yield orjson.dumps(block).decode()
