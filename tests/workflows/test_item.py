# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Items with their agents through the real engine: slot, work, seal, what is given back, and what a cancel reaches."""

import asyncio
import uuid

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits
from longshift.contracts.errors import StoreUnavailable
from longshift.contracts.ledger import Allowance
from longshift.contracts.model import ModelOutcome
from longshift.contracts.slots import SlotKind
from longshift.contracts.swarm import (
    ItemEnd,
    ItemFailure,
    ItemNote,
    ItemSeal,
    ItemStatus,
    ItemWord,
    SwarmReport,
    SwarmSummary,
)
from longshift.contracts.swarm_activities import SealItemInput
from longshift.contracts.swarm_plan import ItemRow
from longshift.contracts.transcript import Note, Speaker
from tests.workflows.conftest import eventually
from tests.workflows.scripted import Script, digest_of
from tests.workflows.scripted_swarm import (
    SwarmScript,
    count,
    events_of,
    rows,
    start_of,
    start_swarm,
    swarm_worker,
    table_of,
)
from workflows.swarm import Swarm

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

S = ItemStatus


@pytest.fixture
def task_id() -> str:
    return f"n-{uuid.uuid4().hex[:8]}"


def item_of(task_id: str, item: str = "i0") -> str:
    """The task of an item."""
    return f"{task_id}.swarm1.{item}"


async def until_counted(handle: WorkflowHandle[Swarm, SwarmReport], status: ItemStatus, items: int) -> SwarmSummary:
    """Poll until so many items have a status."""
    async with asyncio.timeout(30):
        while (shown := (await table_of(handle)).summary).counts.get(status.value) != items:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return shown


async def test_an_item_works_in_a_slot_is_sealed_and_leaves_nothing(client: Client, task_id: str) -> None:
    swarm, script = SwarmScript(), Script([digest_of("write_file"), digest_of("finish")])
    async with swarm_worker(client, swarm, script):
        report = await (await start_swarm(client, start_of(task_id, *rows(1)))).result()
        item, agent = item_of(task_id), f"{item_of(task_id)}/lead"
        lengths = await events_of(client, ids.item_workflow_id(item))
    assert (1, 2, 30) == (count(report, S.MERGED), report.summary.steps, report.summary.spent.tokens)
    assert [(SlotKind.SUB_AGENT, item, 1)] == [(each.kind, each.task_id, each.generation) for each in swarm.slots]
    assert [(agent, 1, 2)] == [(each.agent, each.attempt, each.last_step) for each in swarm.sealed]
    assert ([item], [], 0) == ([each.workspace_id for each in swarm.given_back], swarm.discarded, script.released)
    assert lengths[0] < 40, lengths


async def test_what_a_seal_has_not_given_back_is_given_back_after_it(client: Client, task_id: str) -> None:
    swarm, script = SwarmScript(holds_on=True), Script([digest_of("finish")])
    async with swarm_worker(client, swarm, script):
        report = await (await start_swarm(client, start_of(task_id, *rows(1)))).result()
    assert ([item_of(task_id)], 1) == ([each.workspace_id for each in swarm.discarded], script.released)
    assert (1, 1) == (count(report, S.MERGED), len(swarm.slots))


async def test_a_slot_that_ended_with_a_seal_is_not_taken_again_before_the_seal_has_answered(
    client: Client, task_id: str
) -> None:
    def seal(request: SealItemInput) -> ItemEnd:
        holding = swarm.pool.holding(request.task_id)
        if holding is not None:
            holding.released.set()
            raise StoreUnavailable("the answer is lost: it is asked for again")
        return request.end.model_copy(update={"seal": ItemSeal(key="k", files=1)})

    swarm, script = SwarmScript(seal=seal), Script([digest_of("finish")])
    async with swarm_worker(client, swarm, script):
        report = await (await start_swarm(client, start_of(task_id, *rows(1)))).result()
    assert ([1], 2, 1) == ([each.generation for each in swarm.slots], len(swarm.sealed), count(report, S.MERGED))


