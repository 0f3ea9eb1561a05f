"""kill -9 at every stage of a session: it ends done each time, with the transcript of the undisturbed run."""

import asyncio
from pathlib import Path

import pytest

from longshift.adapters.scripted_model import Script, ScriptedCall, Turn
from longshift.contracts.session import SessionState
from tests.e2e.rig import Rig, rig

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(180)]

COMMAND = """\
echo begun >> side-effects
for i in $(seq 1 {seconds}); do echo line $i; echo $i >> ticks; sleep 1; done
echo ended | tee -a side-effects
"""


def turn(name: str, chunk_delay_seconds: float = 0.0, **arguments: object) -> Turn:
    call = ScriptedCall(name=name, input=arguments)
    return Turn(thinking="what next", text="next", chunk_delay_seconds=chunk_delay_seconds, calls=(call,))


def script(*, seconds: int = 1, chunk_delay_seconds: float = 0.0) -> Script:
    """A write, a command with side effects, a slow answer, an edit, and the end."""
    return Script(
        turns=(
            turn("write_file", path="notes.txt", content="one\n"),
            turn("bash", command=COMMAND.format(seconds=seconds)),
            turn("edit_file", chunk_delay_seconds=chunk_delay_seconds, path="notes.txt", old="one", new="two"),
            turn("read_file", path="notes.txt"),
            turn("finish", summary="All is done."),
        )
    )


CHECKS = [{"name": "notes", "run": "grep -q two notes.txt && [ $(wc -l < side-effects) = 2 ]"}]


TRIES = 5
"""How often to aim at a gap of some milliseconds."""


async def until(path: Path, text: str, *, every_seconds: float = 0.05) -> None:
    """Wait until the file says so."""
    async with asyncio.timeout(60):
        while not (path.exists() and text in path.read_text()):  # noqa: ASYNC110  # a file of another process
            await asyncio.sleep(every_seconds)


async def ended_done(running: Rig, task_id: str) -> list[object]:
    """The session's end and its transcript."""
    handle = running.client.get_workflow_handle(f"session/{task_id}", result_type=dict)
    result = await asyncio.wait_for(handle.result(), 120)
    assert SessionState.DONE == result["state"], result["reason"]
    assert "begun\nended\n" == (running.tree(task_id) / "side-effects").read_text()
    return await running.transcript(task_id)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_the_worker_dies_in_the_middle_of_a_long_command(data_dir: Path) -> None:
    """A 20 s command: it ran once, its output is whole, and the model saw what it would have seen anyway."""
    async with rig(data_dir, script(seconds=20)) as running:
        await running.submit("undisturbed", checks=CHECKS)
        await running.submit("killed", checks=CHECKS)
        await until(running.tree("killed") / "ticks", "5\n")
        running.kill_worker()
        running.start_worker()
        expected = await ended_done(running, "undisturbed")
        assert expected == await ended_done(running, "killed")
        assert "".join(f"{i}\n" for i in range(1, 21)) == (running.tree("killed") / "ticks").read_text()


async def test_the_worker_dies_while_the_model_streams(data_dir: Path) -> None:
    async with rig(data_dir, script(chunk_delay_seconds=0.3)) as running:
        await running.submit("killed", checks=CHECKS)
        await until(running.tree("killed") / "side-effects", "ended")
        await running.model.wait_for_requests(3)
        running.kill_worker()
        running.start_worker()
        await ended_done(running, "killed")
        asked = [record.turn_index for record in running.model.requests]
        assert [0, 1, 2, 2, 3, 4] == asked


@pytest.mark.parametrize("seconds", [0, 2], ids=["quick call", "long call"])
async def test_the_worker_dies_between_result_and_seal(data_dir: Path, seconds: int) -> None:
    """The result object of the command is there, its seal is not: the command does not run again."""
    async with rig(data_dir, script(seconds=seconds)) as running:
        for number in range(TRIES):
            task_id = f"killed-{number}"
            await running.submit(task_id, checks=CHECKS)
            step = data_dir / "store" / "agents" / task_id / "lead" / "e0001" / "s000002"
            await until(step / "result-000.json", "ended", every_seconds=0.001)
            running.kill_worker()
            is_between = not (step / "seal.json").exists()
            running.start_worker()
            await ended_done(running, task_id)
            if is_between:
                return
    pytest.fail("the worker was never killed between result and seal")


async def test_the_engine_dies_and_comes_back(data_dir: Path) -> None:
    async with rig(data_dir, script(seconds=4)) as running:
        await running.submit("killed", checks=CHECKS)
        await until(running.tree("killed") / "ticks", "2\n")
        await running.kill_engine()
        await ended_done(running, "killed")


async def test_engine_and_worker_die_together(data_dir: Path) -> None:
    async with rig(data_dir, script(seconds=4)) as running:
        await running.submit("killed", checks=CHECKS)
        await until(running.tree("killed") / "ticks", "2\n")
        running.kill_worker()
        await running.kill_engine()
        running.start_worker()
        await ended_done(running, "killed")
