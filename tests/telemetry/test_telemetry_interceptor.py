"""Every activity gets a span in its session's trace, log context and counts, whatever becomes of it."""

import asyncio
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from temporalio.exceptions import ApplicationError

from longshift.contracts import activities as contract
from longshift.contracts.activities import (
    CallModelInput,
    CheckpointInput,
    DeliverInput,
    OpenSessionInput,
    PrepareWorkspaceInput,
    ReleaseInput,
    RunChecksInput,
    WriteHandoffInput,
)
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.model import CallDigest, HandoffDigest, ModelDigest, ModelOutcome, ToolClass, Usage
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.task import TaskSpec, WorkspaceSource
from longshift.contracts.tools import RunToolInput, ToolDigest, ToolStatus
from longshift.contracts.transcript import Note, SealInput, Speaker
from longshift.contracts.workspace import CheckpointDigest, DeliveryDigest, Workspace
from longshift.telemetry import Redactor, Telemetry
from longshift.telemetry.recipes import RECIPES
from longshift.telemetry.session_trace import session_span_context
from longshift.telemetry.subject import Subject, subject_of
from tests.telemetry.conftest import Lines, Watcher, run_watched

PLACE = Workspace(workspace_id="fix-1", host_id="h", host_queue="q", root="/w")
CALL = CallModelInput(agent="fix-1/lead", task_id="fix-1", profile="kimi", epoch=2, epoch_first_step=1, step=7)
HANDOFF = WriteHandoffInput(agent="fix-1/lead", task_id="fix-1", profile="kimi", epoch=2, epoch_first_step=1, step=7)
TOOL = RunToolInput(
    agent="fix-1/lead", epoch=2, step=7, index=0, name="bash", tool_class=ToolClass.EFFECT, workspace=PLACE
)
SEAL = SealInput(agent="fix-1/lead", epoch=1, step=3)
USAGE = Usage(input_tokens=10, cached_tokens=100, cache_write_tokens=5, output_tokens=20)
ANSWER = ModelDigest(
    outcome=ModelOutcome.ANSWERED,
    stop_reason="tool_use",
    calls=(CallDigest(index=0, call_id="c", name="bash", tool_class=ToolClass.EFFECT, arguments_hash="h"),),
    usage=USAGE,
    cost_usd=0.25,
    context_tokens=135,
    window_tokens=1_350,
)
TASK = TaskSpec(
    id="fix-1",
    title="T",
    instructions="I",
    workspace=WorkspaceSource(git="https://me:pass-word@host/x.git"),
    tenant="a",
)


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


async def test_model_call_is_a_chat_span_with_usage_cost_and_finish_reason(watcher: Watcher) -> None:
    span = await watcher.give("call_model", CALL, ANSWER)
    assert ("chat kimi-k2.6", SpanKind.CLIENT, StatusCode.UNSET) == (span.name, span.kind, span.status.status_code)
    expected: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "moonshot_ai",
        "gen_ai.request.model": "kimi-k2.6",
        "server.address": "api.moonshot.ai",
        "gen_ai.conversation.id": "fix-1",
        "gen_ai.agent.id": "fix-1/lead",
        "gen_ai.agent.name": "lead",
        "gen_ai.response.finish_reasons": ("tool_use",),
        "gen_ai.usage.input_tokens": 115,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "gen_ai.usage.output_tokens": 20,
        "longshift.profile": "kimi",
        "longshift.epoch": 2,
        "longshift.step": 7,
        "longshift.calls": 1,
        "longshift.cost_usd": 0.25,
        "longshift.context_tokens": 135,
        "longshift.context_fill": 0.1,
        "longshift.outcome": "answered",
        "longshift.activity": "call_model",
        "longshift.attempt": 1,
    }
    assert expected == dict(span.attributes or {})


