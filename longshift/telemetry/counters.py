"""What is counted, and where the counts go: to OpenTelemetry, to the SDK's Prometheus endpoint, or both."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opentelemetry.metrics import Meter
from temporalio.common import MetricMeter

from longshift.telemetry import semconv

SECONDS_BUCKETS = (
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1_800.0,
    3_600.0,
    7_200.0,
)
"""Model and tool calls last from milliseconds to hours; the usual buckets end at a minute."""

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Metric:
    """One number that is kept."""

    name: str
    unit: str
    description: str
    is_duration: bool = False
    sdk_name: str = ""
    """Its name in the SDK's meter when that differs."""
    sdk_scale: int = 1
    """The SDK's counters hold whole numbers only; a count is multiplied by this first."""


STEPS = Metric("longshift.steps", "{step}", "Closed steps of agents")
TOKENS = Metric("longshift.tokens", "{token}", "Tokens as billed, by type")
COST = Metric("longshift.cost", "USD", "Cost of model calls", sdk_name="longshift_cost_micro_usd", sdk_scale=1_000_000)
MODEL_CALLS = Metric("longshift.model.calls", "{call}", "Model calls, by outcome")
PROVIDER_FAILURES = Metric("longshift.provider.failures", "{failure}", "Model calls without an answer, by outcome")
COMPACTIONS = Metric("longshift.compactions", "{compaction}", "Epochs begun to make room, by kind")
TOOL_CALLS = Metric("longshift.tool.calls", "{call}", "Tool calls that came to an end, by tool and status")
ACTIVITY_FAILURES = Metric("longshift.activity.failures", "{failure}", "Failed attempts, by activity and kind")
INTAKE_TASKS = Metric("longshift.intake.tasks", "{task}", "Tasks that came in, by source and what became of them")
OPERATION_SECONDS = Metric(semconv.OPERATION_DURATION, "s", "Duration of model calls", is_duration=True)
TOOL_SECONDS = Metric(semconv.TOOL_DURATION, "s", "Duration of tool calls", is_duration=True)

METRICS = (
    STEPS,
    TOKENS,
    COST,
    MODEL_CALLS,
    PROVIDER_FAILURES,
    COMPACTIONS,
    TOOL_CALLS,
    ACTIVITY_FAILURES,
    INTAKE_TASKS,
    OPERATION_SECONDS,
    TOOL_SECONDS,
)


@dataclass(frozen=True)
class Count:
    """One addition to a counter, or one recorded duration."""

    metric: Metric
    amount: float
    labels: Labels


class Counters:
    """Adds counts wherever they are wanted."""

    def __init__(self, meter: Meter, sdk_meter: MetricMeter) -> None:
        self._counters = {
            metric: meter.create_counter(metric.name, metric.unit, metric.description)
            for metric in METRICS
            if not metric.is_duration
        }
        self._histograms = {
            metric: meter.create_histogram(
                metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=SECONDS_BUCKETS
            )
            for metric in METRICS
            if metric.is_duration
        }
        self._sdk_counters = {
            metric: sdk_meter.create_counter(metric.sdk_name or _sdk_name(metric.name), metric.description)
            for metric in METRICS
            if not metric.is_duration
        }
        self._sdk_histograms = {
            metric: sdk_meter.create_histogram_float(f"{_sdk_name(metric.name)}_seconds", metric.description)
            for metric in METRICS
            if metric.is_duration
        }

    def add(self, counts: Iterable[Count]) -> None:
        """Record all of `counts`."""
        for count in counts:
            sdk_labels = {_sdk_name(key): value for key, value in count.labels.items()}
            if count.metric.is_duration:
                self._histograms[count.metric].record(count.amount, count.labels)
                self._sdk_histograms[count.metric].record(count.amount, sdk_labels)
            elif count.amount > 0:
                self._counters[count.metric].add(count.amount, count.labels)
                whole = round(count.amount * count.metric.sdk_scale)
                self._sdk_counters[count.metric].add(whole, sdk_labels)


def _sdk_name(name: str) -> str:
    return name.replace(".", "_")
