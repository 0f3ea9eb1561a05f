# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Steps are undone in a whole Longshift, its worker killed in the middle: files and requests are exactly right."""

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from longshift.adapters.scripted_model import RequestView, ScriptedCall, Turn
from longshift.contracts import ids
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import SessionState, SessionStatus
from tests.e2e.rig import Rig, rig
from workflows.agent import Agent
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.release, pytest.mark.timeout(300)]

AGENT = ids.agent_id("undone")
JOB = "while true; do date >> job; sleep 0.05; done"
CHECKS = [{"name": "files", "run": '[ "$(cat a.txt)" = again ] && [ ! -e b.txt ] && [ ! -e d.txt ] && [ -e kept.o ]'}]
FIRST, SECOND = "back to the state after step 1", "back to the state after step 5"


def turn(command: str, *, background: bool = False, seconds: float = 0.0) -> Turn:
    """A command; `seconds` before the answer comes."""
    call = ScriptedCall(name="bash", input={"command": command, "background": background})
    return Turn(thinking="what next", text="next", delay_seconds=seconds, calls=(call,))


class Player:
    """Plays the model, and keeps every conversation that it was sent."""

    def __init__(self) -> None:
        self.sent: list[list[dict[str, Any]]] = []

    def __call__(self, request: RequestView) -> Turn:
        self.sent.append(copy.deepcopy(request.messages))
        text = str(request.messages)
        if SECOND in text:
            return Turn(calls=(ScriptedCall(name="finish", input={"summary": "Done."}),))
        if FIRST in text:
            return turn("echo again > a.txt") if request.turn_index == 1 else turn("echo d > d.txt", seconds=3)
        return (
            turn("echo one > a.txt; echo x > kept.o"),
            turn("echo two > a.txt; echo b > b.txt"),
            turn(JOB, background=True),
            turn("echo c > c.txt", seconds=3),
            turn("echo never > never.txt"),
        )[request.turn_index]

    def first(self, words: str) -> list[dict[str, Any]]:
        """The first request with these words."""
        return next(messages for messages in self.sent if words in str(messages))


async def until(is_so: Callable[[], bool], every_seconds: float = 0.02) -> None:
    async with asyncio.timeout(90):
        while not is_so():  # noqa: ASYNC110  # what other processes do
            await asyncio.sleep(every_seconds)


async def roll_back(handle: WorkflowHandle[Session, SessionStatus], to_step: int, reason: str) -> None:
    await handle.execute_update(Session.rollback, Rollback(to_step=to_step, reason=reason))


async def killed_when(running: Rig, is_so: Callable[[], bool], *, before_epoch: int) -> None:
    """kill -9 of the worker when the files are back and the conversation is not, and another worker after it."""
    await until(is_so, 0.001)
    running.kill_worker()
    assert not (running.data_dir / "store" / ids.base_key(AGENT, before_epoch)).exists()  # it was in the middle
    running.start_worker()


async def held(running: Rig, epoch: int) -> None:
    """Until the agent holds in an epoch."""
    agent = running.client.get_workflow_handle_for(Agent.run, ids.agent_workflow_id(AGENT))
    async with asyncio.timeout(90):
        while not ((found := await agent.query(Agent.progress)).paused and found.epoch == epoch):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def files(tree: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in tree.iterdir() if path.is_file()}


def said(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """A conversation without the messages at its end, and these."""
    *before, last = messages
    texts = [block["text"] for block in last["content"] if block["type"] == "text"]
    rest = [block for block in last["content"] if block["type"] != "text"]
    return [*before, {**last, "content": rest}], texts


async def test_steps_are_undone_while_it_works_and_while_it_is_paused(tmp_path: Path) -> None:
    agents = Player()
    async with rig(tmp_path / "data", agents) as running:
        (running.source / ".gitignore").write_text("*.o\n")
        handle = await running.submit("undone", checks=CHECKS)
        tree = running.tree("undone")
        await until(lambda: len(agents.sent) == 4 and (tree / "job").exists())
        await roll_back(handle, 1, "The first way was right.")
        await until(lambda: (tree / "c.txt").exists())
        await killed_when(running, lambda: not (tree / "b.txt").exists(), before_epoch=2)

        await until(lambda: any(FIRST in str(messages) and len(messages) == 5 for messages in agents.sent))
        await handle.execute_update(Session.pause)
        assert {".gitignore": "*.o\n", "a.txt": "again\n", "kept.o": "x\n"} == files(tree)
        await until(lambda: (tree / "d.txt").exists())
        await held(running, 2)
        await roll_back(handle, 5, "No d.")
        await killed_when(running, lambda: not (tree / "d.txt").exists(), before_epoch=3)
        await held(running, 3)
        asked = len(agents.sent)
        await handle.execute_update(Session.resume)
        status = await asyncio.wait_for(handle.result(), 120)
        assert (SessionState.DONE, "") == (status.state, status.reason)
        assert {".gitignore": "*.o\n", "a.txt": "again\n", "kept.o": "x\n"} == files(tree)
    report = status.agents[0]
    assert (7, 3, 2) == (report.steps, report.epoch, report.rollbacks)

    conversation, (told, reason) = said(agents.first(FIRST))
    assert agents.sent[1] == conversation
    assert "A person rolled this session back to the state after step 1: steps 2 to 4 are undone." in told
    assert f"The files at {tree} are those after step 1 again." in told
    assert "The first way was right." in reason
    conversation, (told, reason) = said(agents.first(SECOND))
    first = next(messages for messages in agents.sent if FIRST in str(messages) and len(messages) == 5)
    assert first == conversation
    assert "step 6 is undone" in told
    assert "No d." in reason
    assert (asked, 5) == (len(agents.sent) - 1, len(conversation))
