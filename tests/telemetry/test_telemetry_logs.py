"""One line per event, whoever logs it, with ids and without secrets."""

import logging
import warnings

import structlog
from opentelemetry.trace import get_current_span, use_span
from temporalio import workflow

from longshift.telemetry import configure_logging
from longshift.telemetry.session_trace import session_span_context, within_session
from tests.telemetry.conftest import Lines


def test_our_lines_and_those_of_the_standard_library_look_alike(lines: Lines) -> None:
    structlog.get_logger("longshift.a").info("hello %s", "there", bytes=3)
    logging.getLogger("longshift.b").warning("engine %d", 7, extra={"bytes": 3})
    ours, theirs = lines.tables()
    assert {"event", "level", "logger", "timestamp", "bytes"} == set(ours) == set(theirs)
    assert ("hello there", "info", "longshift.a") == (ours["event"], ours["level"], ours["logger"])
    assert ("engine 7", "warning", "longshift.b") == (theirs["event"], theirs["level"], theirs["logger"])


def test_only_ours_are_talkative(lines: Lines) -> None:
    for name in ("longshift.x", "workflows", "activities.model", "worker", "temporalio.workflow"):
        logging.getLogger(name).debug(name)
    for name in ("temporalio.worker", "temporalio.core", "httpx", "urllib3"):
        logging.getLogger(name).info(name)
        logging.getLogger(name).warning("trouble")
    events = [line["event"] for line in lines.tables()]
    assert ["longshift.x", "workflows", "activities.model", "worker", "temporalio.workflow"] == events[:5]
    assert ["trouble"] * 4 == events[5:]


def test_level_holds_for_ours(logging_restored: None) -> None:
    stream = Lines()
    configure_logging("json", "warning", stream=stream)
    structlog.get_logger("longshift.a").info("quiet")
    structlog.get_logger("longshift.a").error("loud")
    assert ["loud"] == [line["event"] for line in stream.tables()]


def test_bound_context_is_on_lines_of_both_kinds(lines: Lines) -> None:
    with structlog.contextvars.bound_contextvars(session="t", step=4):
        structlog.get_logger("longshift.a").info("one")
        logging.getLogger("longshift.b").info("two")
    logging.getLogger("longshift.b").info("three")
    assert [("t", 4), ("t", 4), (None, None)] == [(line.get("session"), line.get("step")) for line in lines.tables()]


def test_sdks_tables_are_flattened_and_tell_the_session(lines: Lines) -> None:
    table = {"workflow_id": "agent/fix-1/lead", "run_id": "r", "namespace": "default", "attempt": 2}
    logging.getLogger("temporalio.workflow").info("x", extra={"temporal_workflow": table})
    logging.getLogger("temporalio.workflow").info("y", extra={"temporal_workflow": {"workflow_id": "session/fix-1"}})
    logging.getLogger("temporalio.workflow").info("z", extra={"temporal_workflow": {"workflow_id": "other"}})
    agent, session, other = lines.tables()
    assert ("fix-1", "fix-1/lead", "r", 2) == (
        agent["session"],
        agent["agent"],
        agent["temporal.run_id"],
        agent["temporal.attempt"],
    )
    assert ("fix-1", "other") == (session["session"], other["temporal.workflow_id"])
    assert "agent" not in session
    assert "session" not in other
    assert "temporal.namespace" not in agent
    assert workflow.logger.workflow_info_on_message is False


def test_ids_of_the_current_span_are_on_the_line(lines: Lines) -> None:
    context = session_span_context("fix-1")
    with use_span(get_current_span(within_session("fix-1"))):
        structlog.get_logger("longshift.a").info("in")
    structlog.get_logger("longshift.a").info("out")
    within, without = lines.tables()
    assert (f"{context.trace_id:032x}", f"{context.span_id:016x}") == (within["trace_id"], within["span_id"])
    assert "trace_id" not in without


def test_secrets_are_masked_in_events_fields_and_tracebacks(logging_restored: None) -> None:
    stream = Lines()
    configure_logging("json", "info", secrets=["house-secret"], stream=stream)
    try:
        raise ValueError("house-secret in an exception")
    except ValueError:
        structlog.get_logger("longshift.a").exception("with house-secret", header={"authorization": "x"})
    logging.getLogger("longshift.b").error("%s", "house-secret")
    assert "house-secret" not in stream.getvalue()
    assert "ValueError: [redacted] in an exception" in stream.tables()[0]["exception"]
    assert {"authorization": "[redacted]"} == stream.tables()[0]["header"]


def test_console_lines_have_a_traceback_and_no_colour_in_a_file(logging_restored: None) -> None:
    stream = Lines()
    configure_logging("console", "info", stream=stream)
    try:
        raise ValueError("wrong")
    except ValueError:
        structlog.get_logger("longshift.a").exception("it broke", step=3)
    text = stream.getvalue()
    assert "it broke" in text
    assert "step=3" in text
    assert "ValueError: wrong" in text
    assert "\x1b[" not in text


def test_second_call_replaces_the_first_and_warnings_are_lines_too(lines: Lines) -> None:
    later = Lines()
    configure_logging("json", "info", stream=later)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("deprecated thing", stacklevel=1)
    logging.getLogger("longshift.a").info("once")
    assert "" == lines.getvalue()
    assert ["py.warnings", "longshift.a"] == [line["logger"] for line in later.tables()]


def test_value_that_json_does_not_know_does_not_break_the_line(lines: Lines) -> None:
    structlog.get_logger("longshift.a").info("odd", value=object(), raw=b"\xff", path={1, 2})
    assert "odd" == lines.tables()[0]["event"]
