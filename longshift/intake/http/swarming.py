"""A session's swarms over HTTP: the table of items, the report of one, the plan."""

from starlette.responses import Response

from longshift.intake.http.answers import ItemDocument, PlanDocument, SwarmDocument, SwarmQuery
from longshift.intake.http.authority import require_visible, require_visible_in_store
from longshift.intake.http.documents import answered
from longshift.intake.http.endpoint import Call
from longshift.sessions.failures import SessionMissing
from longshift.sessions.swarms import read_item, read_plan, read_swarm


async def swarm(call: Call) -> Response:
    """Each item in a line."""
    task_id, name = await _wanted(call)
    view = await read_swarm(call.services.client, call.services.store, task_id, name)
    return answered(
        SwarmDocument(task_id=task_id, table=view.table, result=view.result, is_over=view.is_over, remark=view.remark)
    )


async def item(call: Call) -> Response:
    """One of them, with its report."""
    task_id, name = await _wanted(call)
    view = await read_item(call.services.client, call.services.store, task_id, call.path("item"), name)
    return answered(
        ItemDocument(task_id=task_id, swarm=view.swarm, line=view.line, report=view.report, agent=view.agent)
    )


async def plan(call: Call) -> Response:
    """The plan."""
    task_id, name = await _wanted(call)
    found = await read_plan(call.services.client, call.services.store, task_id, name)
    return answered(PlanDocument(task_id=task_id, plan=found))


async def _wanted(call: Call) -> tuple[str, str]:
    """Whose swarm, and which; a session that the engine has forgotten is looked for in the store."""
    query, task_id = call.query, call.path("task_id")
    assert isinstance(query, SwarmQuery)
    try:
        await require_visible(call, task_id)
    except SessionMissing:
        await require_visible_in_store(call, task_id)
    return task_id, query.swarm
