"""The same task once more: a new session for one that has ended, under an id derived from the old one.

Everything but the task is as a submission of today would have it: profile, limits, place in the queue.
"""

from temporalio.client import Client

from longshift.adapters.store import Store
from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.task import TaskSpec
from longshift.settings import Settings
from longshift.starting import stored_task
from longshift.submission import Submission, submit


async def task_for_requeue(store: Store, task_id: str, new_id: str | None = None) -> TaskSpec:
    """The task as it was submitted, under `new_id`, or the next id after its own.

    Raises:
        BadInput: the store does not have it, it cannot be read any more, or `new_id` is its own.
        StoreError: the store does not answer.
    """
    if new_id == task_id:
        raise BadInput(f"--as: {new_id!r} is the session that has ended; give the new one an id of its own")
    task = await stored_task(store, task_id)
    return task.model_copy(update={"id": new_id or ids.requeued_task_id(task_id)})


async def requeue(client: Client, settings: Settings, task: TaskSpec, *, source: str) -> Submission:
    """Submit what `task_for_requeue` gave for the session `source`: once, however often it is asked for.

    Raises as `submit` does.
    """
    return await submit(client, settings, task, memo={ids.REQUEUE_OF_MEMO: source})
