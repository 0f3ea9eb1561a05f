"""What a model call returns, and what it tells while it runs."""

from dataclasses import dataclass

from longshift.contracts.model import Usage
from longshift.contracts.transcript import Block


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """How far an answer has come."""

    characters: int
    """Of text, thinking and tool arguments so far."""
    blocks: int
    seconds: float
    """Since the request was sent."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A complete answer: the provider said that it is."""

    content: tuple[Block, ...]
    """Blocks in order as received; `input` of a tool_use is a dict, empty where its JSON is no object."""
    raw_inputs: dict[int, str]
    """Index in `content` → the JSON text of a tool_use's arguments exactly as received (`{}` where none came)."""
    stop_reason: str
    """Any word of the provider's."""
    usage: Usage
    model: str
    request_id: str
    first_token_seconds: float
    duration_seconds: float
