"""Around every activity: log context, one span, its attributes, the counts. Which ones, `recipes` says."""

import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Self

import structlog
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, use_span
from temporalio import activity
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from longshift.telemetry import semconv
from longshift.telemetry.counters import ACTIVITY_FAILURES, Count
from longshift.telemetry.recipes import Attributes, Recipe, Told, recipe_for
from longshift.telemetry.session_trace import as_root, within_session
from longshift.telemetry.subject import Subject, subject_of
from longshift.telemetry.telemetry import Telemetry


class ActivityTelemetry(Interceptor):
    """Put it before the error boundary: it then sees failures as the engine does, with their kind."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Watch the activity."""
        return _Watched(next, self._telemetry)


class _Watched(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, telemetry: Telemetry) -> None:
        super().__init__(next)
        self._telemetry = telemetry

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        request = input.args[0] if input.args else None
        recipe, subject = recipe_for(info.activity_type), subject_of(request)
        fields = {**subject.log_fields(), "activity": info.activity_type, "attempt": info.attempt}
        endpoints = self._telemetry.endpoints
        with (
            structlog.contextvars.bound_contextvars(**fields),
            self._span(recipe, subject, request) as span,
            _Observed(span, info.activity_type, self._telemetry) as observed,
        ):
            observed.describe(recipe.asked(request, endpoints))
            begun = time.monotonic()
            result = await self.next.execute_activity(input)
            observed.succeeded(recipe.told(request, result, time.monotonic() - begun, endpoints))
            return result

    @contextmanager
    def _span(self, recipe: Recipe, subject: Subject, request: Any) -> Generator[Span]:
        info, tracer = activity.info(), self._telemetry.tracer
        name = recipe.span_name(request, info.activity_type, self._telemetry.endpoints)
        attributes = {semconv.ACTIVITY: info.activity_type, semconv.ATTEMPT: info.attempt, **_identity(subject)}
        if recipe.is_root:
            with as_root(subject.session):
                span = tracer.start_span(name, Context(), recipe.kind, attributes)
        else:
            parent = within_session(subject.session) if subject.session else Context()
            span = tracer.start_span(name, parent, recipe.kind, attributes)
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield span


class _Observed:
    """Writes onto a span; a failure that passes through is recorded and goes on."""

    def __init__(self, span: Span, activity_type: str, telemetry: Telemetry) -> None:
        self._span = span
        self._activity_type = activity_type
        self._counters = telemetry.counters
        self._redact = telemetry.redactor.text

    def describe(self, attributes: Attributes) -> None:
        """Set attributes, without secrets."""
        if not self._span.is_recording():
            return
        for name, value in attributes.items():
            self._span.set_attribute(name, self._redact(value) if isinstance(value, str) else value)

    def succeeded(self, told: Told) -> None:
        """The activity returned; what it returned may still tell of a failure."""
        self.describe(told.attributes)
        for event in told.events:
            self._span.add_event(event)
        if told.error:
            self._span.set_attribute(semconv.ERROR_TYPE, told.error)
            self._span.set_status(Status(StatusCode.ERROR, self._redact(told.detail)))
        self._counters.add(told.counts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if is_cancelled_exception(error):
            self._span.set_attribute(semconv.CANCELLED, True)
            return
        name = error.type if isinstance(error, ApplicationError) and error.type else type(error).__name__
        message = self._redact(str(error))
        self._span.set_attribute(semconv.ERROR_TYPE, name)
        self._span.set_status(Status(StatusCode.ERROR, message))
        stacktrace = self._redact("".join(traceback.format_exception(error)))
        self._span.record_exception(error, {"exception.message": message, "exception.stacktrace": stacktrace})
        labels = {semconv.ACTIVITY: self._activity_type, semconv.ERROR_TYPE: name}
        self._counters.add([Count(ACTIVITY_FAILURES, 1, labels)])


def _identity(subject: Subject) -> Attributes:
    given = {
        semconv.CONVERSATION_ID: subject.session,
        semconv.AGENT_ID: subject.agent,
        semconv.AGENT_NAME: subject.agent.rpartition("/")[2],
        semconv.STEP: subject.step,
    }
    return {name: value for name, value in given.items() if value is not None and value != ""}
