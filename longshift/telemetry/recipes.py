"""One table: how the span of each activity is called, what it says, and what is counted. Pure.

An activity that is not in the table gets a span of its own name. Nothing else knows the activities' names.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from longshift.contracts.activities import CallModelInput, OpenSessionInput, WriteHandoffInput
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome, Usage
from longshift.contracts.stuck import Rung
from longshift.contracts.tools import RunToolInput, ToolDigest, ToolStatus
from longshift.contracts.transcript import Speaker
from longshift.contracts.workspace import CheckpointDigest, DeliveryDigest
from longshift.telemetry import counters, semconv
from longshift.telemetry.counters import Count

Attributes = Mapping[str, AttributeValue]


@dataclass(frozen=True)
class Told:
    """What a result tells."""

    attributes: Attributes = field(default_factory=dict[str, AttributeValue])
    counts: tuple[Count, ...] = ()
    error: str = ""
    """`error.type`, for a failure that is a value."""
    detail: str = ""
    events: tuple[str, ...] = ()
    """Names of events of the span."""


@dataclass(frozen=True)
class ModelEndpoint:
    """Where a profile's calls go."""

    model: str
    provider: str
    address: str


Endpoints = Mapping[str, ModelEndpoint]


@dataclass(frozen=True)
class Recipe:
    """How one kind of activity is shown."""

    span_name: Callable[[Any, str, Endpoints], str]
    asked: Callable[[Any, Endpoints], Attributes]
    told: Callable[[Any, Any, float, Endpoints], Told]
    """Of request, result, seconds."""
    kind: SpanKind = SpanKind.INTERNAL
    is_root: bool = False
    """Its span is the root of the session's trace."""


def recipe_for(activity_name: str) -> Recipe:
    """The table's line, or the plain one."""
    return RECIPES.get(activity_name, PLAIN)


def _plain_name(request: Any, activity_name: str, endpoints: Endpoints) -> str:
    del request, endpoints  # says nothing more
    return activity_name


def _nothing_asked(request: Any, endpoints: Endpoints) -> Attributes:
    del request, endpoints  # says nothing more
    return {}


def _nothing_told(request: Any, result: Any, seconds: float, endpoints: Endpoints) -> Told:
    del request, result, seconds, endpoints  # says nothing more
    return Told()


def _model(profile: str, endpoints: Endpoints) -> ModelEndpoint:
    return endpoints.get(profile) or ModelEndpoint(model=profile, provider=profile, address="")


def _chat_name(request: CallModelInput | WriteHandoffInput, activity_name: str, endpoints: Endpoints) -> str:
    del activity_name  # both kinds are chats
    return f"{semconv.CHAT} {_model(request.profile, endpoints).model}"


def _chat_asked(request: CallModelInput | WriteHandoffInput, endpoints: Endpoints) -> Attributes:
    endpoint = _model(request.profile, endpoints)
    return {
        semconv.OPERATION_NAME: semconv.CHAT,
        semconv.REQUEST_MODEL: endpoint.model,
        semconv.PROVIDER_NAME: endpoint.provider,
        semconv.SERVER_ADDRESS: endpoint.address,
        semconv.PROFILE: request.profile,
        semconv.EPOCH: request.epoch,
    }


def _chat_told(
    request: CallModelInput | WriteHandoffInput,
    result: ModelDigest | HandoffDigest,
    seconds: float,
    endpoints: Endpoints,
) -> Told:
    model = {semconv.REQUEST_MODEL: _model(request.profile, endpoints).model}
    outcome = {**model, semconv.OUTCOME: result.outcome.value}
    failed = "" if result.outcome is ModelOutcome.ANSWERED else result.outcome.value
    return Told(
        attributes={
            semconv.OUTCOME: result.outcome.value,
            semconv.COST_USD: result.cost_usd,
            semconv.CONTEXT_TOKENS: result.context_tokens,
            **_usage_attributes(result.usage),
            **(_answer_attributes(result) if isinstance(result, ModelDigest) else {}),
        },
        counts=(
            Count(counters.MODEL_CALLS, 0 if isinstance(result, HandoffDigest) and result.cleared else 1, outcome),
            Count(counters.PROVIDER_FAILURES, 1 if failed else 0, outcome),
            Count(counters.OPERATION_SECONDS, seconds, {**model, semconv.OPERATION_NAME: semconv.CHAT}),
            Count(counters.COST, result.cost_usd, model),
            Count(counters.STEPS, 1 if isinstance(request, CallModelInput) and request.seal else 0, {}),
            *_token_counts(result.usage, model),
            *_compactions(request, result),
        ),
        error=failed,
        detail=result.detail,
        events=tuple(_rungs(request)) if isinstance(request, CallModelInput) else (),
    )


def _rungs(request: CallModelInput) -> Iterable[str]:
    """What the runner tells an agent that is stuck, by the rung of the ladder."""
    for note in request.notes:
        rung = note.message_id.partition(" ")[0]
        if note.speaker is Speaker.RUNNER and rung in set(Rung):
            yield f"{semconv.RUNG}.{rung}"


def _compactions(request: CallModelInput | WriteHandoffInput, result: ModelDigest | HandoffDigest) -> Iterable[Count]:
    """A new epoch: by clearing old results, with a model's note, or with one made of the record."""
    if isinstance(result, HandoffDigest) and result.epoch > request.epoch:
        kind = "clearing" if result.cleared else "record" if result.by_runner else "note"
        yield Count(counters.COMPACTIONS, 1, {semconv.COMPACTION_KIND: kind})


