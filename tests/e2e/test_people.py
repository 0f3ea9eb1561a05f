"""A question to people outlives everything: worker, engine and gateway killed, Slack down, answers lost."""

import asyncio
from pathlib import Path

import pytest

from longshift.adapters.fake_slack import ADA, BOB, FakeSlack, Fault, FaultKind
from longshift.adapters.scripted_model import Script, ScriptedCall, Turn
from longshift.contracts import ids
from longshift.contracts.reviews import ReviewState
from longshift.contracts.session import SessionState
from longshift.contracts.stuck import Rung
from tests.e2e.people_scene import CHANNELS, variables, with_key
from tests.e2e.rig import KEY, rig
from tests.e2e.stuck_model import ADVICE, StuckModel

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]

FINISH = Turn(thinking="done", text="done", calls=(ScriptedCall(name="finish", input={"summary": "All is done."}),))
CHECKS = [{"name": "nothing", "run": "true"}]
DOWN_SECONDS = 8


async def test_a_stuck_agent_climbs_the_ladder_in_view_and_is_advised_in_slack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSlack() as slack:
        for name, value in variables(slack).items():
            monkeypatch.setenv(name, value)
        async with rig(tmp_path / "data", StuckModel()) as running:
            running.start_intake()
            handle = await running.submit(
                "stuck",
                instructions="Loop: oscillation",
                people=CHANNELS,
                checks=[{"name": "out", "run": "test -f out.txt"}],
            )
            await slack.workspace.until(lambda: bool(with_key(slack, "question")), seconds=90)
            await slack.socket_mode.connected(seconds=60)
            assert await slack.click(with_key(slack, "question")[0], "Give advice", user=ADA)
            await slack.workspace.until(lambda: bool(slack.workspace.views))
            assert await slack.submit(slack.workspace.views[0], ADVICE)
            status = await asyncio.wait_for(handle.result(), 120)
            bulletin = running.client.get_workflow_handle(ids.bulletin_workflow_id("stuck"))
            await asyncio.wait_for(bulletin.result(), 60)

    assert SessionState.DONE is status.state
    thread = "\n".join(str(each.blocks) for each in with_key(slack, "news"))
    rungs = [taken.rung for taken in status.agents[-1].rungs]
    assert [Rung.NUDGE, Rung.REPLAN, Rung.ROLLBACK, Rung.ESCALATE] == rungs
    places = [thread.find(f": {rung.value}.") for rung in rungs]
    assert sorted(places) == places
    assert -1 not in places


@pytest.mark.release
async def test_a_question_outlives_everything_and_is_decided_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSlack() as slack:
        for name, value in variables(slack).items():
            monkeypatch.setenv(name, value)
        slack.order_faults(Fault("chat.postMessage", FaultKind.LOST_ANSWER))
        async with rig(tmp_path / "data", Script(turns=(FINISH,)), worker_key="sk-wrong") as running:
            running.start_intake()
            handle = await running.submit("asks", people=CHANNELS, checks=CHECKS)
            await slack.workspace.until(lambda: bool(with_key(slack, "question")), seconds=60)
            question = with_key(slack, "question")[0]
            await slack.socket_mode.connected(seconds=60)

            running.kill_worker()
            running.kill_intake()
            await slack.stop()
            await running.kill_engine()
            await asyncio.sleep(DOWN_SECONDS)
            await slack.start()
            running.worker_key = KEY
            running.start_worker()
            running.start_intake()

            await slack.socket_mode.connected(seconds=60)
            clicks = await asyncio.gather(*(slack.click(question, "Try again", user=user) for user in (ADA, ADA, BOB)))
            status = await asyncio.wait_for(handle.result(), 120)
            bulletin = running.client.get_workflow_handle(ids.bulletin_workflow_id("asks"))
            await asyncio.wait_for(bulletin.result(), 60)

    assert (SessionState.DONE, [True, True, True]) == (status.state, clicks)
    assert [(ReviewState.DECIDED, f"{ADA} (Ada)")] == [
        (each.state, each.decision.by if each.decision else "") for each in status.reviews
    ]
    assert (1, 1, 1) == tuple(len(with_key(slack, kind)) for kind in ("root", "question", "end"))
    assert [] == [button for each in slack.workspace.messages for button in each.buttons()]
    assert [BOB] == [each.user for each in slack.workspace.whispers]
