"""Refuses what strict providers refuse, in their words. Windows, keys and body limits are in `messages`."""

import re
from collections.abc import Set
from typing import Any, cast

import orjson

from longshift.adapters.scripted_model.errors import ApiError, invalid

_TOOL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,127}")
_SCHEMA_LIMIT_BYTES = 15_000
_USER_BLOCKS = frozenset({"text", "tool_result", "image", "document"})
_ASSISTANT_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_COUNTED_FIELDS = frozenset(
    {
        "model",
        "system",
        "tools",
        "messages",
        "thinking",
        "tool_choice",
        "output_config",
        "cache_control",
        "context_management",
        "mcp_servers",
    }
)
"""What the counting endpoint takes; it refuses fields that cannot change a prompt."""
_MOST_MARKERS = 4


def find_problem(body: object, models: Set[str], require_thinking: bool, counts_only: bool = False) -> ApiError | None:
    """Why a strict provider refuses `body`, or nothing. An empty `models` accepts any name."""
    if refusal := model_refusal(body, models):
        return refusal
    request = cast(dict[str, Any], body)
    problem = _counting_problem(request) if counts_only else _output_problem(request.get("max_tokens"))
    problem = problem or _sampling_problem(request) or _system_problem(request.get("system", ""))
    problem = problem or _tools_problem(request.get("tools", [])) or _roles_problem(request.get("messages"))
    if problem:
        return invalid(problem)
    problem = _Conversation(require_thinking).problem(request["messages"])
    problem = problem or _markers_problem(request)
    return invalid(problem) if problem else None


def model_refusal(body: object, models: Set[str]) -> ApiError | None:
    """Why `body` is no request to a model that is served here."""
    if not isinstance(body, dict):
        return invalid("the request body must be a JSON object")
    model = cast(dict[str, Any], body).get("model")
    if not isinstance(model, str) or not model:
        return invalid("model: field required")
    if models and model not in models:
        return ApiError(404, "resource_not_found_error", f"Not found the model {model} or Permission denied")
    return None


def _output_problem(output: object) -> str:
    if not isinstance(output, int) or isinstance(output, bool) or output < 1:
        return "max_tokens: must be an integer of at least 1"
    return ""


def _counting_problem(request: dict[str, Any]) -> str:
    extra = sorted(set(request) - _COUNTED_FIELDS)
    return f"{extra[0]}: Extra inputs are not permitted" if extra else ""


def _markers_problem(request: dict[str, Any]) -> str:
    lists = (request.get("tools"), request.get("system"), *(message["content"] for message in request["messages"]))
    found = sum(
        "cache_control" in block
        for content in lists
        if isinstance(content, list)
        for block in cast(list[dict[str, Any]], content)
    )
    found += "cache_control" in request
    if found > _MOST_MARKERS:
        return f"A maximum of {_MOST_MARKERS} blocks with cache_control may be provided. Found {found}."
    return ""


def _sampling_problem(request: dict[str, Any]) -> str:
    for name, fixed in (("temperature", 1), ("top_p", 0.95)):
        if name in request and request[name] != fixed:
            return f"invalid {name}: only {fixed} is allowed for this model"
    return ""


def _system_problem(system: object) -> str:
    if isinstance(system, str):
        return ""
    if isinstance(system, list) and all(is_text(block) for block in cast(list[object], system)):
        return ""
    return "system: must be a string or a list of text blocks"


def _tools_problem(tools: object) -> str:
    if not isinstance(tools, list):
        return "tools: must be a list"
    names: set[str] = set()
    for position, tool in enumerate(cast(list[object], tools)):
        if not isinstance(tool, dict):
            return f"tools.{position}: must be an object"
        definition = cast(dict[str, Any], tool)
        name = definition.get("name")
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
            return f"tools.{position}.name: is not a valid function name"
        if name in names:
            return f"function name {name} is duplicated"
        names.add(name)
        schema = definition.get("input_schema")
        if not isinstance(schema, dict) or cast(dict[str, Any], schema).get("type") != "object":
            return f"tools.{position}.input_schema: must be a schema of type object"
        if len(orjson.dumps(schema)) > _SCHEMA_LIMIT_BYTES:
            return f"tools.{position}.input_schema: is larger than {_SCHEMA_LIMIT_BYTES} bytes"
    return ""