async def test_a_second_attempt_goes_on_with_the_conversation_and_knows_why(client: Client, task_id: str) -> None:
    def seal(request: SealItemInput) -> ItemEnd:
        if request.attempt > 1:
            return request.end.model_copy(update={"seal": ItemSeal(attempt=2, key="k", files=1)})
        return request.end.model_copy(update={"failure": ItemFailure.OUT_OF_SCOPE, "reason": "docs/a.md"})

    swarm, script = SwarmScript(seal=seal), Script([digest_of("finish")])
    async with swarm_worker(client, swarm, script):
        report = await (await start_swarm(client, start_of(task_id, *rows(1)))).result()
    item = item_of(task_id)
    assert [(f"{item}/lead", "", False), (f"{item}/lead-2", f"{item}/lead", True)] == [
        (each.agent, each.handoff_from, each.keeps_conversation) for each in script.opened
    ]
    assert [1, 1_001] == [each.generation for each in swarm.slots]
    told = [note.text for asked in script.asked for note in asked.notes]
    assert 1 == len(told)
    assert "outside of your write scope (docs/a.md)" in told[0]
    assert 1 == count(report, S.MERGED)


async def test_a_worktree_that_cannot_be_made_fails_the_attempt_and_not_the_swarm(client: Client, task_id: str) -> None:
    swarm = SwarmScript(refuse=lambda request: "no space left" if request.task_id.endswith("i0") else "")
    script = Script([digest_of("finish")])
    async with swarm_worker(client, swarm, script):
        report = await (await start_swarm(client, start_of(task_id, *rows(2)))).result()
    assert {"failed": 1, "merged": 1} == report.summary.counts
    assert [1, 1_001] == [each.generation for each in swarm.slots if each.task_id.endswith("i0")]
    assert "no space left" in report.summary.troubled[0]


async def test_an_item_whose_host_is_lost_takes_another_slot_in_the_same_attempt(client: Client, task_id: str) -> None:
    swarm, model = SwarmScript(), asyncio.Event()
    script = Script([digest_of("write_file"), digest_of("finish")], hold_model=model, hold_model_from=2)
    async with swarm_worker(client, swarm, script):
        handle = await start_swarm(client, start_of(task_id, *rows(1)))
        await eventually(lambda: len(script.asked) == 2)
        swarm.lost.add((item_of(task_id), 1))
        await eventually(lambda: len(swarm.slots) == 2)
        model.set()
        report = await handle.result()
    assert ([1, 2], 1, 1) == ([each.generation for each in swarm.slots], len(script.opened), count(report, S.MERGED))


async def test_an_item_over_its_share_ends_without_asking_anybody(client: Client, task_id: str) -> None:
    swarm, script = SwarmScript(), Script([digest_of("write_file")])
    start = start_of(task_id, *rows(2), allowance=Allowance(steps=8), attempts=1)
    async with swarm_worker(client, swarm, script):
        report = await (await start_swarm(client, start)).result()
    assert ({"failed": 2}, 8) == (report.summary.counts, report.summary.spent.steps)
    assert {ItemFailure.OVER_BUDGET} == {each.end.failure for each in swarm.sealed}


async def test_a_cancel_reaches_agents_tools_slots_and_worktrees(client: Client, task_id: str) -> None:
    swarm = SwarmScript()
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with swarm_worker(client, swarm, script):
        handle = await start_swarm(client, start_of(task_id, *rows(3)))
        await eventually(lambda: len(script.tools) == 3)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert (3, 3, 3) == (script.killed, script.released, len(swarm.discarded))
    assert (["h"], []) == (swarm.swept, swarm.landed)


async def test_a_struck_item_is_cancelled_at_its_tool(client: Client, task_id: str) -> None:
    swarm = SwarmScript()
    hold = asyncio.Event()
    script = Script([digest_of("finish")], answers_of={item_of(task_id): [digest_of("bash")]}, hold_tools=hold)
    async with swarm_worker(client, swarm, script):
        handle = await start_swarm(client, start_of(task_id, *rows(2)))
        await script.tool_started.wait()
        await handle.signal(Swarm.strike, ItemWord(item="i0", by="ann"))
        report = await handle.result()
    assert ({"merged": 1, "struck": 1}, 1) == (report.summary.counts, script.killed)
    places = [[each.workspace_id.rpartition(".")[2] for each in where] for where in (swarm.discarded, swarm.given_back)]
    assert [["i0"], ["i1"]] == places