async def test_model_call_is_counted_by_tokens_cost_and_time(watcher: Watcher) -> None:
    await watcher.give("call_model", CALL, ANSWER)
    await watcher.give(
        "write_handoff", HANDOFF, HandoffDigest(outcome=ModelOutcome.ANSWERED, usage=USAGE, cost_usd=0.5)
    )
    assert {
        ("longshift.model.calls", "answered", "kimi-k2.6"): 2,
        ("longshift.tokens", "input", "kimi-k2.6"): 20,
        ("longshift.tokens", "cached", "kimi-k2.6"): 200,
        ("longshift.tokens", "cache_write", "kimi-k2.6"): 10,
        ("longshift.tokens", "kimi-k2.6", "output"): 40,
        ("longshift.cost", "kimi-k2.6"): 0.75,
        ("gen_ai.client.operation.duration", "chat", "kimi-k2.6"): 2,
    } == watcher.counts()


@pytest.mark.parametrize("outcome", [each for each in ModelOutcome if each is not ModelOutcome.ANSWERED])
async def test_provider_failure_that_comes_as_a_value_is_an_error_on_the_span(
    watcher: Watcher, outcome: ModelOutcome
) -> None:
    failed = ModelDigest(outcome=outcome, detail="said no to sk-" + "a" * 20)
    span = await watcher.give("call_model", CALL, failed)
    assert (StatusCode.ERROR, "said no to [redacted]") == (span.status.status_code, span.status.description)
    assert outcome.value == (span.attributes or {})["error.type"]
    assert 1 == watcher.counts()["longshift.provider.failures", *sorted(["kimi-k2.6", outcome.value])]


async def test_profile_that_is_not_known_here_stands_for_its_model(watcher: Watcher) -> None:
    span = await watcher.give("call_model", CALL.model_copy(update={"profile": "other"}), ANSWER)
    assert "chat other" == span.name


@pytest.mark.parametrize("name", ["try_tool", "run_tool"])
async def test_tool_call_is_an_execute_tool_span(watcher: Watcher, name: str) -> None:
    span = await watcher.give(name, TOOL, ToolDigest(index=0, status=ToolStatus.OK, result_bytes=9))
    found = dict(span.attributes or {})
    assert ("execute_tool bash", SpanKind.INTERNAL) == (span.name, span.kind)
    assert ("execute_tool", "bash", "effect", "ok", 9, name) == tuple(
        found[key]
        for key in (
            "gen_ai.operation.name",
            "gen_ai.tool.name",
            "longshift.tool.class",
            "longshift.tool.status",
            "longshift.tool.result_bytes",
            "longshift.activity",
        )
    )
    assert {("longshift.tool.calls", "bash", "ok"): 1, ("gen_ai.execute_tool.duration", "bash"): 1} == watcher.counts()


@pytest.mark.parametrize("status", [ToolStatus.ERROR, ToolStatus.LOST])
async def test_tool_that_failed_is_an_error_on_the_span_and_counted_by_status(
    watcher: Watcher, status: ToolStatus
) -> None:
    span = await watcher.give("run_tool", TOOL, ToolDigest(index=0, status=status, summary="exit 1"))
    assert (StatusCode.ERROR, "exit 1") == (span.status.status_code, span.status.description)
    assert 1 == watcher.counts()["longshift.tool.calls", "bash", status.value]


@pytest.mark.parametrize("status", [ToolStatus.RUNNING, ToolStatus.ELSEWHERE])
async def test_quick_call_that_goes_on_elsewhere_is_not_counted_twice(watcher: Watcher, status: ToolStatus) -> None:
    span = await watcher.give("try_tool", TOOL, ToolDigest(index=0, status=status))
    assert StatusCode.UNSET == span.status.status_code
    assert {} == watcher.counts()


async def test_seal_counts_a_step(watcher: Watcher) -> None:
    await watcher.give("seal", SEAL, None)
    assert {("longshift.steps",): 1} == watcher.counts()