def _roles_problem(messages: object) -> str:
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    for position, message in enumerate(cast(list[object], messages)):
        role = cast(dict[str, Any], message).get("role") if isinstance(message, dict) else None
        expected = "assistant" if position % 2 else "user"
        if role != expected:
            return f"messages: roles must alternate from user on, the message at position {position} is not {expected}"
    if len(cast(list[object], messages)) % 2 == 0:
        return "messages: the conversation must end with a user message"
    return ""


def is_text(block: object) -> bool:
    """Whether `block` is a text block that says something."""
    if not isinstance(block, dict):
        return False
    fields = cast(dict[str, Any], block)
    text = fields.get("text")
    return fields.get("type") == "text" and isinstance(text, str) and bool(text.strip())


def blocks_of(content: list[object]) -> list[dict[str, Any]]:
    """The blocks of a list; what is no object has no type."""
    return [cast(dict[str, Any], block) if isinstance(block, dict) else {} for block in content]


class _Conversation:
    """Walks through the messages once; roles are known to alternate."""

    def __init__(self, require_thinking: bool) -> None:
        self._require_thinking = require_thinking
        self._used_ids: set[str] = set()
        self._open_ids: set[str] = set()

    def problem(self, messages: list[dict[str, Any]]) -> str:
        for position, message in enumerate(messages):
            check = self._assistant_problem if position % 2 else self._user_problem
            if problem := check(position, message.get("content")):
                return problem
        return ""

    def _user_problem(self, position: int, content: object) -> str:
        if isinstance(content, str):
            if not content.strip():
                return f"the message at position {position} with role 'user' must not be empty"
            return self._unanswered(position)
        if not isinstance(content, list) or not content:
            return f"the message at position {position} with role 'user' must not be empty"
        results_are_over = False
        for block in blocks_of(cast(list[object], content)):
            kind = block.get("type")
            if kind not in _USER_BLOCKS:
                return f"messages.{position}: unsupported content type {kind!r}"
            if kind == "tool_result":
                call_id = block.get("tool_use_id")
                if not isinstance(call_id, str) or call_id not in self._open_ids:
                    return f"tool_call_id {call_id} is not found"
                if results_are_over:
                    return f"messages.{position}: tool_result blocks must come before other content"
                self._open_ids.discard(call_id)
                if problem := _result_problem(position, block):
                    return problem
            else:
                results_are_over = True
                if kind == "text" and not is_text(block):
                    return f"messages.{position}: text content blocks must be non-empty"
        return self._unanswered(position)

    def _unanswered(self, position: int) -> str:
        if not self._open_ids:
            return ""
        return (
            f"an assistant message with tool calls must be followed by their results: messages.{position} has none for "
            + ", ".join(sorted(self._open_ids))
        )

    def _assistant_problem(self, position: int, content: object) -> str:
        empty = f"the message at position {position} with role 'assistant' must not be empty"
        if isinstance(content, str):
            return "" if content.strip() else empty
        if not isinstance(content, list) or not content:
            return empty
        has_thinking = False
        for block in blocks_of(cast(list[object], content)):
            kind = block.get("type")
            if kind not in _ASSISTANT_BLOCKS:
                return f"messages.{position}: unsupported content type {kind!r}"
            if kind == "tool_use":
                if problem := self._call_problem(position, block):
                    return problem
            elif kind == "text":
                if not is_text(block):
                    return f"messages.{position}: text content blocks must be non-empty"
            else:
                has_thinking = True
        if self._require_thinking and self._open_ids and not has_thinking:
            return (
                "thinking is enabled but reasoning_content is missing in assistant tool call message "
                f"at index {position}"
            )
        return ""

    def _call_problem(self, position: int, block: dict[str, Any]) -> str:
        call_id, name = block.get("id"), block.get("name")
        if not isinstance(call_id, str) or not 0 < len(call_id) <= 128:
            return f"messages.{position}: a tool_use has no valid id"
        if call_id in self._used_ids:
            return f"messages.{position}: tool_use ids must be unique, {call_id} is not"
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
            return f"messages.{position}: {name!r} is not a valid function name"
        if not isinstance(block.get("input"), dict):
            return f"messages.{position}: the input of {call_id} must be an object"
        self._used_ids.add(call_id)
        self._open_ids.add(call_id)
        return ""


def _result_problem(position: int, block: dict[str, Any]) -> str:
    content = block.get("content", "")
    if isinstance(content, str):
        return ""
    kinds = {"text", "image", "document"}
    if isinstance(content, list) and all(
        isinstance(part, dict) and cast(dict[str, Any], part).get("type") in kinds
        for part in cast(list[object], content)
    ):
        return ""
    return f"messages.{position}: a tool_result's content must be a string or a list of blocks"
