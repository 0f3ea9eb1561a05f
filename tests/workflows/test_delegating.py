# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""An agent that delegates, on a real engine: plans, people, words to the swarm, what it spends, how it ends."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.service import RPCError

from longshift.contracts.reviews import Answer, AskKind, Review, ReviewState
from longshift.contracts.session import Extend, SessionState, SessionStatus, Steer, StrikeItem
from longshift.contracts.swarm_activities import AmendPlanInput, CriticisePlanInput
from longshift.contracts.swarm_plan import PlanDigest
from longshift.policy.slots import LOSSES
from longshift.sessions.failures import in_words
from tests.workflows.conftest import Running, a_task, scripted_worker, start, until_state
from tests.workflows.scripted import Host, Script, digest_of
from tests.workflows.swarm_doubles import DELEGATES, WORKFLOWS, Planning, SwarmAtWork, ToldSwarm, swarm_of
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def task_id() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


def a_script(*more: Any) -> Script:
    return Script([DELEGATES, *more, digest_of("finish")])


@asynccontextmanager
async def delegating(
    client: Client, script: Script, task_id: str, planning: Planning | None = None, **fields: Any
) -> AsyncGenerator[tuple[Running, SwarmAtWork]]:
    """A session whose agent calls `delegate` first."""
    hosts, limits = fields.pop("hosts", ()), fields.pop("limits", None)
    more = (planning or Planning()).activities
    async with scripted_worker(client, script, task_id, hosts=hosts, more=more, workflows=WORKFLOWS):
        running = await start(client, script, a_task(task_id, **fields), limits=limits)
        yield running, swarm_of(client, task_id)


