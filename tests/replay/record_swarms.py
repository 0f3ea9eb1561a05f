# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Keeps histories of swarms: `python -m tests.replay.record_swarms VERSION [CASE ...]`, as `record` does of sessions.

Swarms run with real items and agents on scripted activities; leads with a swarm that a script plays.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from temporalio.client import Client, WorkflowFailureError

from longshift.contracts import ids
from longshift.contracts.reviews import AskKind
from longshift.contracts.session import Steer
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemSeal
from longshift.contracts.swarm_activities import SealItemInput
from longshift.contracts.swarm_plan import ItemRow
from tests.replay.record import keep
from tests.workflows.conftest import dev_server, eventually
from tests.workflows.scripted import Script, digest_of
from tests.workflows.scripted_swarm import SwarmScript, rows, start_of, start_swarm, swarm_worker
from tests.workflows.swarm_doubles import Planning
from tests.workflows.test_delegating import a_script, delegating, open_question, result, say, until_at_work, until_heard
from workflows.session import Session

FIRST = ids.item_task_id("{}.swarm1", "i0")


def scope_kept_at_last(request: SealItemInput) -> ItemEnd:
    """The first seal is refused."""
    if request.attempt > 1:
        return request.end.model_copy(update={"seal": ItemSeal(attempt=2, key="k", files=1)})
    return request.end.model_copy(update={"failure": ItemFailure.OUT_OF_SCOPE, "reason": "docs/a.md"})


async def plain(client: Client, version: str, task_id: str) -> None:
    """Three items, one of which starts from the result of another."""
    plan = (ItemRow(id="i0"), ItemRow(id="i1", depends_on=("i0",)), ItemRow(id="i2"))
    script = Script([digest_of("write_file"), digest_of("finish")])
    async with swarm_worker(client, SwarmScript(), script):
        await (await start_swarm(client, start_of(task_id, *plan))).result()
    await keep_all(client, version, task_id, "swarm-plain")


async def continued(client: Client, version: str, task_id: str) -> None:
    """A swarm that continues as new as its items work: its first and last run, an item that outlives the first one."""
    script = Script([digest_of("write_file"), digest_of("bash"), digest_of("finish")])
    async with swarm_worker(client, SwarmScript(), script):
        handle = await start_swarm(client, start_of(task_id, *rows(12), history_events=30))
        await handle.result()
    await keep(client, handle.id, f"{version}~swarm-parting", run_id=handle.first_execution_run_id)
    await keep(client, handle.id, f"{version}~swarm-continued")
    items = [ids.item_workflow_id(ids.item_task_id(f"{task_id}.swarm1", row.id)) for row in rows(12)]
    outlived = [item for item in items if await has_told_its_end(client, item)]
    await keep(client, outlived[0], f"{version}~item-swarm-continued")


async def has_told_its_end(client: Client, item: str) -> bool:
    """Whether an item has told it by a signal."""
    history = await client.get_workflow_handle(item).fetch_history()
    signals = [event.signal_external_workflow_execution_initiated_event_attributes for event in history.events]
    return any(signal.signal_name == "item_ended" for signal in signals)


async def retried(client: Client, version: str, task_id: str) -> None:
    """A second attempt."""
    async with swarm_worker(client, SwarmScript(seal=scope_kept_at_last), Script([digest_of("finish")])):
        await (await start_swarm(client, start_of(task_id, *rows(1)))).result()
    await keep_all(client, version, task_id, "swarm-retried", agent="lead-2")


async def cancelled(client: Client, version: str, task_id: str) -> None:
    """A cancel while commands run."""
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with swarm_worker(client, SwarmScript(), script):
        handle = await start_swarm(client, start_of(task_id, *rows(2)))
        await eventually(lambda: len(script.tools) == 2)
        await handle.cancel()
        with suppress(WorkflowFailureError):
            await handle.result()
    await keep_all(client, version, task_id, "swarm-cancelled")


async def delegated(client: Client, version: str, task_id: str) -> None:
    """A session whose agent delegates; its swarm is paused, steered and goes on."""
    async with delegating(client, a_script(), task_id) as (running, swarm):
        await until_at_work(running, swarm)
        await running.handle.execute_update(Session.pause)
        await running.handle.execute_update(Session.resume)
        await running.handle.execute_update(Session.steer, Steer(text="use tabs", item="one"), id="s1")
        await until_heard(swarm)
        await swarm.tell(1, 20)
        await swarm.over(tokens=70)
        await result(running)
    await keep_lead(client, version, task_id, "delegated")


async def amended(client: Client, version: str, task_id: str) -> None:
    """A plan that a person changes and approves."""
    async with delegating(client, a_script(), task_id, Planning(), swarm={"review": "human"}) as (running, swarm):
        first = await open_question(running, AskKind.SWARM)
        await say(running, first, "amend", "strike two")
        await say(running, await open_question(running, AskKind.SWARM, other_than=first.ask.id), "approve")
        await until_heard(swarm)
        await swarm.over()
        await result(running)
    await keep_lead(client, version, task_id, "delegated-amended")


async def keep_all(client: Client, version: str, task_id: str, name: str, agent: str = ids.LEAD) -> None:
    """The swarm, its first item, and that item's agent."""
    item = FIRST.format(task_id)
    await keep(client, ids.swarm_workflow_id(f"{task_id}.swarm1"), f"{version}~{name}")
    await keep(client, ids.item_workflow_id(item), f"{version}~item-{name}")
    await keep(client, ids.agent_workflow_id(f"{item}/{agent}"), f"{version}~agent-{name}")


async def keep_lead(client: Client, version: str, task_id: str, name: str) -> None:
    """The session and its agent."""
    await keep(client, ids.session_workflow_id(task_id), f"{version}~session-{name}")
    await keep(client, ids.agent_workflow_id(ids.agent_id(task_id)), f"{version}~agent-{name}")


CASES: dict[str, Callable[[Client, str, str], Awaitable[None]]] = {
    "plain": plain,
    "continued": continued,
    "retried": retried,
    "cancelled": cancelled,
    "delegated": delegated,
    "amended": amended,
}


async def record(version: str, only: Sequence[str]) -> None:
    """Play and keep every case, or only these."""
    async with dev_server() as environment:
        for name in only or CASES:
            await CASES[name](environment.client, version, f"{name}-{version}")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1], sys.argv[2:]))
