# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""The window of a swarm through the real engine, with played items: 300 of them, continued, lost, cancelled, told."""

import asyncio
import uuid

import pytest
from temporalio.client import Client, WorkflowFailureError

from longshift.contracts import ids
from longshift.contracts.ledger import Allowance
from longshift.contracts.swarm import ItemFailure, ItemNote, ItemStatus, ItemWord
from longshift.contracts.swarm_plan import ItemRow
from longshift.contracts.transcript import Note, Speaker
from tests.workflows.conftest import eventually
from tests.workflows.scripted_swarm import (
    SwarmScript,
    count,
    events_of,
    failing_once,
    rows,
    start_of,
    start_swarm,
    swarm_worker,
    table_of,
)
from tests.workflows.slow_signals import SlowSignals
from tests.workflows.stub_item import ItemPlay
from workflows.swarm import Swarm

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

S = ItemStatus


@pytest.fixture
def task_id() -> str:
    return f"w-{uuid.uuid4().hex[:8]}"


def note(text: str) -> Note:
    return Note(speaker=Speaker.PERSON, text=text, message_id=text)


@pytest.mark.slow
async def test_300_items_are_each_begun_once_in_a_history_of_less_than_4000_events(
    client: Client, task_id: str
) -> None:
    swarm = SwarmScript()
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(300)))
        report = await handle.result()
        lengths = await events_of(client, handle.id)
    assert (300, 300, 600) == (count(report, S.MERGED), len(swarm.played), report.summary.steps)
    assert {f"i{number}" for number in range(300)} == {each.item for each in swarm.played}
    assert max(lengths) < 4_000, lengths
    assert (1, 300) == (len(swarm.landed), len(swarm.landed[0].ends))


async def test_a_swarm_that_continues_as_new_begins_nothing_twice(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=0.5))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(40), history_events=120))
        report = await handle.result()
        lengths = await events_of(client, handle.id)
    assert (40, 40, 1) == (count(report, S.MERGED), len(swarm.played), len(swarm.opened))
    assert len(lengths) > 2
    assert max(lengths) < 400, lengths


async def test_what_is_merged_while_the_lead_is_told_ends_the_swarm(client: Client, task_id: str) -> None:
    swarm = SwarmScript()
    async with swarm_worker(client, swarm, interceptors=[SlowSignals()]):
        report = await asyncio.wait_for((await start_swarm(client, start_of(task_id, *rows(1)))).result(), 30)
    assert 1 == count(report, S.MERGED)


async def test_dependents_start_after_what_they_need_is_merged(client: Client, task_id: str) -> None:
    swarm = SwarmScript()
    plan = (ItemRow(id="a"), ItemRow(id="b", depends_on=("a",)), ItemRow(id="c", depends_on=("b",)))
    async with swarm_worker(client, swarm):
        report = await (await start_swarm(client, start_of(task_id, *plan))).result()
    assert ["a", "b", "c"] == [each.item for each in swarm.played]
    assert [0, 1, 2] == [each.integration for each in swarm.played]
    assert 3 == count(report, S.MERGED)


async def test_a_failed_attempt_is_followed_by_one_that_knows_why(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=failing_once(ItemFailure.CHECKS_RED))
    async with swarm_worker(client, swarm):
        report = await (await start_swarm(client, start_of(task_id, *rows(3)))).result()
    assert (3, 12) == (count(report, S.MERGED), report.summary.steps)
    again = [each for each in swarm.played if each.attempt == 2]
    assert {(ItemFailure.CHECKS_RED, "as played")} == {(each.before, each.before_reason) for each in again}


async def test_what_fails_for_good_blocks_what_depends_on_it_and_the_rest_goes_on(client: Client, task_id: str) -> None:
    plan = (ItemRow(id="a"), ItemRow(id="b", depends_on=("a",)), ItemRow(id="c"))
    swarm = SwarmScript(play=lambda request: ItemPlay(failure=ItemFailure.STUCK if request.item == "a" else None))
    async with swarm_worker(client, swarm):
        report = await (await start_swarm(client, start_of(task_id, *plan))).result()
    assert {"failed": 1, "blocked": 1, "merged": 1} == report.summary.counts
    assert ("a: failed, as played", "b: blocked, a was not merged") == report.summary.troubled
    assert {"a": "failed", "b": "blocked", "c": "merged"} == swarm.landed[0].statuses


