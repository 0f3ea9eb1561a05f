"""Two hosts on one machine: one dies, sleeps or stops in the middle of a session, and the other one goes on."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from longshift.adapters.scripted_model import Script, ScriptedCall, Turn
from longshift.contracts.session import SessionState
from tests.e2e.rig import Rig, rig

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]

CONTROL = ("--role", "control,model")
OUTSIDE = "outside.txt"


def turn(*calls: tuple[str, dict[str, Any]]) -> Turn:
    return Turn(text="next", calls=tuple(ScriptedCall(name=name, input=arguments) for name, arguments in calls))


@pytest.fixture(autouse=True)
def _no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands do is counted outside of their workspaces, where no sandbox lets them write."""
    monkeypatch.setenv("LONGSHIFT_SANDBOX", "none")


def script(outside: Path, seconds: int) -> Script:
    """Files of several kinds, a long command with an effect outside, a look at what is there, and the end."""
    make = "mkdir -p bin && printf '#!/bin/sh\\n' > bin/run && chmod +x bin/run && ln -s bin/run link && rm old.txt"
    slow = f"echo begun >> {outside}; sleep {seconds}; echo late > late.txt; echo ended >> {outside}"
    return Script(
        turns=(
            turn(("write_file", {"path": "notes.txt", "content": "one\n"})),
            turn(("bash", {"command": make})),
            turn(("bash", {"command": slow})),
            turn(("bash", {"command": "ls; cat notes.txt"})),
            turn(("edit_file", {"path": "notes.txt", "old": "one", "new": "two"})),
            turn(("finish", {"summary": "All is done."})),
            turn(("finish", {"summary": "All is done."})),
        )
    )


CHECKS = [{"name": "files", "run": "grep -q two notes.txt && [ -x bin/run ] && [ -L link ] && [ ! -e old.txt ]"}]
FILES = {"bin/run", "link", "notes.txt"}


async def until(path: Path, text: str) -> None:
    """Wait until the file says so."""
    async with asyncio.timeout(60):
        while not (path.exists() and text in path.read_text()):  # noqa: ASYNC110  # a file of another process
            await asyncio.sleep(0.05)


async def result_of(running: Rig, task_id: str) -> dict[str, Any]:
    """How the session ended."""
    handle = running.client.get_workflow_handle(f"session/{task_id}", result_type=dict)
    return await asyncio.wait_for(handle.result(), 150)


async def begun(running: Rig, outside: Path) -> str:
    """The host that runs the long command."""
    (running.source / "old.txt").write_text("old\n")
    running.start_host("one")
    running.start_host("two")
    await running.submit("moved", checks=CHECKS, setup=["touch $HOME/was-set-up"])
    await until(outside, "begun")
    return next(name for name in running.hosts if (running.host_dir(name) / "workspaces" / "moved").exists())


def other(running: Rig, name: str) -> str:
    return next(each for each in running.hosts if each != name)


def files_of(running: Rig, name: str) -> set[str]:
    tree = running.host_dir(name) / "workspaces" / "moved" / "tree"
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_symlink() or path.is_file()}


async def told(running: Rig) -> str:
    """All that the model has read."""
    return str(await running.transcript("moved"))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_a_host_that_is_killed_loses_its_session_to_the_other_with_the_same_files(
    data_dir: Path, tmp_path: Path
) -> None:
    outside = tmp_path / OUTSIDE
    async with rig(data_dir, script(outside, 60), roles=CONTROL) as running:
        first = await begun(running, outside)
        running.kill_host(first)
        result = await result_of(running, "moved")
        second = other(running, first)
        assert (SessionState.DONE, second) == (result["state"], result["workspace"]["host_id"]), result["reason"]
        assert (2, True) == (
            result["generation"],
            (running.host_dir(second) / "workspaces/moved/home/was-set-up").exists(),
        )
        assert FILES == files_of(running, second)
        assert "begun\n" == outside.read_text()
        text = await told(running)
        assert "the machine that it ran on is gone" in text
        assert "Its files are those after step 2" in text
        assert "No change of yours is missing" in text
        report = result["agents"][0]
        assert (1, 0) == (len(result["agents"]), report["lost_calls"] - 1)
        assert 0 < result["active_seconds"] < 60


@pytest.mark.release
async def test_a_host_that_sleeps_and_wakes_later_cannot_write(data_dir: Path, tmp_path: Path) -> None:
    outside = tmp_path / OUTSIDE
    async with rig(data_dir, script(outside, 60), roles=CONTROL) as running:
        first = await begun(running, outside)
        running.kill_host(first, signal.SIGSTOP)
        await until(running.data_dir / f"{other(running, first)}.log", "worker started")
        store = running.data_dir / "store"
        async with asyncio.timeout(90):
            while not list(store.glob("checkpoints/moved/g000[2-9]/*")):  # noqa: ASYNC110  # another process's files
                await asyncio.sleep(0.1)
        running.kill_host(first, signal.SIGCONT)
        result = await result_of(running, "moved")
        assert (SessionState.DONE, other(running, first)) == (result["state"], result["workspace"]["host_id"])
        assert FILES == files_of(running, other(running, first))
        await until_no_command_runs(running, first)
        assert "begun\n" == outside.read_text()


async def until_no_command_runs(running: Rig, name: str) -> None:
    """The host has ended what its lost session had left running."""
    place = str(running.host_dir(name))
    async with asyncio.timeout(60):
        while place in _running_commands():  # noqa: ASYNC110  # processes of another process
            await asyncio.sleep(0.2)


def _running_commands() -> str:
    """The work directories of all shells that sleep."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() in {"bash", "sleep"}:
                    found.append(os.readlink(entry / "cwd"))
            except OSError:
                continue
    return "\n".join(found)


async def test_a_host_that_is_told_to_stop_hands_its_session_over_and_nothing_is_lost(
    data_dir: Path, tmp_path: Path
) -> None:
    outside = tmp_path / OUTSIDE
    async with rig(data_dir, script(outside, 4), roles=CONTROL) as running:
        first = await begun(running, outside)
        running.kill_host(first, signal.SIGTERM)
        result = await result_of(running, "moved")
        assert 0 == await asyncio.wait_for(asyncio.to_thread(running.hosts[first].wait), 60)
        assert (SessionState.DONE, other(running, first)) == (result["state"], result["workspace"]["host_id"])
        assert {*FILES, "late.txt"} == files_of(running, other(running, first))
        assert "begun\nended\n" == outside.read_text()
        assert 0 == result["agents"][0]["lost_calls"]
        assert "No change of yours is missing" in await told(running)


@pytest.mark.release
async def test_a_host_that_only_restarts_gets_its_session_back(data_dir: Path, tmp_path: Path) -> None:
    outside = tmp_path / OUTSIDE
    async with rig(data_dir, script(outside, 25), roles=CONTROL) as running:
        first = await begun(running, outside)
        running.kill_host(first)
        running.start_host(first)
        result = await result_of(running, "moved")
        assert (SessionState.DONE, first) == (result["state"], result["workspace"]["host_id"]), result["reason"]
        assert "begun\nended\n" == outside.read_text()
        assert 0 == result["agents"][0]["lost_calls"]
        assert "machine" not in await told(running)
