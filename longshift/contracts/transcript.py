"""What the store keeps of a conversation: an epoch's base, and per step an answer, results and a seal.

Content blocks are kept as the provider sent them (thinking, text, tool_use, in order), because providers
demand them back unchanged (`docs/decisions/0002-transcript.md`). Nothing here renders or judges them:
`policy.transcript` does.
"""

from enum import StrEnum
from typing import Any

from longshift.contracts.model import CallDigest, Usage
from longshift.contracts.wire import Wire

Block = dict[str, Any]
"""One content block of the Messages API, kept as it came."""
Message = dict[str, Any]
"""`{"role": "user" | "assistant", "content": [Block, ...]}`"""


class Speaker(StrEnum):
    """Who wrote a message that is not the model's."""

    PERSON = "person"
    RUNNER = "runner"


class Note(Wire):
    """A message for the model from a person or from the runner."""

    speaker: Speaker
    text: str
    message_id: str = ""
    """The update id of a person's message; empty for the runner's own."""


class EpochCause(StrEnum):
    """Why an epoch was begun."""

    OPENING = "opening"
    """The agent's first."""
    HANDOFF = "handoff"
    """The context was compacted into a hand-off note."""
    CLEARING = "clearing"
    """Old tool results were cleared to make room; nothing else changed."""
    ROLLBACK = "rollback"
    """Steps were undone."""
    FORK = "fork"
    """Another session's conversation goes on here."""


class CarriedSteps(Wire):
    """Closed steps of an earlier epoch that a later one keeps: they follow its opening messages, and are not copied."""

    agent: str
    epoch: int
    """Where they were written."""
    first_step: int
    end_step: int
    """The first one that is not carried any more."""
    cleared: bool = False
    """Their tool results are shown as cleared."""
    foreign: bool = False
    """Another provider's model wrote them: its thinking is left out, and its call ids are replaced."""
    then: tuple[Message, ...] = ()
    """User messages that follow the last of them, such as a hand-off note that was written after it."""


class EpochBase(Wire):
    """What every request of an epoch starts with; its serialised bytes never change while the epoch lasts."""

    system: str
    tools: tuple[dict[str, Any], ...]
    """Tool definitions of the Messages API, sorted by name."""
    messages: tuple[Message, ...]
    """Opening messages; ends with a user message."""
    first_step: int
    """The step number with which this epoch starts."""
    handoff: "HandoffRecord | None" = None
    """The note that this epoch starts from; None where it starts from none."""
    carried: tuple[CarriedSteps, ...] = ()
    """Steps that follow the opening messages, in order."""
    cause: EpochCause = EpochCause.OPENING


class AnswerRecord(Wire):
    """The model's answer in one step, with its calls already checked."""

    content: tuple[Block, ...]
    """Blocks as received, except that a call with unusable arguments carries `{}`; may be empty."""
    stop_reason: str
    calls: tuple[CallDigest, ...]
    usage: Usage
    """What was paid for it, over all its requests."""
    unknown: Usage = Usage()
    """The part of it that no provider told: requests whose outcome is unknown, at their reservation."""
    context_tokens: int = 0
    """The size of the conversation with this answer."""
    context_bytes: int = 0
    """The same in bytes of JSON, less system prompt and tools."""
    bytes_per_token: float = 0.0
    """What the prompt had per token, by its `usage`; 0 where it was not counted."""
    model: str
    profile: str = ""
    """The model profile that was asked; empty in records of earlier releases."""
    notes: tuple[Note, ...] = ()
    """Messages that were delivered with the request, before this answer."""
    rejections: dict[str, str] = {}
    """Call index (as text) → the error result for the model, for calls that failed the format check."""
    truncated: bool = False
    """The output limit cut the answer inside a call; the cut call was left out."""
    leaked: bool = False
    """Calls arrived as text (a provider's special tokens leaked); none of them ran."""


class HandoffRecord(Wire):
    """A hand-off note: between two epochs, or at the end of an agent whose time or budget is used up."""

    note: str
    step: int
    """The first step that the note does not cover."""
    reason: str = ""
    usage: Usage = Usage()
    """What writing the note cost."""
    unknown: Usage = Usage()
    """The part of it that no provider told."""
    by_runner: bool = False
    """No model wrote it: it is made of the record."""
    plan: str = ""
    """Of an agent's last note: its plan as text."""
    changed_files: tuple[str, ...] = ()
    """Of an agent's last note: paths that differ from the base tree; at most 200."""
    changed_count: int = 0


class ResultRecord(Wire):
    """The result of one tool call, as the model will see it."""

    text: str
    is_error: bool = False


class SealedResult(Wire):
    """One line of a seal: which result answers which call."""

    call_id: str
    index: int
    text: str | None = None
    """The whole result where no result object was written (rejected or lost calls); else it is in its object."""
    is_error: bool = False
    generation: int = 1
    """The slot under which the result was written; a host that lost its slot writes where nobody looks."""


class SealRecord(Wire):
    """Closes a step: the results in the model's order, then the messages delivered with them."""

    results: tuple[SealedResult, ...] = ()
    notes: tuple[Note, ...] = ()


class SealInput(Wire):
    """Closes a step: the only word on the order of its results. Those without `text` are read from their objects."""

    agent: str
    epoch: int
    step: int
    results: tuple[SealedResult, ...] = ()
    notes: tuple[Note, ...] = ()
