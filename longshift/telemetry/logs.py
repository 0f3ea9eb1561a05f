"""Logging, configured once per process: one line per event, on stderr, for people or as JSON.

Everything that uses the standard library's logging, the SDK included, goes through the same chain.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO, cast

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow

from longshift.telemetry.redaction import Known, Redactor

OURS = ("longshift", "workflows", "activities", "worker", "__main__", "temporalio.workflow", "temporalio.activity")
"""Loggers at the chosen level; the last two carry the lines of workflow and activity code. All others: warnings."""
TEMPORAL_FIELDS = ("workflow_id", "run_id", "workflow_type", "activity_type", "attempt", "task_queue")
"""What is kept of the tables that the SDK adds to its lines."""


def configure_logging(
    log_format: Literal["console", "json"],
    level: str = "info",
    *,
    secrets: Known = (),
    stream: TextIO | None = None,
) -> None:
    """Send all logging of this process to `stream` (stderr); a second call replaces the first."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            flatten_temporal,
            add_trace_ids,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            redacting(Redactor(secrets)),
            renderer,
        ],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(capture=True)
    # The tables come as fields of their own; without this they would also be pasted into each message.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def flatten_temporal(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The SDK's nested tables become `temporal.…` fields, and tell of which session a workflow's line is."""
    del logger, method  # part of every processor's signature
    for name in [key for key in event if key.startswith("temporal_")]:
        table = event.pop(name)
        if isinstance(table, MutableMapping):
            known = cast("MutableMapping[str, Any]", table)
            event.update({f"temporal.{field}": known[field] for field in TEMPORAL_FIELDS if field in known})
    kind, _, rest = str(event.get("temporal.workflow_id", "")).partition("/")
    if kind in ("session", "agent") and rest:
        event.setdefault("session", rest.partition("/")[0])
        if kind == "agent":
            event.setdefault("agent", rest)
    return event


def add_trace_ids(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The ids of the current span, as the collector shows them."""
    del logger, method  # part of every processor's signature
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def redacting(redactor: Redactor) -> Processor:
    """A processor that masks secrets in every field."""

    def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        del logger, method  # part of every processor's signature
        return redactor.table(event)

    return redact
