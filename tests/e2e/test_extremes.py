# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Large bodies, a stormy provider, and what only a person can mend: the session holds, and says what it needs."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from longshift.adapters.scripted_model import Chaos, Repeat, Script, ScriptedCall, Turn
from longshift.contracts.session import SessionState, SessionStatus
from tests.e2e.rig import Rig, rig
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def running_commands() -> list[bytes]:
    """The command lines of all processes."""
    found: list[bytes] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(path.read_bytes())
    return found


def call(name: str, **arguments: object) -> ScriptedCall:
    return ScriptedCall(name=name, input=arguments)


FINISH = Turn(calls=(call("finish", summary="Done."),))


async def until_waiting(running: Rig, task_id: str) -> SessionStatus:
    """Wait until the session needs somebody."""
    handle = running.client.get_workflow_handle_for(Session.run, f"session/{task_id}")
    async with asyncio.timeout(60):
        while True:
            status = await handle.query(Session.status)
            if status.state is SessionState.WAITING:
                return status
            await asyncio.sleep(0.2)


@pytest.mark.release
async def test_an_output_of_50_mb_and_an_answer_of_1_mb_pass(data_dir: Path) -> None:
    flood = "head -c 50000000 /dev/zero | tr '\\0' x | fold -w 99; echo the-end"
    script = Script(
        turns=(
            Turn(calls=(call("bash", command=flood),)),
            Turn(text="long", answer_bytes=1_000_000, calls=(call("glob", pattern="*"),)),
            FINISH,
        )
    )
    roomy = "window_tokens = 1000000\nmax_output_tokens = 500000\noutput_limit_tokens = 500000\n"
    async with rig(data_dir, script, profile=roomy, window_tokens=1_000_000) as running:
        result = await (await running.submit("large")).result()
        assert SessionState.DONE is result.state, result.reason
        transcript = await running.transcript("large")
    whole = next((data_dir / "runs" / "large").rglob("output*"))
    assert 50_000_000 < whole.stat().st_size
    shown = str(transcript[2])
    assert 30_000 < len(shown) < 40_000
    assert "the-end" in shown
    assert len(str(transcript[3])) > 1_000_000


@pytest.mark.release
async def test_a_stormy_provider_costs_time_and_nothing_else(data_dir: Path) -> None:
    """A third of all requests fail in one of the transient ways; the transcript is that of a calm day.

    The provider refuses conversations whose thinking does not come back as it was.
    """
    turn = Turn(thinking="go", calls=(call("write_file", path="f{turn}.txt", content="{turn}"),))
    policy = Repeat(turn=turn, times=8, then=FINISH)
    async with rig(data_dir / "calm", policy, require_thinking=True) as running:
        await (await running.submit("a-task")).result()
        expected = await running.transcript("a-task")
    async with rig(data_dir / "storm", policy, chaos=Chaos.storm(7, 0.33), require_thinking=True) as running:
        result = await (await running.submit("a-task")).result()
        assert expected == await running.transcript("a-task")
    assert (SessionState.DONE, 9, 9) == (result.state, result.agents[0].steps, result.agents[0].tool_calls)


async def test_a_wrong_key_waits_for_a_person_and_names_the_variable_or_the_status(data_dir: Path) -> None:
    async with rig(data_dir, Script(turns=(FINISH,)), worker_key="sk-wrong") as running:
        handle = await running.submit("a-task")
        status = await until_waiting(running, "a-task")
        assert status.attention is not None
        assert "configuration" == status.attention.kind
        assert "401" in status.attention.text
        assert "sk-wrong" not in status.attention.text
        await handle.execute_update(Session.cancel, "no key")
        assert SessionState.CANCELLED is (await handle.result()).state


async def test_an_unknown_model_waits_for_a_person(data_dir: Path) -> None:
    async with rig(data_dir, Script(turns=(FINISH,)), models=("another-model",)) as running:
        handle = await running.submit("a-task")
        status = await until_waiting(running, "a-task")
        assert status.attention is not None
        assert ("configuration", True) == (status.attention.kind, "404" in status.attention.text)
        await handle.execute_update(Session.cancel, "no model")
        await handle.result()


async def test_an_exhausted_quota_waits_with_an_alert_and_resume_goes_on(data_dir: Path) -> None:
    async with rig(data_dir, Script(turns=(FINISH,))) as running:
        running.model.exhaust_quota(None)
        handle = await running.submit("a-task")
        status = await until_waiting(running, "a-task")
        assert status.attention is not None
        assert "quota" == status.attention.kind
        running.model.restore_quota()
        await handle.execute_update(Session.resume)
        assert SessionState.DONE is (await handle.result()).state


async def test_a_missing_repository_fails_before_any_model_call(data_dir: Path) -> None:
    async with rig(data_dir, Script(turns=(FINISH,))) as running:
        result = await (await running.submit("a-task", workspace={"git": "/no/such/repository"})).result()
        assert SessionState.FAILED is result.state
        assert "workspace.git" in result.reason
        assert [] == running.model.requests
    assert not (data_dir / "workspaces" / "a-task" / "tree").exists()


async def test_red_checks_and_protected_files_send_the_agent_back(data_dir: Path) -> None:
    script = Script(
        turns=(
            Turn(calls=(call("write_file", path="tests/test_a.py", content="assert True"), FINISH.calls[0])),
            Turn(calls=(call("bash", command="git checkout -q tests 2>/dev/null || rm -r tests; touch done"),)),
            FINISH,
        )
    )
    checks = [{"name": "done", "run": "test -e done"}]
    async with rig(data_dir, script) as running:
        result = await (await running.submit("a-task", checks=checks, protected=["tests/"])).result()
        refusal = str((await running.transcript("a-task"))[2])
    assert SessionState.DONE is result.state
    assert "RED" in refusal
    assert "tests/test_a.py" in refusal


async def test_rules_constraints_and_checks_reach_the_model_and_a_baseline_is_measured_first(data_dir: Path) -> None:
    script = Script(turns=(Turn(calls=(call("bash", command="echo 40 > number"),)), FINISH))
    checks = [{"name": "speed", "run": "cat number", "measure": {"at_most_times_baseline": 0.5}, "repeats": 3}]
    async with rig(data_dir, script) as running:
        (running.source / "AGENTS.md").write_text("Use tabs.")
        (running.source / "number").write_text("100\n")
        result = await (await running.submit("a-task", checks=checks, constraints=["Keep the API."])).result()
        prompt = running.model.last_body.decode()
    assert SessionState.DONE is result.state, result.reason
    assert ["Use tabs." in prompt, "Keep the API." in prompt, "at most times baseline 0.5" in prompt] == [True] * 3
    proved = result.agents[0].checks
    assert proved is not None
    assert [(100.0, 40.0)] == [(check.baseline, check.value) for check in proved.results]


async def test_cancelling_during_setup_ends_the_setup_command(data_dir: Path) -> None:
    async with rig(data_dir, Script(turns=(FINISH,))) as running:
        handle = await running.submit("a-task", setup=["touch started; exec sleep 4321"])
        async with asyncio.timeout(30):
            while not list((data_dir / "workspaces").rglob("started")):  # noqa: ASYNC110  # a file of another process
                await asyncio.sleep(0.05)
        await handle.execute_update(Session.cancel, "wrong task")
        result = await handle.result()
    assert (SessionState.CANCELLED, "wrong task") == (result.state, result.reason)
    assert not any(b"4321" in command for command in running_commands())
