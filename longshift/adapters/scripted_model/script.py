"""What is played: turns with their faults, scripts, repetitions. How they are sent is in `answer` and `stream`."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import Field, ValidationError

from longshift.adapters.scripted_model.conversation import RequestView
from longshift.contracts.errors import BadInput
from longshift.contracts.wire import UserInput


class FaultKind(StrEnum):
    """What goes wrong instead of, or within, an answer."""

    RATE_LIMITED = "rate_limited"
    """429 `rate_limit_reached_error`."""
    ENGINE_OVERLOADED = "engine_overloaded"
    """429 `engine_overloaded_error`."""
    OVERLOADED = "overloaded"
    """529 `overloaded_error`."""
    QUOTA = "quota"
    """429 `exceeded_current_quota_error`."""
    SERVER_ERROR = "server_error"
    """500."""
    UNAVAILABLE = "unavailable"
    """503."""
    GATEWAY_TIMEOUT = "gateway_timeout"
    """504 with an HTML page."""
    CONTENT_FILTER = "content_filter"
    """400 `content_filter`."""
    OVERFLOW = "overflow"
    """400, as if the prompt were longer than the window."""
    RESET = "reset"
    """The connection is reset before any header."""
    CUT = "cut"
    """The connection ends after `after_events` events."""
    ERROR_EVENT = "error_event"
    """`event: error` after `after_events` events, in a 200."""
    NO_END = "no_end"
    """The stream ends cleanly but without `message_stop`."""
    SILENT = "silent"
    """Nothing more after `after_events` events."""
    ENDLESS_PINGS = "endless_pings"
    """Only pings after `after_events` events, one every `seconds`."""
    SLOW = "slow"
    """`seconds` between events."""
    EMPTY = "empty"
    """An answer without content."""
    REFUSAL = "refusal"
    """Stop reason `refusal`."""
    DAMAGED_JSON = "damaged_json"
    """The first call's arguments get a code fence and a trailing comma: one reading is left."""
    BROKEN_JSON = "broken_json"
    """The first call's arguments are cut in the middle, while the answer claims to be whole."""


class Fault(UserInput):
    """One fault, for the first `times` requests that it meets."""

    kind: FaultKind
    times: int = Field(default=1, ge=1)
    retry_after_seconds: float | None = Field(default=0.0, ge=0)
    """The `Retry-After` header of 429, 503 and 529; none when empty."""
    after_events: int = Field(default=3, ge=0)
    seconds: float = Field(default=0.05, gt=0)
    message: str = ""
    """Replaces the error's usual words."""


class ScriptedCall(UserInput):
    """A tool call to make."""

    name: str
    input: dict[str, Any] = {}
    id: str = ""
    """Made from name and turn when empty, such as `functions.bash:7`."""
    raw_input: str | None = None
    """Sent instead of `input`, as it stands: for broken JSON."""


class Turn(UserInput):
    """One answer."""

    thinking: str = ""
    text: str = ""
    calls: tuple[ScriptedCall, ...] = ()
    stop_reason: str | None = None
    """`tool_use` or `end_turn` when empty."""
    answer_bytes: int = Field(default=0, ge=0)
    """The text is filled up to this size."""
    signed: bool = True
    """Whether thinking comes with a signature."""
    delay_seconds: float = Field(default=0.0, ge=0)
    """Before the first byte."""
    chunk_delay_seconds: float = Field(default=0.0, ge=0)
    """Before every event of a stream."""
    chunk_characters: int = Field(default=1_000, ge=1)
    """The size of a delta."""
    faults: tuple[Fault, ...] = ()
    """In order; once they are used up, the turn is played as it stands."""


Policy = Callable[[RequestView], Turn]
"""Chooses the turn. It must depend on the request alone, so that a retry gets the same answer."""

OVER = Turn(text="script is over")
HANDOFF = Turn(text="Notes of the work so far: see the plan and the list of changed files.")
VERDICT = Turn(text='{"verdict": "accept", "reasons": ["the changes do what the task asks for"], "missing": []}')
FINISH = Turn(calls=(ScriptedCall(name="finish", input={"summary": "Everything is done."}),))


class Script(UserInput):
    """Turns in order, then `script is over`. A `Policy`."""

    turns: tuple[Turn, ...]
    handoff: Turn = HANDOFF
    """The answer to hand-off requests; its tag is added."""
    verdict: Turn = VERDICT
    """The answer to a verifier's request."""

    def __call__(self, request: RequestView) -> Turn:
        """The turn for `request`."""
        if request.is_handoff:
            return self.handoff
        if request.is_verification:
            return self.verdict
        return self.turns[request.turn_index] if request.turn_index < len(self.turns) else OVER


class Repeat(UserInput):
    """One turn many times, then another once. A `Policy`."""

    turn: Turn
    """`{turn}` in its texts and in the strings of its arguments becomes the turn's index."""
    times: int = Field(ge=0)
    then: Turn = FINISH
    handoff: Turn = HANDOFF
    verdict: Turn = VERDICT

    def __call__(self, request: RequestView) -> Turn:
        """The turn for `request`."""
        index = request.turn_index
        if request.is_handoff:
            return self.handoff
        if request.is_verification:
            return self.verdict
        if index >= self.times:
            return self.then if index == self.times else OVER
        calls = tuple(
            call.model_copy(
                update={
                    "input": _filled(call.input, index),
                    "raw_input": _filled(call.raw_input, index),
                    "id": _filled(call.id, index),
                }
            )
            for call in self.turn.calls
        )
        return self.turn.model_copy(
            update={
                "thinking": _filled(self.turn.thinking, index),
                "text": _filled(self.turn.text, index),
                "calls": calls,
            }
        )


class ScriptFile(UserInput):
    """A script on disk: `turns`, or `repeat`."""

    turns: tuple[Turn, ...] = ()
    handoff: Turn = HANDOFF
    verdict: Turn = VERDICT
    repeat: Repeat | None = None


def load_policy(path: Path) -> Script | Repeat:
    """The script in a YAML or JSON file.

    Raises:
        BadInput: the file cannot be read or is no script.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        script = ScriptFile.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise BadInput(f"script {path}: {error}") from error
    if (script.repeat is None) == (not script.turns):
        raise BadInput(f"script {path}: it needs either turns or repeat")
    if script.repeat is not None:
        return script.repeat
    return Script(turns=script.turns, handoff=script.handoff, verdict=script.verdict)


def _filled(value: Any, index: int) -> Any:
    if isinstance(value, str):
        return value.replace("{turn}", str(index))
    if isinstance(value, dict):
        return {key: _filled(member, index) for key, member in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_filled(member, index) for member in cast(list[Any], value)]
    return value
