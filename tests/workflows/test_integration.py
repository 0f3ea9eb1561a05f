"""The integration of a swarm on a real engine: merged, proved, mended, made again where a host is lost."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, Worker

from activities.boundary import ErrorBoundary
from longshift.contracts.reconciling import Reconciling
from longshift.contracts.swarm import ItemFailure
from longshift.contracts.workspace import Workspace
from longshift.workflow_runner import workflow_runner
from tests.policy.simulated_merging import rows_of
from tests.workflows.conftest import SOON
from tests.workflows.integrating import IntegrationRig, Merging, RigInput, mended

Handle = WorkflowHandle[IntegrationRig, tuple[str, ...]]


def on(host: str, generation: int = 1) -> Workspace:
    """The lead's workspace on a host of this test run."""
    return Workspace(workspace_id="mend", host_id=host, host_queue=f"test-{host}", root="/w", generation=generation)


@asynccontextmanager
async def running(client: Client, merging: Merging, request: RigInput, *hosts: str) -> AsyncGenerator[Handle]:
    """A rig, and workers of its hosts."""
    queue = f"rig-{uuid.uuid4().hex}"
    async with AsyncExitStack() as stack:
        worker = Worker(client, task_queue=queue, workflows=[IntegrationRig], workflow_runner=workflow_runner())
        await stack.enter_async_context(worker)
        for host in hosts:
            host_worker = Worker(
                client,
                task_queue=on(host).host_queue,
                activities=[merging.merge_items, merging.run_checks, merging.open_resolver],
                interceptors=[ErrorBoundary()],
                max_heartbeat_throttle_interval=SOON,
            )
            await stack.enter_async_context(host_worker)
        handle = await client.start_workflow(
            IntegrationRig.run, request, id=f"rig/{uuid.uuid4().hex}", task_queue=queue
        )
        yield handle


async def until(handle: Handle, is_so: Callable[[Reconciling], bool], *, seconds: float = 30) -> Reconciling:
    """Wait until the state is as wanted."""
    async with asyncio.timeout(seconds):
        while True:
            state = await handle.query(IntegrationRig.state)
            if is_so(state):
                return state
            await asyncio.sleep(0.05)


async def new_run(handle: Handle, before: str) -> None:
    """Wait until another run than `before` goes on."""
    async with asyncio.timeout(30):
        while True:
            if (await handle.describe()).run_id != before:
                return
            await asyncio.sleep(0.05)


async def trouble(handle: Handle) -> str:
    """Wait until something holds it up."""
    async with asyncio.timeout(30):
        while True:
            text = await handle.query(IntegrationRig.trouble)
            if text:
                return text
            await asyncio.sleep(0.05)


def host_name() -> str:
    return f"h-{uuid.uuid4().hex[:8]}"


async def test_items_are_merged_mended_and_dropped_and_the_history_replays(client: Client) -> None:
    merging = Merging(frozenset({"i001"}), frozenset({frozenset({"i002", "i003"})}))
    host = host_name()
    request = RigInput(rows=rows_of(5, {3: [2]}), workspace=on(host))
    async with running(client, merging, request, host) as handle:
        await handle.signal(IntegrationRig.seal, ["i000", "i001", "i002", "i003", "i004"])
        await until(handle, lambda state: len(state.mending) == 2 and all(each.is_open for each in state.mending))
        await handle.signal(IntegrationRig.mended, mended("i001.fix1", ItemFailure.STUCK))
        await handle.signal(IntegrationRig.mended, mended("i003.fix1"))
        await until(handle, lambda state: state.is_idle)
        await handle.signal(IntegrationRig.end)
        heard = await handle.result()
        why = "its work makes the checks red (tests), and the sub-agent that was to mend it ended with: in vain"
        assert sorted([*(f"i00{n} merged" for n in (0, 2, 3, 4)), f"i001 dropped {why}"]) == sorted(heard)
        conflict = next(each for each in merging.opened if each.item == "i003")
        red = next(each for each in merging.opened if each.item == "i001")
        assert 0 == conflict.red_checks_step
        assert red.red_checks_step > 0
        assert red.evidence is not None
        assert "boom" == red.evidence.results[0].detail
        replayer = Replayer(
            workflows=[IntegrationRig], workflow_runner=workflow_runner(), data_converter=client.data_converter
        )
        await replayer.replay_workflow(await handle.fetch_history())