async def test_a_seal_that_a_model_call_brings_along_counts_a_step(watcher: Watcher) -> None:
    await watcher.give("call_model", CALL.model_copy(update={"seal": SEAL}), ModelDigest(outcome=ModelOutcome.ANSWERED))
    assert watcher.counts()["longshift.steps",] == 1


async def test_what_the_runner_tells_a_stuck_agent_is_an_event_of_the_call_that_brings_it(watcher: Watcher) -> None:
    said = [
        Note(speaker=Speaker.RUNNER, text="You seem stuck.", message_id="nudge 12"),
        Note(speaker=Speaker.RUNNER, text="Hurry.", message_id="wrap up"),
        Note(speaker=Speaker.PERSON, text="replan", message_id="replan 3"),
    ]
    span = await watcher.give("call_model", CALL.model_copy(update={"notes": tuple(said)}), ANSWER)
    assert ["longshift.stuck.nudge"] == [event.name for event in span.events]


async def test_checks_checkpoints_and_deliveries_tell_their_result(watcher: Watcher) -> None:
    checks = ChecksDigest(passed=False, results=(CheckResult(name="a", passed=False, detail=""),))
    status = SessionStatus(task_id="fix-1", title="T", state=SessionState.DONE, profile="p")
    spans = [
        await watcher.give("run_checks", RunChecksInput(workspace=PLACE, task_id="fix-1"), checks),
        await watcher.give(
            "checkpoint",
            CheckpointInput(workspace=PLACE, agent="fix-1/lead", step=2),
            CheckpointDigest(step=2, tree_hash="t", commit="c", changed_count=4),
        ),
        await watcher.give(
            "deliver", DeliverInput(workspace=PLACE, task_id="fix-1", status=status), DeliveryDigest(changed_files=5)
        ),
    ]
    assert ["run_checks", "checkpoint", "deliver"] == [span.name for span in spans]
    first, second, third = (dict(span.attributes or {}) for span in spans)
    assert (False, "0/1 checks green") == (first["longshift.checks.passed"], first["longshift.checks"])
    assert ("t", 4, 5) == (
        second["longshift.tree_hash"],
        second["longshift.changed_files"],
        third["longshift.changed_files"],
    )


async def test_all_activities_of_a_session_share_its_trace_across_workers(watcher: Watcher) -> None:
    other_worker = Watcher()
    root = await watcher.give("open_session", OpenSessionInput(task=TASK), None)
    spans = [
        await watcher.give("call_model", CALL, ANSWER),
        await other_worker.give("release_workspace", ReleaseInput(workspace=PLACE), None),
        await other_worker.give("prepare_workspace", PrepareWorkspaceInput(task_id="fix-1"), PLACE),
    ]
    other_session = await watcher.give("prepare_workspace", PrepareWorkspaceInput(task_id="fix-2"), PLACE)
    other_worker.telemetry.close()

    expected = session_span_context("fix-1")
    assert ("invoke_workflow session fix-1", None) == (root.name, root.parent)
    assert (expected.trace_id, expected.span_id) == (trace_id(root), span_id(root))
    for span in spans:
        assert span.parent is not None
        assert (expected.trace_id, expected.span_id) == (trace_id(span), span.parent.span_id)
    assert 4 == len({span_id(span) for span in [root, *spans]})
    assert expected.trace_id != trace_id(other_session)
    assert "https://[redacted]@host/x.git" == (root.attributes or {})["longshift.repository"]


async def test_activity_without_a_session_is_a_trace_of_its_own(watcher: Watcher) -> None:
    first, second = [await watcher.give("something", None, None) for _ in range(2)]
    assert ("something", None) == (first.name, first.parent)
    assert trace_id(first) != trace_id(second)


