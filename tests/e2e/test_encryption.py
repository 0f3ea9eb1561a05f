# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A planted word is looked for in everything that the engine keeps: without a key it is there, with one it is not."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client, WorkflowHandle

from longshift.adapters.codec import new_key_text
from longshift.adapters.scripted_model import Script, ScriptedCall, Turn
from longshift.contracts.session import SessionState, SessionStatus, Steer
from longshift.contracts.task import TaskSpec
from longshift.settings import Settings
from longshift.submission import submit
from tests.e2e.rig import Rig, rig
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(180)]

CANARY = "canary-7c0ffee1"
"""In the title, the instructions, the setup's output, a command and its output, messages, a failure and a reason."""


def script() -> Script:
    def turn(name: str, **arguments: object) -> Turn:
        call = ScriptedCall(name=name, input=arguments)
        return Turn(thinking=f"{CANARY} thought", text=f"{CANARY} said", calls=(call,))

    return Script(
        turns=(
            turn("bash", command="cat said.txt; sleep 2"),
            turn("bash", command=f"ls /no/such/{CANARY}"),
            turn("finish", summary=f"{CANARY} is done."),
        )
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def started(running: Rig, task_id: str, **fields: object) -> WorkflowHandle[Session, SessionStatus]:
    """A session as the command line submits it."""
    settings = Settings(
        data_dir=running.data_dir, model_profiles=(running.data_dir / "models.toml",), model_profile="scripted"
    )
    given = {"id": task_id, "title": f"{CANARY} title", "instructions": f"Keep {CANARY}."}
    task = TaskSpec.model_validate({**given, "workspace": {"directory": str(running.source)}, **fields})
    return (await submit(running.client, settings, task)).handle


async def played(running: Rig) -> None:
    """One session that ends well, and one whose workspace cannot be made; the second is given up by a person."""
    working = await started(running, "works", setup=[f"echo {CANARY} > said.txt"])
    await working.execute_update(Session.steer, Steer(text=f"{CANARY} of a person"))
    broken = await started(running, "breaks", setup=[f"echo {CANARY} >&2; exit 3"])
    ended = [await asyncio.wait_for(handle.result(), 90) for handle in (working, broken)]
    assert [SessionState.DONE, SessionState.FAILED] == [status.state for status in ended], ended
    assert CANARY in ended[1].reason


async def raw_events(client: Client) -> AsyncGenerator[tuple[str, bytes]]:
    """Kind and bytes of every event of every workflow, as the engine sends them; and of what it lists."""
    async for execution in client.list_workflows():
        yield "listed", execution.raw_info.SerializeToString()
        request = GetWorkflowExecutionHistoryRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=execution.id, run_id=execution.run_id),
        )
        for event in (await client.workflow_service.get_workflow_execution_history(request)).history.events:
            yield EventType.Name(event.event_type), event.SerializeToString()


async def found(running: Rig) -> dict[str, set[str]]:
    """Where the word is: kinds of events, and files of the engine."""
    async with aclosing(raw_events(running.client)) as events:
        kinds = {kind async for kind, body in events if CANARY.encode() in body}
    files = {path.name for path in running.data_dir.glob("engine*") if CANARY.encode() in path.read_bytes()}
    return {"events": kinds, "files": files}


@pytest.mark.release
async def test_without_a_key_the_planted_word_is_all_over_the_engine(data_dir: Path) -> None:
    async with rig(data_dir, script()) as running:
        await played(running)
        where = await found(running)
    assert {"engine.db", "engine.db-wal"} & where["files"]
    expected = {
        "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED",
        "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED",
        "EVENT_TYPE_ACTIVITY_TASK_COMPLETED",
        "EVENT_TYPE_ACTIVITY_TASK_FAILED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
    }
    assert set() == expected - where["events"]


async def test_with_a_key_the_planted_word_is_nowhere_in_the_engine(data_dir: Path) -> None:
    async with rig(data_dir, script(), payload_keys=f"k1:{new_key_text()}") as running:
        await played(running)
        where = await found(running)
        await running.engine.stop()  # what was in the log of writes is in the database now
        files = {path.name for path in running.data_dir.glob("engine*") if CANARY.encode() in path.read_bytes()}
    assert ({"events": set(), "files": set()}, set()) == (where, files)
    assert b"k1" in (data_dir / "engine.db").read_bytes()
