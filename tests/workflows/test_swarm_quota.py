# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A swarm whose account has no quota for an hour: it waits, fails nobody, and goes on. Waiting is free."""

import asyncio
import uuid
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from longshift.contracts import ids
from longshift.contracts.item import ItemInput
from longshift.contracts.model import ModelOutcome
from longshift.contracts.swarm import ItemFailure, ItemStatus
from tests.workflows.conftest import eventually, skipping_server
from tests.workflows.scripted import Script, digest_of
from tests.workflows.scripted_swarm import (
    SwarmScript,
    count,
    events_of,
    rows,
    start_of,
    start_swarm,
    swarm_worker,
)
from tests.workflows.stub_item import ItemPlay

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

HOUR = 3_600.0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def skipping() -> AsyncGenerator[WorkflowEnvironment]:
    async with skipping_server() as environment:
        yield environment


@pytest.fixture
def client(skipping: WorkflowEnvironment) -> Client:
    return skipping.client


@pytest.fixture
def task_id() -> str:
    return f"q-{uuid.uuid4().hex[:8]}"


async def test_an_hour_without_quota_fails_nobody_and_costs_no_slot(client: Client, task_id: str) -> None:
    quota = digest_of(outcome=ModelOutcome.QUOTA, detail="the quota is used up", retry_after_seconds=HOUR)
    swarm, script = SwarmScript(), Script([digest_of("finish")])
    names = [f"{task_id}.swarm1.i{number}" for number in range(6)]
    script.answers_of = {name: [quota, digest_of("finish")] for name in names[:2]}
    async with swarm_worker(client, swarm, script):
        handle = await start_swarm(client, start_of(task_id, *rows(6), width=2))
        report = await asyncio.wait_for(handle.result(), 100)
    assert (6, 6) == (count(report, ItemStatus.MERGED), len(script.opened))
    assert set(names[:2]) == {asked.task_id for asked in script.asked[:2]}
    # Their slots were given back meanwhile, and taken again.
    assert [1, 2] == sorted({each.generation for each in swarm.slots if each.task_id in names[:2]})


async def test_an_item_of_an_earlier_run_that_was_terminated_is_found_and_begun_again(
    client: Client, task_id: str
) -> None:
    def play(request: ItemInput) -> ItemPlay:
        return ItemPlay(for_ever=request.item == "i0" and request.attempt == 1)

    swarm = SwarmScript(play=play)
    async with swarm_worker(client, swarm):
        handle = await start_swarm(client, start_of(task_id, *rows(12), width=3, history_events=30))
        await eventually(lambda: len(swarm.played) == 12)
        while len(await events_of(client, handle.id)) < 2:  # noqa: ASYNC110  # a history has no event to wait for
            await asyncio.sleep(0.2)
        await client.get_workflow_handle(ids.item_workflow_id(f"{task_id}.swarm1.i0")).terminate()
        report = await asyncio.wait_for(handle.result(), 100)
        lengths = await events_of(client, handle.id)
    assert len(lengths) > 1
    again = next(each for each in swarm.played if each.attempt == 2)
    assert (12, "i0", ItemFailure.LOST) == (count(report, ItemStatus.MERGED), again.item, again.before)