async def until(is_so: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Poll until something is so; a workflow that is not there yet is waited for."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await is_so():
                    return
            except RPCError:
                pass
            await asyncio.sleep(0.05)


async def until_at_work(running: Running, swarm: SwarmAtWork) -> None:
    """The session knows of it, so that people may speak to it."""

    async def is_told() -> bool:
        await swarm.heard()
        status = await running.handle.query(Session.status)
        return status.agent != "" and await may_steer(running)

    async def may_steer(running: Running) -> bool:
        try:
            await running.handle.execute_update(Session.steer, Steer(text="are you there?", item="*"))
        except WorkflowUpdateFailedError:
            return False
        return True

    await until(is_told)


async def until_heard(swarm: SwarmAtWork, *words: str) -> list[str]:
    heard: list[str] = []

    async def is_heard() -> bool:
        heard[:] = await swarm.heard()
        return set(words) <= set(heard)

    await until(is_heard)
    return heard


async def open_question(running: Running, kind: AskKind, *, other_than: str = "") -> Review:
    found: list[Review] = []

    async def is_asked() -> bool:
        status = await running.handle.query(Session.status)
        found[:] = [
            each
            for each in status.reviews
            if each.state is ReviewState.OPEN and each.ask.kind is kind and each.ask.id != other_than
        ]
        return bool(found)

    await until(is_asked)
    return found[0]


async def say(running: Running, review: Review, option: str, text: str = "") -> str:
    answer = Answer(review=review.ask.id, option=option, text=text, by="Ada", via="cli", shown_hash=review.shown_hash)
    return await running.handle.execute_update(Session.answer, answer)


async def result(running: Running) -> SessionStatus:
    async with asyncio.timeout(40):
        return await running.result()


async def test_a_delegate_becomes_a_swarm_whose_result_is_the_calls(client: Client, task_id: str) -> None:
    script = a_script()
    async with delegating(client, script, task_id) as (running, swarm):
        await until_heard(swarm)
        begun = await swarm.handle.query(ToldSwarm.begun_with)
        assert (swarm.name, f"{task_id}/lead", 1, "aa11") == (begun.swarm, begun.lead, begun.step, begun.plan.hash)
        await swarm.over(tokens=70)
        status = await result(running)
    assert (SessionState.DONE, [swarm.name]) == (status.state, [each.swarm for each in status.swarms])
    assert (70 + 30, 4 + 2) == (status.spent.tokens, status.spent.steps)
    first = script.seals[0].results[0]
    assert (None, False) == (first.text, first.is_error)
    assert [swarm.name] == [each.swarm for each in status.agents[0].swarms]
    assert 1 in [each.step for each in script.checkpoints]


async def test_a_plan_that_is_refused_starts_nothing(client: Client, task_id: str) -> None:
    script = a_script()
    planning = Planning(plans=[PlanDigest(refused="items[0].goal: it is empty; say what is to be done")])
    async with delegating(client, script, task_id, planning) as (running, _):
        status = await result(running)
    assert (SessionState.DONE, ()) == (status.state, status.swarms)
    assert "items[0].goal" in (script.seals[0].results[0].text or "")


async def test_a_person_amends_and_approves_what_was_shown(client: Client, task_id: str) -> None:
    script, planning = a_script(), Planning()
    async with delegating(client, script, task_id, planning, swarm={"review": "human"}) as (running, swarm):
        first = await open_question(running, AskKind.SWARM)
        assert "aa11" in first.ask.question
        await say(running, first, "amend", "strike two")
        second = await open_question(running, AskKind.SWARM, other_than=first.ask.id)
        assert ("- two", "one", "two") == second.ask.evidence
        await say(running, second, "approve")
        await until_heard(swarm)
        assert "bb22" == (await swarm.handle.query(ToldSwarm.begun_with)).plan.hash
        await swarm.over()
        assert SessionState.DONE is (await result(running)).state
    assert ["strike two"] == [each.text for each in planning.asked if isinstance(each, AmendPlanInput)]


async def test_a_person_decides_against_a_plan(client: Client, task_id: str) -> None:
    script = a_script()
    async with delegating(client, script, task_id, swarm={"review": "human"}) as (running, _):
        await say(running, await open_question(running, AskKind.SWARM), "reject", "do it alone")
        status = await result(running)
    assert (SessionState.DONE, ()) == (status.state, status.swarms)
    assert "do it alone" in (script.seals[0].results[0].text or "")


async def test_a_critic_rejects_then_accepts(client: Client, task_id: str) -> None:
    script, planning = a_script(DELEGATES), Planning(verdicts=[False, True])
    async with delegating(client, script, task_id, planning, swarm={"review": "critic"}) as (running, _):
        second = swarm_of(client, task_id, 2)
        await until_heard(second)
        await second.over()
        status = await result(running)
    assert SessionState.DONE is status.state
    assert [1, 2] == [each.round for each in planning.asked if isinstance(each, CriticisePlanInput)]
    assert "too many" in (script.seals[0].results[0].text or "")
    assert 0.5 == status.spent.usd


async def test_what_people_say_reaches_the_swarm_in_order(client: Client, task_id: str) -> None:
    async with delegating(client, a_script(), task_id, budget={"tokens": 100_000}) as (running, swarm):
        await until_at_work(running, swarm)
        handle = running.handle
        assert "passed on to item one" == await handle.execute_update(Session.steer, Steer(text="hurry", item="one"))
        await handle.execute_update(Session.strike, StrikeItem(item="two", reason="not needed"))
        await handle.execute_update(Session.pause)
        await handle.execute_update(Session.resume)
        await handle.execute_update(Session.extend, Extend(tokens=500))
        heard = await until_heard(swarm, "extend 500")
        told = ["note one: hurry", "strike two: not needed", "paused True", "paused False", "extend 500"]
        assert told == [each for each in heard if each in told]
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(Session.strike, StrikeItem(item="No such"))
        assert "longshift swarm" in in_words(refused.value.cause)
        await swarm.over()
        assert SessionState.DONE is (await result(running)).state


async def test_without_a_swarm_there_is_nobody_to_steer(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], hold_model=asyncio.Event())
    async with delegating(client, script, task_id) as (running, _):
        await script.model_asked.wait()
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await running.handle.execute_update(Session.steer, Steer(text="hurry", item="one"))
        assert "no swarm is at work" in in_words(refused.value.cause)
        assert script.hold_model is not None
        script.hold_model.set()
        await result(running)


async def test_what_the_swarm_spends_is_the_sessions_at_once(client: Client, task_id: str) -> None:
    async with delegating(client, a_script(), task_id, budget={"tokens": 10_000}) as (running, swarm):
        await until_at_work(running, swarm)
        await swarm.tell(1, 9_000)

        async def is_told() -> bool:
            status = await running.handle.query(Session.status)
            return 9_015 == status.spent.tokens

        await until(is_told)
        await swarm.over(9_100)
        status = await result(running)
    assert 9_130 == status.spent.tokens


