"""`requeue`: one ended session leads to one new one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from longshift.adapters.store import open_store
from longshift.contracts import ids
from longshift.contracts.session import SessionInput, SessionState, SessionStatus
from longshift.contracts.task import TaskSpec
from longshift.requeue import requeue, task_for_requeue
from longshift.settings import load_settings
from longshift.taskfile import load_task
from tests.cli.conftest import Said
from tests.cli.queue_rig import control, submit

pytestmark = pytest.mark.engine

ENDS = {"broken": SessionState.FAILED, "dropped": SessionState.CANCELLED, "late": SessionState.EXPIRED}


@workflow.defn(name="Session")
class EndedSession:
    """A session that ends at once, as its task's id says; any other is done."""

    @workflow.run
    async def run(self, request: SessionInput) -> SessionStatus:
        task = request.task
        state = ENDS.get(task.id.partition(".")[0], SessionState.DONE)
        return SessionStatus(task_id=task.id, title=task.title, state=state, profile=request.profile)


@asynccontextmanager
async def ending(client: Client) -> AsyncGenerator[None]:
    """Sessions end."""
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=ids.CONTROL_QUEUE, workflows=[EndedSession], workflow_runner=runner):
        yield


async def ended(client: Client, said: Said, folder: Path, *task_ids: str) -> None:
    """Sessions that have ended, with their tasks in the store."""
    store = open_store(load_settings().store_url)
    async with ending(client):
        for task_id in task_ids:
            await submit(said, folder, task_id, priority=2)
            await client.get_workflow_handle(ids.session_workflow_id(task_id)).result()
            task = load_task(folder / f"{task_id}.md")
            await store.create(ids.task_key(task_id), orjson.dumps(task.model_dump(mode="json")))


async def test_what_has_ended_is_queued_again_once_and_knows_what_it_is_another_try_of(
    client: Client, said: Said, tmp_path: Path
) -> None:
    await ended(client, said, tmp_path, *ENDS)
    async with control():
        for task_id in ENDS:
            again = await said("requeue", task_id, "--json")
            expected = {"task_id": f"{task_id}.r2", "requeue_of": task_id, "is_new": True, "state": "queued"}
            assert (0, expected) == (again.code, again.document)
            same = await said("requeue", task_id)
            assert (0, True) == (same.code, "queued again before" in same.out)
            view = (await said("status", f"{task_id}.r2", "--json")).document
            assert (task_id, f"Mend {task_id}") == (view["requeue_of"], view["status"]["title"])
        assert "again of" in (await said("status", "broken.r2")).out
        running = await said("requeue", "broken.r2")
        assert (1, True) == (running.code, "is queued: only a session that has ended" in running.err)


async def test_two_people_at_once_get_one_session(client: Client) -> None:
    settings, store = load_settings(), open_store(load_settings().store_url)
    task = TaskSpec(id="broken", title="Mend it", instructions="Do it.")
    await store.create(ids.task_key("broken"), orjson.dumps(task.model_dump(mode="json")))
    found = await task_for_requeue(store, "broken")
    submissions = await asyncio.gather(*(requeue(client, settings, found, source="broken") for _ in range(4)))
    assert ([False, False, False, True], {"session/broken.r2"}) == (
        sorted(each.is_new for each in submissions),
        {each.handle.id for each in submissions},
    )


async def test_a_second_try_that_ended_leads_to_a_third_and_a_name_may_be_given(
    client: Client, said: Said, tmp_path: Path
) -> None:
    await ended(client, said, tmp_path, "broken.r2")
    assert "broken.r3" == (await said("requeue", "broken.r2", "--json")).document["task_id"]
    named = await said("requeue", "broken.r2", "--as", "other", "--json")
    assert (0, "other", True) == (named.code, named.document["task_id"], named.document["is_new"])
    taken = await said("requeue", "broken.r2", "--as", "broken.r2")
    assert (2, True) == (taken.code, "an id of its own" in taken.err)


async def test_what_is_done_or_forgotten_is_queued_again_by_force_only(
    client: Client, said: Said, tmp_path: Path
) -> None:
    await ended(client, said, tmp_path, "fine")
    done = await said("requeue", "fine")
    assert (1, True) == (done.code, "is done; to do it once more all the same, add --force" in done.err)
    assert 0 == (await said("requeue", "fine", "--force")).code

    forgotten = await said("requeue", "nobody")
    assert (2, True) == (forgotten.code, "no session has the id 'nobody'" in forgotten.err)
    unknown = await said("requeue", "nobody", "--force")
    assert (2, True) == (unknown.code, "the store has no task 'nobody'" in unknown.err)


@pytest.mark.parametrize(
    ("task_id", "expected"),
    [
        ("mend", "mend.r2"),
        ("mend.r2", "mend.r3"),
        ("mend.r99", "mend.r100"),
        ("mend.r0", "mend.r0.r2"),
        ("r2", "r2.r2"),
    ],
)
def test_the_next_id_counts_the_tries(task_id: str, expected: str) -> None:
    assert expected == ids.requeued_task_id(task_id)


def test_a_long_id_is_shortened_once_and_stays_a_task_s_id() -> None:
    second = ids.requeued_task_id("x" * 100)
    third = ids.requeued_task_id(second)
    assert (True, True, second.removesuffix("2")) == (
        ids.is_task_id(second),
        ids.is_task_id(third),
        third.removesuffix("3"),
    )
    assert second != ids.requeued_task_id("x" * 99 + "y")
