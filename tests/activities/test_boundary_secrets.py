"""What leaves an activity for the engine's database holds no known secret: neither a result nor any failure."""

from collections.abc import Awaitable, Callable

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.boundary import ErrorBoundary
from longshift.adapters.store import open_store
from longshift.contracts import ids
from longshift.contracts.errors import StoreUnavailable, WorkspaceFailed
from longshift.contracts.tools import ToolDigest, ToolStatus
from longshift.telemetry import Redactor

CANARY = "canary-9f8e7d6c5b4a"
REDACTOR = Redactor([CANARY])


class Body(ActivityInboundInterceptor):
    """The activity itself."""

    def __init__(self, work: Callable[[], Awaitable[object]]) -> None:
        self._work = work

    async def execute_activity(self, input: ExecuteActivityInput) -> object:
        return await self._work()


async def through(work: Callable[[], Awaitable[object]]) -> object:
    boundary = ErrorBoundary(clean_result=REDACTOR.known, clean_failure=REDACTOR.text)
    wrapped = boundary.intercept_activity(Body(work))
    asked = ExecuteActivityInput(fn=work, args=(), executor=None, headers={})
    return await ActivityEnvironment().run(wrapped.execute_activity, asked)


def words(error: BaseException | None) -> str:
    said = ""
    while error is not None:
        said += str(error)
        error = error.__cause__
    return said


async def test_a_result_is_cleaned_and_one_without_secrets_is_the_same_object() -> None:
    dirty = ToolDigest(index=0, status=ToolStatus.OK, summary=f"echo {CANARY}")
    clean = ToolDigest(index=0, status=ToolStatus.OK, summary="echo sk-" + "a1B2" * 6)

    async def first() -> ToolDigest:
        return dirty

    async def second() -> ToolDigest:
        return clean

    assert dirty.model_copy(update={"summary": "echo [redacted]"}) == await through(first)
    assert await through(second) is clean


@pytest.mark.parametrize(
    ("error", "kind", "is_final"),
    [
        (WorkspaceFailed(f"a {CANARY}"), "workspace_failed", True),
        (StoreUnavailable(f"a {CANARY}"), "store_unavailable", False),
        (ApplicationError(f"a {CANARY}", type="mine", non_retryable=True), "mine", True),
        (ValueError(f"a {CANARY}"), "ValueError", False),
    ],
)
async def test_a_failure_keeps_its_kind_and_loses_the_secret(error: Exception, kind: str, is_final: bool) -> None:
    async def work() -> object:
        raise error from KeyError(f"cause {CANARY}")

    with pytest.raises(ApplicationError) as failed:
        await through(work)
    found = failed.value
    assert (kind, is_final, False) == (found.type, found.non_retryable, CANARY in words(found))
    assert "a [redacted]" in str(found)


async def test_a_clean_failure_keeps_its_cause_and_a_clean_bug_goes_on_as_it_is() -> None:
    cause = KeyError("why")

    async def fails() -> object:
        raise WorkspaceFailed("a") from cause

    async def bug() -> object:
        raise ValueError("b")

    with pytest.raises(ApplicationError) as failed:
        await through(fails)
    assert failed.value.__cause__ is not None
    assert cause is failed.value.__cause__.__cause__
    with pytest.raises(ValueError, match="b"):
        await through(bug)


async def test_what_is_written_to_the_store_is_cleaned_but_for_what_must_stay_as_it_is() -> None:
    store = open_store("memory://", REDACTOR.known_bytes)
    body = f'{{"text":"{CANARY}"}}'.encode()
    assert b'{"text":"[redacted]"}' == await store.create(ids.result_key("t/lead", 1, 1, 0), body)
    assert b'{"text":"[redacted]"}' == await store.get(ids.result_key("t/lead", 1, 1, 0))
    verbatim = (
        ids.task_key("t"),
        ids.answer_key("t/lead", 1, 1),
        ids.artifact_key("t", "patch.diff"),
        ids.bundle_key("t", 1, 1, "a" * 64),
        ids.bundle_key("t", 1, 1, "a" * 64, 2),
    )
    assert [body] * 5 == [await store.create(key, body) for key in verbatim]
