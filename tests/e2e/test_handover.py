# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A provider that stays down in the middle of a session: the next model goes on with the work."""

import asyncio
from pathlib import Path

import orjson
import pytest

from longshift.adapters.scripted_model import RequestView, Script, ScriptedCall, ScriptedModel, Turn
from longshift.adapters.scripted_model.script import FINISH
from longshift.contracts.agent import AgentLimits
from longshift.contracts.session import SessionState, Steer
from longshift.policy.transcript import violations
from tests.e2e.rig import KEY, rig
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(180)]

SECOND = """
[models.second]
extends = "scripted"
base_url = "{base_url}"
model = "second"
"""
LOOK = Turn(thinking="I look.", calls=(ScriptedCall(name="bash", input={"command": "echo looked >> log"}),))
JOB = Turn(calls=(ScriptedCall(name="bash", input={"command": "sleep 600", "background": True}),))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_the_fall_back_model_reads_the_old_conversation_writes_the_note_and_goes_on(data_dir: Path) -> None:
    def second(request: RequestView) -> Turn:
        if request.is_handoff:
            return Turn(text="The first model looked twice.")
        return FINISH

    async with (
        ScriptedModel(second, key=KEY, keep_bodies=True) as fallback,
        rig(
            data_dir, Script(turns=(LOOK, JOB, LOOK, LOOK)), profile=SECOND.format(base_url=fallback.base_url)
        ) as running,
    ):
        limits = AgentLimits(fallback_after_seconds=2)
        handle = await running.submit("a-task", fallback=("second",), limits=limits)
        await running.model.wait_for_requests(2)
        await handle.execute_update(Session.steer, Steer(text="Keep the log."))
        running.model.exhaust_quota(None)
        status = await asyncio.wait_for(handle.result(), 90)
        bodies = [orjson.loads(record.body) for record in fallback.requests if record.body]
    handoff, first = bodies[0]["messages"], bodies[1]["messages"]
    report = status.agents[0]
    assert (SessionState.DONE, "second", 1) == (status.state, report.profile, report.compactions)
    assert [[], []] == [violations(handoff), violations(first)]
    text = orjson.dumps([handoff, first]).decode()
    assert [False, False] == ['"thinking"' in text, "functions.bash:" in text]
    closing = orjson.dumps(first[-1]).decode()
    assert ["The first model looked twice." in closing, "job-2-0 (running): sleep 600" in closing] == [True, True]
    assert "Keep the log." in orjson.dumps(first).decode()
