"""What a message of ours carries unseen, so that it is found again: whose it is, and which one."""

from typing import Any, cast

from longshift.contracts.cards import PostInput

EVENT_TYPE = "longshift_message"
PAGE = 200
"""Messages per request of a history."""


def metadata_of(request: PostInput) -> dict[str, Any]:
    """What goes with a message."""
    message = request.message
    review = message.review.ask.id if message.review is not None else ""
    payload = {"task_id": request.card.task_id, "key": message.key, "review_id": review}
    return {"event_type": EVENT_TYPE, "event_payload": {name: value for name, value in payload.items() if value}}


def payload_of(message: dict[str, Any]) -> dict[str, Any]:
    """What a message of a history carries; empty if it is none of ours."""
    found: Any = message.get("metadata")
    if not isinstance(found, dict):
        return {}
    metadata = cast("dict[str, Any]", found)
    payload: Any = metadata.get("event_payload")
    is_ours = metadata.get("event_type") == EVENT_TYPE and isinstance(payload, dict)
    return cast("dict[str, Any]", payload) if is_ours else {}