async def test_on_a_lost_host_the_integration_is_made_again_on_the_next(client: Client) -> None:
    one, other = host_name(), host_name()
    merging = Merging(hanging={one})
    async with running(client, merging, RigInput(rows=rows_of(1), workspace=on(one)), one, other) as handle:
        await handle.signal(IntegrationRig.seal, ["i000"])
        await until(handle, lambda state: any("check" in call for call in merging.calls))
        await handle.signal(IntegrationRig.move, None)
        await handle.signal(IntegrationRig.move, on(other, 2))
        await until(handle, lambda state: state.is_idle)
        merging.hanging.clear()
        assert [
            f"{one}: merge i000 onto 0 as 1",
            f"{one}: check 1 as 1",
            f"{other}: merge  onto 1 as 1",
            f"{other}: check 1 as 1",
        ] == merging.calls
        await handle.signal(IntegrationRig.end)
        assert ("i000 merged",) == await handle.result()


async def test_it_waits_for_a_host_and_can_be_closed_meanwhile(client: Client) -> None:
    host = host_name()
    async with running(client, Merging(), RigInput(rows=rows_of(1)), host) as handle:
        await handle.signal(IntegrationRig.seal, ["i000"])
        await handle.signal(IntegrationRig.continue_as_new)
        await handle.signal(IntegrationRig.move, on(host))
        fresh: Handle = client.get_workflow_handle_for(IntegrationRig.run, handle.id)
        await until(fresh, lambda state: state.is_idle and state.integrated == 1)
        await fresh.signal(IntegrationRig.end)


async def test_a_new_run_goes_on_with_resolvers_that_are_at_work(client: Client) -> None:
    host = host_name()
    merging = Merging(conflicts=frozenset({frozenset({"i000", "i001"})}))
    request = RigInput(rows=rows_of(2, {1: [0]}), workspace=on(host))
    async with running(client, merging, request, host) as handle:
        await handle.signal(IntegrationRig.seal, ["i000", "i001"])
        await until(handle, lambda state: any(each.is_open for each in state.mending))
        fresh: Handle = client.get_workflow_handle_for(IntegrationRig.run, handle.id)
        await fresh.signal(IntegrationRig.continue_as_new)
        await new_run(fresh, handle.first_execution_run_id or "")
        await fresh.signal(IntegrationRig.mended, mended("i001.fix1"))
        await until(fresh, lambda state: state.is_idle)
        assert ["i001.fix1", "i001.fix1"] == await fresh.query(IntegrationRig.asked)
        assert ["i001"] == [each.item for each in merging.opened]
        assert ["i000 merged", "i001 merged"] == await fresh.query(IntegrationRig.heard)
        await fresh.signal(IntegrationRig.end)


async def test_what_failed_for_good_is_said_and_tried_again_when_somebody_has_mended_it(client: Client) -> None:
    host = host_name()
    merging = Merging(failure="the git of this host cannot merge")
    async with running(client, merging, RigInput(rows=rows_of(1), workspace=on(host)), host) as handle:
        await handle.signal(IntegrationRig.seal, ["i000"])
        assert "merging: WorkspaceFailed: the git of this host cannot merge" == await trouble(handle)
        merging.failure = ""
        await handle.signal(IntegrationRig.wake)
        await until(handle, lambda state: state.is_idle)
        assert "" == await handle.query(IntegrationRig.trouble)
        await handle.signal(IntegrationRig.end)
        assert ("i000 merged",) == await handle.result()


async def test_without_checks_none_are_run(client: Client) -> None:
    host = host_name()
    merging = Merging()
    request = RigInput(rows=rows_of(2), workspace=on(host), state=Reconciling(has_checks=False))
    async with running(client, merging, request, host) as handle:
        await handle.signal(IntegrationRig.seal, ["i000", "i001"])
        await until(handle, lambda state: state.is_idle and len(state.merged) == 2)
        assert [] == [call for call in merging.calls if "check" in call]
        await handle.signal(IntegrationRig.end)


async def test_what_is_taken_out_is_not_merged(client: Client) -> None:
    host = host_name()
    merging = Merging(hanging={host})
    async with running(client, merging, RigInput(rows=rows_of(2), workspace=on(host)), host) as handle:
        await handle.signal(IntegrationRig.seal, ["i000", "i001"])
        await until(handle, lambda state: any("check" in call for call in merging.calls))
        await handle.signal(IntegrationRig.drop, "i000")
        await until(handle, lambda state: "i000" in state.out)
        merging.hanging.clear()
        await until(handle, lambda state: state.is_idle)
        await handle.signal(IntegrationRig.end)
        assert ("i001 merged",) == await handle.result()