async def test_failure_is_recorded_with_its_kind_and_without_secrets() -> None:
    watcher = Watcher(redactor=Redactor(["house-secret"]))

    async def fail(_: Any) -> None:
        raise ApplicationError("cannot: house-secret", type="workspace_failed", non_retryable=True)

    with pytest.raises(ApplicationError, match="house-secret"):
        await watcher.run("run_tool", fail, TOOL, attempt=3)
    (span,) = watcher.spans.get_finished_spans()
    assert (StatusCode.ERROR, "workspace_failed: cannot: [redacted]") == (
        span.status.status_code,
        span.status.description,
    )
    found = dict(span.attributes or {})
    assert ("workspace_failed", 3) == (found["error.type"], found["longshift.attempt"])
    (event,) = span.events
    assert "exception" == event.name
    assert "house-secret" not in str(dict(event.attributes or {}))
    assert "cannot: [redacted]" in str((event.attributes or {})["exception.stacktrace"])
    assert {("longshift.activity.failures", "run_tool", "workspace_failed"): 1} == watcher.counts()
    watcher.telemetry.close()


async def test_bug_is_recorded_by_its_class_and_goes_on(watcher: Watcher) -> None:
    async def fail(_: Any) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await watcher.run("seal", fail, SEAL)
    assert {("longshift.activity.failures", "KeyError", "seal"): 1} == watcher.counts()


async def test_cancellation_is_no_failure(watcher: Watcher) -> None:
    async def cancelled(_: Any) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await watcher.run("run_tool", cancelled, TOOL)
    (span,) = watcher.spans.get_finished_spans()
    assert (StatusCode.UNSET, True) == (span.status.status_code, (span.attributes or {})["longshift.cancelled"])
    assert {} == watcher.counts()


async def test_lines_logged_within_have_the_ids_of_the_work_and_of_the_span(watcher: Watcher, lines: Lines) -> None:
    async def body(_: Any) -> ToolDigest:
        structlog.get_logger("longshift.x").info("working")
        return ToolDigest(index=0, status=ToolStatus.OK)

    await watcher.run("run_tool", body, TOOL, attempt=2)
    structlog.get_logger("longshift.x").info("after")
    within, after = lines.tables()
    (span,) = watcher.spans.get_finished_spans()
    assert {
        "session": "fix-1",
        "agent": "fix-1/lead",
        "step": 7,
        "activity": "run_tool",
        "attempt": 2,
        "trace_id": f"{trace_id(span):032x}",
        "span_id": f"{span_id(span):016x}",
    }.items() <= within.items()
    assert {"event", "level", "logger", "timestamp"} == set(after)


async def test_without_a_collector_lines_still_have_the_sessions_trace_id(lines: Lines) -> None:
    telemetry = Telemetry()

    async def body(_: Any) -> ToolDigest:
        structlog.get_logger("longshift.x").info("working")
        return ToolDigest(index=0, status=ToolStatus.OK)

    await run_watched(telemetry, "run_tool", body, TOOL)
    telemetry.close()
    assert f"{session_span_context('fix-1').trace_id:032x}" == lines.tables()[0]["trace_id"]


@pytest.mark.parametrize(
    ("request_value", "expected"),
    [
        (CALL, Subject("fix-1", "fix-1/lead", 7)),
        (TOOL, Subject("fix-1", "fix-1/lead", 7)),
        (OpenSessionInput(task=TASK), Subject("fix-1", "", None)),
        (ReleaseInput(workspace=PLACE), Subject("fix-1", "", None)),
        (SealInput(agent="fix-1/lead", epoch=1, step=1), Subject("fix-1", "fix-1/lead", 1)),
        (None, Subject()),
        ("text", Subject()),
    ],
)
def test_subject_is_read_from_the_fields_that_an_input_has(request_value: object, expected: Subject) -> None:
    assert expected == subject_of(request_value)


def test_table_names_only_activities_that_exist() -> None:
    classes = (
        contract.LedgerActivities,
        contract.ModelActivities,
        contract.ToolActivities,
        contract.WorkspaceActivities,
    )
    known = {name for each in classes for name in vars(each) if not name.startswith("_")}
    assert set(RECIPES) <= known