async def test_an_item_that_was_terminated_is_begun_again(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=300.0 if request.attempt == 1 else 0.0))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(1)))
        await eventually(lambda: bool(swarm.played))
        await client.get_workflow_handle(ids.item_workflow_id(f"{task_id}.swarm1.i0")).terminate()
        report = await handle.result()
    assert [(1, None), (2, ItemFailure.LOST)] == [(each.attempt, each.before) for each in swarm.played]
    assert 1 == count(report, S.MERGED)


async def test_a_cancelled_swarm_leaves_no_item_and_sweeps(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=300.0))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(8), width=4))
        await eventually(lambda: len(swarm.played) == 4)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        items = [client.get_workflow_handle(ids.item_workflow_id(f"{task_id}.swarm1.i{n}")) for n in range(4)]
        states = [(await item.describe()).status for item in items]
    assert ["COMPLETED"] * 4 == [state.name if state else "" for state in states]
    assert (4, ["h"], []) == (len(swarm.played), swarm.swept, swarm.landed)


async def test_a_paused_swarm_begins_nothing_and_tells_its_items(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=1.5))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(4), width=2))
        await eventually(lambda: len(swarm.played) == 2)
        await handle.signal(Swarm.set_paused, True)
        await asyncio.sleep(3.0)
        held = len(swarm.played)
        await handle.signal(Swarm.set_paused, False)
        report = await handle.result()
    assert (2, ["paused True"], 4) == (held, swarm.heard["i0"], count(report, S.MERGED))


async def test_a_message_reaches_one_item_or_all_also_those_that_begin_later(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=2.0))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(3), width=2))
        await eventually(lambda: len(swarm.played) == 2)
        await handle.signal(Swarm.deliver_note, ItemNote(item="i1", note=note("one")))
        await handle.signal(Swarm.deliver_note, ItemNote(note=note("all")))
        await handle.result()
    assert (["note all"], ["note one", "note all"]) == (swarm.heard["i0"], swarm.heard["i1"])
    late = next(each for each in swarm.played if each.item == "i2")
    assert ["all"] == [each.text for each in late.notes]


async def test_a_struck_item_is_cancelled_and_left_out(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=300.0 if request.item == "i0" else 0.0))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(2)))
        await eventually(lambda: len(swarm.played) == 2)
        await handle.signal(Swarm.strike, ItemWord(item="i0", reason="not wanted", by="ann"))
        report = await handle.result()
    assert {"struck": 1, "merged": 1} == report.summary.counts
    assert ("i0: struck, taken out by ann: not wanted",) == report.summary.troubled


async def test_whoever_mends_a_struck_item_is_cancelled(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(for_ever=request.item != "i0"), misfits=frozenset({"i0"}))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(1)))
        await eventually(lambda: len(swarm.played) == 2)
        await handle.signal(Swarm.strike, ItemWord(item="i0", by="ann"))
        report = await asyncio.wait_for(handle.result(), 20)
    assert (["i0", "i0.fix1"], {"struck": 1}) == ([each.item for each in swarm.played], report.summary.counts)


async def test_nobody_begins_to_mend_a_struck_item(client: Client, task_id: str) -> None:
    seconds = {"i0": 1.0, "i1": 6.0, "i0.fix1": 300.0}
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=seconds[request.item]), misfits=frozenset({"i0"}))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(2)))
        await eventually(lambda: len(swarm.played) == 2)
        await handle.signal(Swarm.set_paused, True)
        await eventually(lambda: len(swarm.mended) == 1)
        await handle.signal(Swarm.strike, ItemWord(item="i0", by="ann"))
        await handle.signal(Swarm.set_paused, False)
        report = await asyncio.wait_for(handle.result(), 20)
    assert ({"i0", "i1"}, {"struck": 1, "merged": 1}) == ({each.item for each in swarm.played}, report.summary.counts)


