"""The interceptor and the logging in a real worker, with the sandbox, against the real engine."""

import asyncio
from pathlib import Path

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from activities.boundary import ErrorBoundary
from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.contracts.activities import CheckpointInput
from longshift.contracts.errors import StoreMissing
from longshift.contracts.transcript import SealInput
from longshift.contracts.workspace import CheckpointDigest
from longshift.telemetry import ActivityTelemetry, Telemetry
from tests.ports import free_port
from tests.telemetry.conftest import Lines
from tests.telemetry.logging_workflow import Talkative

REQUEST: dict[str, object] = {
    "agent": "fix-1/lead",
    "epoch": 1,
    "step": 5,
    "workspace": {"workspace_id": "fix-1", "host_id": "h", "host_queue": "q", "root": "/w"},
}


@activity.defn
async def seal(request: SealInput) -> None:
    structlog.get_logger("activities.ledger").info("sealing", results=len(request.results))


@activity.defn
async def checkpoint(request: CheckpointInput) -> CheckpointDigest:
    raise StoreMissing(f"nothing to record for step {request.step}")


@pytest.mark.engine
async def test_lines_and_spans_of_a_session_belong_together(tmp_path: Path, lines: Lines) -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(spans=SimpleSpanProcessor(exporter))
    binary = await asyncio.to_thread(find_engine_binary)
    engine = EmbeddedEngine(tmp_path, binary=binary, search_attributes={}, ui=False, port=free_port())
    address = await engine.start()
    try:
        client = await Client.connect(
            address.address, data_converter=pydantic_data_converter, runtime=telemetry.runtime
        )
        async with Worker(
            client,
            task_queue="q",
            workflows=[Talkative],
            activities=[seal, checkpoint],
            interceptors=[ActivityTelemetry(telemetry), ErrorBoundary()],
        ):
            handle = await client.start_workflow(Talkative.run, REQUEST, id="agent/fix-1/lead", task_queue="q")
            with pytest.raises(WorkflowFailureError):
                await handle.result()
    finally:
        await engine.stop()
        telemetry.close()

    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {"seal", "checkpoint"} == spans.keys()
    assert "store_missing" == (spans["checkpoint"].attributes or {})["error.type"]
    tables = lines.tables()
    (workflows_line,) = [line for line in tables if line["event"] == "from the workflow"]
    (activitys_line,) = [line for line in tables if line["event"] == "sealing"]
    assert ("fix-1", "fix-1/lead", "start") == tuple(workflows_line[key] for key in ("session", "agent", "phase"))
    assert ("fix-1", "fix-1/lead", 5, "seal") == tuple(
        activitys_line[key] for key in ("session", "agent", "step", "activity")
    )
    assert spans["seal"].context is not None
    assert f"{spans['seal'].context.span_id:016x}" == activitys_line["span_id"]
    failures = [line for line in tables if "nothing to record for step 5" in str(line.get("exception"))]
    assert all("agent/fix-1/lead" == line["temporal.workflow_id"] for line in failures)
    assert failures