async def test_a_message_reaches_the_agent_of_its_item_with_the_next_call(client: Client, task_id: str) -> None:
    swarm, model = SwarmScript(), asyncio.Event()
    script = Script([digest_of("write_file"), digest_of("finish")], hold_model=model)
    script.answers_of = {item_of(task_id, f"i{n}"): [digest_of("write_file"), digest_of("finish")] for n in (0, 1)}
    async with swarm_worker(client, swarm, script):
        handle = await start_swarm(client, start_of(task_id, *rows(2)))
        await eventually(lambda: len(script.asked) == 2)
        note = Note(speaker=Speaker.PERSON, text="use tabs", message_id="m")
        await handle.signal(Swarm.deliver_note, ItemNote(item="i1", note=note))
        await asyncio.sleep(1.0)
        model.set()
        await handle.result()
    told = {asked.task_id.rpartition(".")[2]: asked.notes for asked in script.asked if asked.notes}
    assert ["use tabs"] == [each.text for each in told.pop("i1")]
    assert {} == told


async def test_while_the_key_is_wrong_nobody_begins_until_somebody_says_that_it_is_mended(
    client: Client, task_id: str
) -> None:
    wrong = digest_of(outcome=ModelOutcome.MISCONFIGURED, detail="auth: the key is not accepted")
    swarm, hold = SwarmScript(), asyncio.Event()
    script = Script([digest_of("finish")], hold_tools=hold)
    script.answers_of = {
        item_of(task_id): [wrong, digest_of("finish")],
        item_of(task_id, "i1"): [digest_of("bash"), digest_of("finish")],
    }
    async with swarm_worker(client, swarm, script):
        handle = await start_swarm(client, start_of(task_id, *rows(3), width=2))
        shown = await until_counted(handle, S.WAITING, 1)
        hold.set()
        await until_counted(handle, S.MERGED, 1)
        await asyncio.sleep(1.0)
        begun = len(script.opened)
        await handle.signal(Swarm.wake)
        report = await handle.result()
    assert (2, True, 3) == (begun, shown.needs_person, count(report, S.MERGED))
    assert "1 waits: auth: the key is not accepted" == shown.waiting_for


async def test_a_429_that_the_swarm_has_heard_of_is_not_told_again_at_the_end(client: Client, task_id: str) -> None:
    busy = digest_of(outcome=ModelOutcome.UNAVAILABLE, detail="429").model_copy(update={"throttled": 3})
    swarm, script = SwarmScript(), Script([busy, digest_of("finish").model_copy(update={"throttled": 2})])
    async with swarm_worker(client, swarm, script):
        handle = await start_swarm(client, start_of(task_id, *rows(1)))
        await until_counted(handle, S.WAITING, 1)
        await handle.signal(Swarm.wake)
        await handle.result()
    assert [2] == [each.end.throttled for each in swarm.sealed]


async def test_a_dependent_starts_from_what_is_integrated(client: Client, task_id: str) -> None:
    plan = (ItemRow(id="a"), ItemRow(id="b", depends_on=("a",)))
    swarm, script = SwarmScript(), Script([digest_of("finish")])
    async with swarm_worker(client, swarm, script):
        report = await (await start_swarm(client, start_of(task_id, *plan))).result()
    assert [("a", 0), ("b", 1)] == [(each.task_id.rpartition(".")[2], each.integration) for each in swarm.slots]
    assert 2 == count(report, S.MERGED)


async def test_the_share_of_an_item_is_its_agents_whole_budget(client: Client, task_id: str) -> None:
    swarm, script = SwarmScript(), Script([digest_of("finish")])
    start = start_of(
        task_id, *rows(2), allowance=Allowance(tokens=1_000), limits=AgentLimits(tokens=50_000, history_events=500)
    )
    async with swarm_worker(client, swarm, script):
        await (await start_swarm(client, start)).result()
    assert {500} == {asked.left.tokens for asked in script.asked}
