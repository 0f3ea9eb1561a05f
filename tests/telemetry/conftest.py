"""Logging put back as it was, exporters in memory, and an activity run the way a worker runs it."""

import dataclasses
import io
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio import activity, workflow
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from longshift.telemetry import ActivityTelemetry, Redactor, Telemetry, configure_logging
from longshift.telemetry.logs import OURS
from longshift.telemetry.recipes import ModelEndpoint


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """`configure_logging` changes the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in OURS}
    flags = workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message = flags
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Lines(io.StringIO):
    """What was logged."""

    def tables(self) -> list[dict[str, Any]]:
        """Each line, parsed."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def lines(logging_restored: None) -> Lines:
    """JSON logging at debug level."""
    del logging_restored  # wanted for what it does
    stream = Lines()
    configure_logging("json", "debug", stream=stream)
    return stream


class Bare(ActivityInboundInterceptor):
    """The end of the chain: the activity itself."""

    def __init__(self) -> None:  # the SDK's own takes the next link; this is the last
        pass

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return await input.fn(*input.args)


@dataclass
class Watcher:
    """Runs activities under the interceptor and shows what it saw."""

    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    metrics: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    redactor: Redactor = field(default_factory=Redactor)

    def __post_init__(self) -> None:
        endpoints = {"kimi": ModelEndpoint("kimi-k2.6", "moonshot_ai", "api.moonshot.ai")}
        self.telemetry = Telemetry(
            spans=SimpleSpanProcessor(self.spans), metrics=self.metrics, endpoints=endpoints, redactor=self.redactor
        )

    async def run(self, name: str, body: Callable[..., Awaitable[Any]], *args: Any, attempt: int = 1) -> Any:
        """What `body` returns, run as the activity `name`."""
        return await run_watched(self.telemetry, name, body, *args, attempt=attempt)

    async def give(self, name: str, request: Any, result: Any) -> ReadableSpan:
        """The span of an activity that returns `result`."""

        async def body(_: Any) -> Any:
            return result

        assert result is await self.run(name, body, request)
        return self.spans.get_finished_spans()[-1]

    def counts(self) -> dict[tuple[str, ...], float]:
        """Name and labels' values → number, or how many durations were recorded."""
        data = self.metrics.get_metrics_data()
        found: dict[tuple[str, ...], float] = {}
        if data is None:
            return found
        for resource in data.resource_metrics:
            for metric in (each for scope in resource.scope_metrics for each in scope.metrics):
                for point in metric.data.data_points:
                    key = (metric.name, *sorted(str(value) for value in (point.attributes or {}).values()))
                    match point:
                        case NumberDataPoint():
                            found[key] = point.value
                        case HistogramDataPoint():
                            found[key] = point.count
                        case _:
                            raise AssertionError(point)
        return found


async def run_watched(
    telemetry: Telemetry, name: str, body: Callable[..., Awaitable[Any]], *args: Any, attempt: int = 1
) -> Any:
    """What `body` returns, run as the activity `name` under the interceptor."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, activity_type=name, attempt=attempt)
    chain = ActivityTelemetry(telemetry).intercept_activity(Bare())
    given = ExecuteActivityInput(fn=body, args=args, executor=None, headers={})
    return await environment.run(chain.execute_activity, given)


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    """Exporters in memory."""
    made = Watcher()
    yield made
    made.telemetry.close()