async def test_a_swarm_that_needs_a_person_asks_one_question_and_is_woken_by_its_answer(
    client: Client, task_id: str
) -> None:
    async with delegating(client, a_script(), task_id) as (running, swarm):
        await until_at_work(running, swarm)
        needs: dict[str, Any] = {"needs_person": True, "waiting_for": "1 waits: the key is not accepted"}
        await swarm.tell(1, 10, counts={"running": 1, "waiting": 1}, **needs)
        question = await open_question(running, AskKind.CONFIGURATION)
        assert "the key is not accepted" in question.ask.question
        await swarm.tell(2, 10, counts={"waiting": 2}, **needs)
        await until_state(running, SessionState.WAITING, kind="configuration")
        status = await running.handle.query(Session.status)
        assert [question.ask.id] == [each.ask.id for each in status.reviews]
        await say(running, question, "retry")
        await until_heard(swarm, "wake")
        await swarm.tell(3, 10, counts={"running": 2})
        await until_state(running, SessionState.RUNNING)
        await swarm.over()
        assert SessionState.DONE is (await result(running)).state


async def test_a_cancel_of_the_session_reaches_the_swarm_and_waits_for_it(client: Client, task_id: str) -> None:
    script = a_script()
    async with delegating(client, script, task_id) as (running, swarm):
        await until_at_work(running, swarm)
        await running.handle.execute_update(Session.cancel, "enough")
        status = await result(running)
        described = await swarm.handle.describe()
    assert (SessionState.CANCELLED, WorkflowExecutionStatus.CANCELED) == (status.state, described.status)
    assert script.seals[0].results[0].is_error


async def test_a_swarm_that_fails_waits_for_a_person_and_runs_again(client: Client, task_id: str) -> None:
    async with delegating(client, a_script(), task_id) as (running, swarm):
        await until_at_work(running, swarm)
        await swarm.tell(1, 50)
        await swarm.handle.signal(ToldSwarm.fail, "a bug")
        status = await until_state(running, SessionState.WAITING, kind="host")
        assert status.attention is not None
        assert "the swarm has ended without a report" in status.attention.text
        await running.handle.execute_update(Session.resume)
        again = swarm_of(client, task_id)

        async def is_new() -> bool:
            described = await again.handle.describe()
            return described.status is WorkflowExecutionStatus.RUNNING

        await until(is_new)
        await again.over(20)
        status = await result(running)
    assert (SessionState.DONE, 50 + 20 + 30) == (status.state, status.spent.tokens)


async def test_a_swarm_that_is_cancelled_by_itself_does_not_cancel_the_session(client: Client, task_id: str) -> None:
    async with delegating(client, a_script(), task_id) as (running, swarm):
        await until_at_work(running, swarm)
        await swarm.handle.cancel()
        await until_state(running, SessionState.WAITING, kind="host")
        await running.handle.execute_update(Session.cancel, "enough")
        assert SessionState.CANCELLED is (await result(running)).state


async def test_a_host_that_is_lost_and_the_next_one_are_told_to_the_swarm(client: Client, task_id: str) -> None:
    script = a_script()
    async with delegating(client, script, task_id, hosts=[Host()]) as (running, swarm):
        await until_at_work(running, swarm)
        script.lost.add(1)
        await until_heard(swarm, "lost 1", "granted 2")
        await swarm.over()
        assert SessionState.DONE is (await result(running)).state


async def test_a_lead_whose_sub_agents_work_is_not_suspected_of_taking_hosts_down(client: Client, task_id: str) -> None:
    script = a_script()
    async with delegating(client, script, task_id, hosts=[Host()]) as (running, swarm):
        await until_at_work(running, swarm)
        for lost in range(1, LOSSES + 1):
            script.lost.add(lost)
            await until_heard(swarm, f"granted {lost + 1}")
        await swarm.over()
        status = await result(running)
    assert (SessionState.DONE, ()) == (status.state, status.reviews)


async def test_a_host_that_is_about_to_stop_need_not_wait_for_the_swarm(client: Client, task_id: str) -> None:
    script = a_script()
    hosts = [Host("a"), Host("b")]
    async with delegating(client, script, task_id, hosts=hosts) as (running, swarm):
        await until_at_work(running, swarm)
        script.draining.add(1)
        hosts[0].is_full = True
        await until_heard(swarm, "granted 2")
        await swarm.over()
        assert SessionState.DONE is (await result(running)).state
    assert [("a", 1), ("b", 2)] == script.slots


async def test_time_that_is_up_ends_the_swarm_which_reports(client: Client, task_id: str) -> None:
    script = a_script()
    async with delegating(client, script, task_id, budget={"active_hours": 0.001}) as (running, swarm):
        await until_heard(swarm)

        async def is_ended() -> bool:
            return any(each.startswith("end budget.active_hours") for each in await swarm.heard())

        await until(is_ended)
        await swarm.over(5)
        status = await result(running)
    assert (SessionState.EXPIRED, 1) == (status.state, len(status.swarms))
    assert [None] == [each.text for each in script.seals[0].results]