async def test_when_time_is_up_what_is_sealed_is_landed_and_nothing_more_begins(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=300.0 if request.item != "i0" else 0.0))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(6), width=2))
        await eventually(lambda: len(swarm.played) == 3)
        await handle.signal(Swarm.end, "time is up")
        report = await handle.result()
    assert ({"merged": 1, "cancelled": 5}, "time is up") == (report.summary.counts, report.reason)
    assert (3, ["end time is up"]) == (len(swarm.played), swarm.heard["i1"])
    assert "time is up" == swarm.landed[0].reason


async def has_been_refused(client: Client, swarm: str) -> bool:
    """Whether the newest run of a swarm was not let start a child, as the attempt before had not closed."""
    history = await client.get_workflow_handle(swarm).fetch_history()
    return any(event.HasField("start_child_workflow_execution_failed_event_attributes") for event in history.events)


async def closed_once_waited_for(client: Client, swarm: str, task_id: str) -> None:
    """Have an attempt close that lingers, as soon as the next one was refused because of it."""
    async with asyncio.timeout(20):
        while not await has_been_refused(client, swarm):  # noqa: ASYNC110  # a history has no event to wait for
            await asyncio.sleep(0.05)
    item = client.get_workflow_handle(ids.item_workflow_id(task_id))
    await item.signal("close")
    await item.result()


async def test_an_attempt_that_waits_for_the_one_before_to_close_hears_what_is_said_meanwhile(
    client: Client, task_id: str
) -> None:
    first = ItemPlay(failure=ItemFailure.STUCK, lingers=True)
    swarm = SwarmScript(play=lambda request: first if request.attempt == 1 else ItemPlay(for_ever=True))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(1)))
        await closed_once_waited_for(client, handle.id, f"{task_id}.swarm1.i0")
        await handle.signal(Swarm.end, "time is up")
        early = len(swarm.played)
        report = await asyncio.wait_for(handle.result(), 20)
    assert (1, ["end time is up"], {"cancelled": 1}) == (early, swarm.heard["i0"], report.summary.counts)


async def test_what_is_said_before_an_attempt_starts_is_told_before_the_swarm_continues_as_new(
    client: Client, task_id: str
) -> None:
    first = ItemPlay(failure=ItemFailure.STUCK, lingers=True)
    swarm = SwarmScript(play=lambda request: first if request.attempt == 1 else ItemPlay(seconds=2.0))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(1), history_events=12))
        await closed_once_waited_for(client, handle.id, f"{task_id}.swarm1.i0")
        for text in ("one", "two", "three"):
            await handle.signal(Swarm.deliver_note, ItemNote(item="i0", note=note(text)))
        early = len(swarm.played)
        await handle.result()
    assert (1, ["note one", "note two", "note three"]) == (early, swarm.heard["i0"])


@pytest.mark.slow
async def test_a_storm_of_429s_narrows_the_window_and_fails_nobody(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=0.2, throttled=3 if request.item == "i0" else 0))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(30), width=16))
        report = await handle.result()
    assert 30 == count(report, S.MERGED)
    assert report.summary.width < 16


async def test_the_budget_of_all_is_never_exceeded_by_their_shares(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(tokens=request.limits.tokens or 0))
    start = start_of(task_id, *rows(10), allowance=Allowance(tokens=1_000))
    async with swarm_worker(client, swarm):
        report = await (await start_swarm(client, start)).result()
    assert (10, 1_000) == (count(report, S.MERGED), report.summary.spent.tokens)


async def test_the_table_tells_each_item_in_the_order_of_the_plan(client: Client, task_id: str) -> None:
    swarm = SwarmScript(play=lambda request: ItemPlay(seconds=2.0))
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(3), width=1))
        await eventually(lambda: len(swarm.played) == 1)
        table = await table_of(handle)
        await handle.result()
    assert [("i0", "running", 1), ("i1", "pending", 0), ("i2", "pending", 0)] == [
        (line.item, line.status.value, line.attempt) for line in table.items
    ]
