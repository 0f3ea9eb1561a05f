"""The same task once more: a new session for one that has ended, under an id derived from the old one.

Everything but the task is as a submission of today would have it: profile, limits, place in the queue.
"""

from pydantic import ValidationError
from temporalio.client import Client

from longshift.adapters.store import Store
from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.task import TaskSpec
from longshift.settings import Settings
from longshift.submission import Submission, submit


async def task_for_requeue(store: Store, task_id: str, new_id: str | None = None) -> TaskSpec:
    """The task as it was submitted, under `new_id`, or the next id after its own.

    Raises:
        BadInput: the store does not have it, it cannot be read any more, or `new_id` is its own.
        StoreError: the store does not answer.
    """
    if new_id == task_id:
        raise BadInput(f"--as: {new_id!r} is the session that has ended; give the new one an id of its own")
    body = await store.find(ids.task_key(task_id))
    if body is None:
        raise BadInput(
            f"the store has no task {task_id!r} (a worker keeps it when it takes a session up); submit its file again"
        )
    try:
        task = TaskSpec.model_validate_json(body)
    except ValidationError as error:
        raise BadInput(
            f"the stored task {task_id!r} is none that this release knows: {error.errors()[0]['msg']}"
        ) from None
    return task.model_copy(update={"id": new_id or ids.requeued_task_id(task_id)})


async def requeue(client: Client, settings: Settings, task: TaskSpec, *, source: str) -> Submission:
    """Submit what `task_for_requeue` gave for the session `source`: once, however often it is asked for.

    Raises as `submit` does.
    """
    return await submit(client, settings, task, memo={ids.REQUEUE_OF_MEMO: source})