def _usage_attributes(usage: Usage) -> Attributes:
    return {
        semconv.INPUT_TOKENS: usage.prompt_tokens,
        semconv.CACHE_READ_TOKENS: usage.cached_tokens,
        semconv.CACHE_CREATION_TOKENS: usage.cache_write_tokens,
        semconv.OUTPUT_TOKENS: usage.output_tokens,
    }


def _answer_attributes(result: ModelDigest) -> Attributes:
    fill = {semconv.CONTEXT_FILL: result.context_tokens / result.window_tokens} if result.window_tokens else {}
    reasons = {semconv.FINISH_REASONS: (result.stop_reason,)} if result.stop_reason else {}
    return {semconv.CALLS: len(result.calls), **fill, **reasons}


def _token_counts(usage: Usage, labels: Mapping[str, str]) -> Iterable[Count]:
    amounts = {
        "input": usage.input_tokens,
        "cached": usage.cached_tokens,
        "cache_write": usage.cache_write_tokens,
        "output": usage.output_tokens,
    }
    return (Count(counters.TOKENS, amount, {**labels, semconv.TOKEN_TYPE: kind}) for kind, amount in amounts.items())


def _tool_name(request: RunToolInput, activity_name: str, endpoints: Endpoints) -> str:
    del activity_name, endpoints  # quick or not, it is the same call
    return f"{semconv.EXECUTE_TOOL} {request.name}"


def _tool_asked(request: RunToolInput, endpoints: Endpoints) -> Attributes:
    del endpoints  # no model in it
    return {
        semconv.OPERATION_NAME: semconv.EXECUTE_TOOL,
        semconv.TOOL_NAME: request.name,
        semconv.TOOL_TYPE: "function",
        semconv.TOOL_CLASS: request.tool_class.value,
        semconv.EPOCH: request.epoch,
    }


_UNFINISHED = frozenset({ToolStatus.RUNNING, ToolStatus.ELSEWHERE})
"""A quick call that another activity takes over: counted there."""


def _tool_told(request: RunToolInput, result: ToolDigest, seconds: float, endpoints: Endpoints) -> Told:
    del endpoints  # no model in it
    labels = {semconv.TOOL_NAME: request.name}
    finished = (
        Count(counters.TOOL_CALLS, 1, {**labels, semconv.TOOL_STATUS: result.status.value}),
        Count(counters.TOOL_SECONDS, result.duration_seconds or seconds, labels),
    )
    return Told(
        attributes={semconv.TOOL_STATUS: result.status.value, semconv.RESULT_BYTES: result.result_bytes},
        counts=() if result.status in _UNFINISHED else finished,
        error=result.status.value if result.status in (ToolStatus.ERROR, ToolStatus.LOST) else "",
        detail=result.summary,
    )


def _session_asked(request: OpenSessionInput, endpoints: Endpoints) -> Attributes:
    del endpoints  # no model in it
    return {
        semconv.OPERATION_NAME: semconv.INVOKE_WORKFLOW,
        semconv.WORKFLOW_NAME: "session",
        semconv.TENANT: request.task.tenant,
        semconv.REPOSITORY: request.task.repository,
    }


def _session_name(request: OpenSessionInput, activity_name: str, endpoints: Endpoints) -> str:
    del activity_name, endpoints  # the root stands for the session
    return f"{semconv.INVOKE_WORKFLOW} session {request.task.id}"


def _step_told(request: Any, result: Any, seconds: float, endpoints: Endpoints) -> Told:
    del request, result, seconds, endpoints  # a seal closes a step, whatever is in it
    return Told(counts=(Count(counters.STEPS, 1, {}),))


def _checks_told(request: Any, result: ChecksDigest, seconds: float, endpoints: Endpoints) -> Told:
    del request, seconds, endpoints  # the digest says it
    return Told({semconv.CHECKS_PASSED: result.passed, semconv.CHECKS: result.headline})


def _checkpoint_told(request: Any, result: CheckpointDigest, seconds: float, endpoints: Endpoints) -> Told:
    del request, seconds, endpoints  # the digest says it
    return Told({semconv.TREE_HASH: result.tree_hash, semconv.CHANGED_FILES: result.changed_count})


def _delivery_told(request: Any, result: DeliveryDigest, seconds: float, endpoints: Endpoints) -> Told:
    del request, seconds, endpoints  # the digest says it
    return Told({semconv.CHANGED_FILES: result.changed_files})


PLAIN = Recipe(_plain_name, _nothing_asked, _nothing_told)
_CHAT = Recipe(_chat_name, _chat_asked, _chat_told, kind=SpanKind.CLIENT)
_TOOL = Recipe(_tool_name, _tool_asked, _tool_told)

RECIPES: Mapping[str, Recipe] = {
    "open_session": Recipe(_session_name, _session_asked, _nothing_told, is_root=True),
    "call_model": _CHAT,
    "write_handoff": _CHAT,
    "try_tool": _TOOL,
    "run_tool": _TOOL,
    "seal": Recipe(_plain_name, _nothing_asked, _step_told),
    "run_checks": Recipe(_plain_name, _nothing_asked, _checks_told),
    "checkpoint": Recipe(_plain_name, _nothing_asked, _checkpoint_told),
    "deliver": Recipe(_plain_name, _nothing_asked, _delivery_told),
}
