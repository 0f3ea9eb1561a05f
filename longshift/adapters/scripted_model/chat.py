"""Chat requests of the OpenAI shape, as Moonshot's estimator takes them: why one is refused, and its size."""

from collections.abc import Set
from typing import Any, cast

import orjson

from longshift.adapters.scripted_model.errors import ApiError, invalid
from longshift.adapters.scripted_model.prompt import tokens_of
from longshift.adapters.scripted_model.validation import blocks_of, is_text, model_refusal

_ROLES = ("system", "user", "assistant")
"""The roles that the estimator's reference page names, as strictly as it says so."""


def find_chat_problem(body: object, models: Set[str]) -> ApiError | None:
    """Why a strict estimator refuses `body`, or nothing. An empty `models` accepts any name."""
    if refusal := model_refusal(body, models):
        return refusal
    messages = cast(dict[str, Any], body).get("messages")
    if not isinstance(messages, list) or not messages:
        return invalid("messages: at least one message is required")
    for position, message in enumerate(blocks_of(cast(list[object], messages))):
        role = message.get("role")
        if role not in _ROLES:
            return invalid(f"messages.{position}.role: {role!r} is none of {', '.join(_ROLES)}")
        if not _has_content(message.get("content")):
            return invalid(f"the message at position {position} with role {role!r} must not be empty")
    return None


def chat_tokens(body: dict[str, Any]) -> int:
    """The size of a valid request, by the rule for prompts."""
    return tokens_of(len(orjson.dumps(body["messages"])))


def _has_content(content: object) -> bool:
    if isinstance(content, str):
        return bool(content.strip())
    parts = cast(list[object], content) if isinstance(content, list) else []
    return bool(parts) and all(is_text(part) for part in parts)
