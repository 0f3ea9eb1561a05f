"""Signals between sessions, agents, swarms and their items, gates and bulletins.

A receiver that has ended is no error: there is nothing left to tell.
"""

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from longshift.contracts import ids
from longshift.contracts.cards import SessionCard
from longshift.contracts.session import AgentStatus


async def to_parent(status: AgentStatus) -> None:
    """Tell the session where an agent stands; an agent without a session tells nobody."""
    parent = workflow.info().parent
    if parent is not None:
        await _send(parent.workflow_id, "agent_status", status)


async def to_agent(agent: str, name: str, value: object | None = None) -> None:
    """Send the signal `name` to an agent."""
    await _send(ids.agent_workflow_id(agent), name, value)


async def to_swarm(swarm: str, name: str, value: object | None = None) -> None:
    """Send the signal `name` to a swarm."""
    await _send(ids.swarm_workflow_id(swarm), name, value)


async def to_session(session: str, name: str, value: object | None = None) -> bool:
    """Send the signal `name` to a session; whether there was one."""
    return await _send(session, name, value)


async def to_item(task_id: str, name: str, value: object | None = None) -> bool:
    """Send the signal `name` to an item of a swarm, by the id of its task; whether it is at work."""
    return await _send(ids.item_workflow_id(task_id), name, value)


async def to_gate(key: str, name: str, value: object) -> None:
    """Send the signal `name` to the gate of a key."""
    await _send(ids.gate_workflow_id(key), name, value)


async def to_bulletin(task_id: str, card: SessionCard) -> bool:
    """Show what tells people of a session its newest card; whether there was one."""
    return await _send(ids.bulletin_workflow_id(task_id), "show", card)


async def _send(workflow_id: str, name: str, value: object | None) -> bool:
    handle = workflow.get_external_workflow_handle(workflow_id)
    try:
        await (handle.signal(name) if value is None else handle.signal(name, value))
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.info("signal %s to %s had no receiver: %s", name, workflow_id, error)
        return False
    return True
