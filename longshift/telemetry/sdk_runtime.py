"""The SDK's own core: its log lines join ours, its metrics are served for Prometheus when an address is given."""

import logging
from datetime import timedelta

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from longshift.contracts.errors import BadInput
from longshift.telemetry.counters import METRICS, SECONDS_BUCKETS

CORE_LOGGER = "temporalio.core"
LONG_METRICS = (
    "activity_execution_latency",
    "activity_succeed_endtoend_latency",
    "activity_schedule_to_start_latency",
    "local_activity_execution_latency",
    "local_activity_succeed_endtoend_latency",
    "workflow_endtoend_latency",
)
"""Their usual buckets end at a minute; our activities run for hours."""
HEARTBEAT_INTERVAL = timedelta(seconds=10)
"""How often workers tell the engine that they live, and how many of their slots are used. After a restart the engine
knows of none until they did."""


def sdk_runtime(metrics_address: str | None = None) -> Runtime:
    """A runtime for `Client.connect`; one per process.

    Raises:
        BadInput: the address cannot be bound.
    """
    ours = [f"{metric.name.replace('.', '_')}_seconds" for metric in METRICS if metric.is_duration]
    prometheus = (
        PrometheusConfig(
            bind_address=metrics_address,
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
            histogram_bucket_overrides=dict.fromkeys([*LONG_METRICS, *ours], SECONDS_BUCKETS),
        )
        if metrics_address
        else None
    )
    forwarding = LogForwardingConfig(logger=logging.getLogger(CORE_LOGGER))
    core_filter = TelemetryFilter(core_level="WARN", other_level="ERROR")
    try:
        return Runtime(
            telemetry=TelemetryConfig(
                logging=LoggingConfig(filter=core_filter, forwarding=forwarding), metrics=prometheus
            ),
            worker_heartbeat_interval=HEARTBEAT_INTERVAL,
        )
    except (RuntimeError, ValueError) as error:
        remedy = "set LONGSHIFT_METRICS_ADDRESS to a free host:port"
        raise BadInput(f"metrics_address: {metrics_address} cannot be used ({error}); {remedy}") from error
