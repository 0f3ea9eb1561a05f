"""Sessions that go on from another one: whether that one can be gone on from, and the task that does so.

What such a session then begins with is in `adapters.context.openings`, where its files are from in
`adapters.workspace.checkpoint_descent`.
"""

from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.client import Client, RPCError, WorkflowExecutionStatus
from temporalio.service import RPCStatusCode

from longshift.adapters.store import Lineage, Store
from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.task import StartFrom, TaskSpec

ANSWER_SECONDS = 5.0


async def refuse_unusable(client: Client, store: Store, start: StartFrom) -> None:
    """Make sure that there is something to go on from.

    Raises:
        BadInput: there is not; the message names the field and the remedy.
        StoreUnavailable: the store cannot be read.
        RPCError: the engine does not answer.
    """
    session, lineage = start.session, Lineage(store)
    if await store.find(ids.task_key(session)) is None:
        raise BadInput(
            f"start_from.session: the store has no session {session!r} (a worker keeps it when it takes the session "
            "up); name one that it has"
        )
    if start.step is not None:
        return await _refuse_missing_step(lineage, start, start.step)
    if await _is_running(client, session):
        raise BadInput(
            f"start_from.session: {session!r} has not ended, so there is no hand-off note of it yet; wait for its end "
            f"or cancel it, or go on from one of its steps (start_from.step, longshift fork {session} --at-step N)"
        )
    if not await lineage.shifts(session):
        raise BadInput(
            f"start_from.session: {session!r} ended before its agent began, so there is nothing to go on from; submit "
            f"its task again (longshift requeue {session})"
        )
    return None


async def _refuse_missing_step(lineage: Lineage, start: StartFrom, step: int) -> None:
    agent = ids.agent_id(start.session, start.agent, start.shift)
    found = await lineage.writer(agent, step)
    if found is not None and await lineage.is_closed(found, step):
        return
    newest = await lineage.newest(agent)
    if newest is None:
        raise BadInput(f"start_from.shift: {start.session!r} has no agent {agent!r}; name a shift that has begun")
    last = await lineage.end_step(newest) - 1
    remedy = f"its last closed one is {last}; name that or an earlier one" if last else "wait until one is closed"
    raise BadInput(f"start_from.step: {agent!r} has no closed step {step}; {remedy}")


async def _is_running(client: Client, session: str) -> bool:
    handle = client.get_workflow_handle(ids.session_workflow_id(session))
    try:
        about = await handle.describe(rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and not error.message.startswith("Namespace "):
            return False  # the engine forgets what ended long ago
        raise
    return about.status is WorkflowExecutionStatus.RUNNING


async def stored_task(store: Store, task_id: str) -> TaskSpec:
    """The task as it was submitted.

    Raises:
        BadInput: the store does not have it, or it cannot be read any more.
        StoreError: the store does not answer.
    """
    body = await store.find(ids.task_key(task_id))
    if body is None:
        raise BadInput(
            f"the store has no task {task_id!r} (a worker keeps it when it takes a session up); submit its file again"
        )
    try:
        return TaskSpec.model_validate_json(body)
    except ValidationError as error:
        raise BadInput(
            f"the stored task {task_id!r} is none that this release knows: {error.errors()[0]['msg']}"
        ) from None


async def task_that_goes_on(
    store: Store,
    start: StartFrom,
    *,
    task_id: str | None = None,
    instructions: str | None = None,
    budget: dict[str, Any] | None = None,
) -> TaskSpec:
    """The task of the session that `start` names, as one that goes on from there: all that is not given stays.

    Raises:
        BadInput: the store does not have that task, or what is given does not fit.
        StoreError: the store does not answer.
    """
    task = await stored_task(store, start.session)
    derived = ids.forked_task_id(task.id, start.step) if start.step else ids.continued_task_id(task.id)
    given = {
        "id": task_id or derived,
        "start_from": start.model_dump(),
        "not_before": None,
        "budget": {**task.budget.model_dump(), **(budget or {})},
        **({"instructions": instructions} if instructions is not None else {}),
    }
    try:
        return TaskSpec.model_validate({**task.model_dump(), **given})
    except ValidationError as error:
        found = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, found['loc'])) or 'start_from'}: {found['msg']}") from None


async def newest_shift_with(store: Store, session: str, agent: str, step: int) -> int:
    """The last shift that has this step closed; 1 if none has.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    lineage = Lineage(store)
    for shift in range(await lineage.shifts(session, agent), 1, -1):
        found = await lineage.writer(ids.agent_id(session, agent, shift), step)
        if found is not None and await lineage.is_closed(found, step):
            return shift
    return 1
