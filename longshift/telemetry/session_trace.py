"""One trace per session: its ids follow from the task's id, so every worker, host and restart adds to the same one."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

_root_of: ContextVar[str | None] = ContextVar("longshift_root_of", default=None)


@lru_cache(maxsize=1_000)
def session_span_context(task_id: str) -> SpanContext:
    """The ids of a session's trace and of its root span."""
    digest = hashlib.sha256(task_id.encode()).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16]) or 1,
        span_id=int.from_bytes(digest[16:24]) or 1,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def within_session(task_id: str) -> Context:
    """The context in which a span becomes part of the session's trace."""
    return set_span_in_context(NonRecordingSpan(session_span_context(task_id)), Context())


@contextmanager
def as_root(task_id: str) -> Generator[None]:
    """A span started within is the session's root: it takes the ids that all others refer to."""
    token = _root_of.set(task_id)
    try:
        yield
    finally:
        _root_of.reset(token)


class SessionIds(RandomIdGenerator):
    """Random ids, but for a session's root span."""

    def generate_trace_id(self) -> int:
        """The trace id of the session whose root is being started, else a random one."""
        task_id = _root_of.get()
        return session_span_context(task_id).trace_id if task_id else super().generate_trace_id()

    def generate_span_id(self) -> int:
        """The root's span id, else a random one."""
        task_id = _root_of.get()
        return session_span_context(task_id).span_id if task_id else super().generate_span_id()
