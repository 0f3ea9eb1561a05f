"""The command line as people use it: one daemon, tasks from files, and every process of it may die."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from longshift.adapters.codec import new_key_text
from longshift.adapters.scripted_model import Script, ScriptedCall, ScriptedModel, Turn
from tests.codec_server.conftest import values
from tests.ports import free_port
from tests.sandboxing import sandbox_variables

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(180)]

LONGSHIFT = str(Path(sys.executable).parent / "longshift")
TASK = """\
---
id: {task_id}
title: Two lines
workspace: {{directory: ./source}}
checks:
  - {{name: twice, run: test $(wc -l < a.txt) = 2}}
---
Make a.txt have two lines.
"""
SCRIPT = Script(
    turns=(
        Turn(text="looking", calls=(ScriptedCall(name="read_file", input={"path": "a.txt"}),)),
        Turn(calls=(ScriptedCall(name="bash", input={"command": "echo again >> a.txt"}),)),
        Turn(calls=(ScriptedCall(name="finish", input={"summary": "Two lines."}),)),
    )
)


@pytest_asyncio.fixture
async def environment(tmp_path: Path) -> AsyncGenerator[Mapping[str, str]]:
    """A data directory and a model for the commands of one test."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.txt").write_text("hello\n")
    async with ScriptedModel(SCRIPT, key="k") as model:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LONGSHIFT_", "TEMPORAL_"))}
        yield {
            **kept,
            **sandbox_variables(),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "LONGSHIFT_DATA_DIR": str(tmp_path / "data"),
            "LONGSHIFT_ENGINE_PORT": str(free_port()),
            "LONGSHIFT_MODEL_BASE_URL": model.base_url,
            "LONGSHIFT_MODEL_API_KEY": "k",
        }


def task_file(folder: Path, task_id: str, text: str = TASK) -> str:
    path = folder / f"{task_id}.md"
    path.write_text(text.format(task_id=task_id))
    return str(path)


async def longshift(environment: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Run a command to its end: exit code, stdout, stderr."""
    process = await asyncio_subprocess(environment, *arguments)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def asyncio_subprocess(environment: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        LONGSHIFT, *arguments, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def up(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """`longshift up`, once it is ready."""
    process = await asyncio_subprocess(environment, "up", "--json")
    assert process.stdout is not None
    while json.loads(await process.stdout.readline())["event"] != "ready":
        pass
    return process


async def stop(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    return process.returncode or 0


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.release
async def test_a_day_with_the_command_line(environment: Mapping[str, str], tmp_path: Path) -> None:
    daemon = await up(environment)
    try:
        code, out, _ = await longshift(environment, "run", task_file(tmp_path, "first"), "--json")
        events = [json.loads(line) for line in out.splitlines()]
        assert (0, "done") == (code, [event["state"] for event in events if "state" in event][-1])

        code, out, _ = await longshift(environment, "list", "--json")
        listed = json.loads(out)["sessions"][0]
        assert (0, "first", 3, True) == (code, listed["task_id"], listed["step"], listed["tokens"] > 0)
        code, out, _ = await longshift(environment, "status", "first", "--json")
        assert (0, "done") == (code, json.loads(out)["status"]["state"])
        code, out, _ = await longshift(environment, "logs", "first")
        assert (0, True, True) == (code, "echo again >> a.txt" in out, "Two lines." in out)
        code, out, _ = await longshift(environment, "artifacts", "first", "--get", "patch.diff")
        assert (0, True) == (code, "+again" in out)
        code, _, err = await longshift(environment, "steer", "first", "too late")
        assert (1, True) == (code, "done" in err or "completed" in err), err
        code, _, err = await longshift(environment, "status", "nothing")
        assert (2, True) == (code, "nothing" in err)

        code, _, err = await longshift(environment, "submit", task_file(tmp_path, "first", TASK + "And more."))
        assert (2, True) == (code, "another task" in err)
        code, _, err = await longshift(environment, "up")
        assert (2, True) == (code, "in use by process" in err)
        code, out, _ = await longshift(environment, "doctor", "--json")
        intake = next(each for each in json.loads(out)["findings"] if each["name"] == "intake")
        assert (0, "ok", True) == (code, intake["level"], "inbox: working" in intake["detail"])
    finally:
        assert 0 == await stop(daemon)


async def test_a_daemon_that_is_killed_and_started_again_goes_on(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    slow = TASK.replace("checks:", "setup: [sleep 5]\nchecks:")
    daemon = await up(environment)
    assert 0 == (await longshift(environment, "submit", task_file(tmp_path, "second", slow)))[0]
    async with asyncio.timeout(20):
        while True:
            _, out, _ = await longshift(environment, "status", "second", "--json")
            if any("setup command 1 of 1: sleep 5" in line for line in json.loads(out)["doing"]):
                break
    left = children(daemon.pid)
    assert 3 == len(left), "engine, worker and intake"
    daemon.kill()
    await daemon.communicate()
    async with asyncio.timeout(10):
        while any(Path(f"/proc/{pid}/cmdline").exists() for pid in left):  # noqa: ASYNC110  # processes of the kernel's
            await asyncio.sleep(0.05)
    daemon = await up(environment)
    try:
        code, out, err = await longshift(environment, "run", task_file(tmp_path, "second", slow))
        assert (0, True) == (code, "done" in out), err
    finally:
        assert 0 == await stop(daemon)


async def test_without_a_daemon_the_remedy_is_named(environment: Mapping[str, str], tmp_path: Path) -> None:
    code, _, err = await longshift(environment, "run", task_file(tmp_path, "third"))
    assert (3, True) == (code, "longshift up" in err)


async def test_a_day_with_encryption_and_its_codec_server(environment: Mapping[str, str], tmp_path: Path) -> None:
    port = free_port()
    key = f"k1:{new_key_text()}"
    encrypted = {**environment, "LONGSHIFT_PAYLOAD_KEYS": key, "LONGSHIFT_CODEC_ADDRESS": f"127.0.0.1:{port}"}
    _, out, err = await longshift(encrypted, "token", "add", "me", "--scope", "decode")
    token = out.strip()
    assert f"http://127.0.0.1:{port}/{token}" in err
    daemon = await up(encrypted)
    try:
        code, out, _ = await longshift(encrypted, "run", task_file(tmp_path, "sealed"), "--json")
        assert (0, True) == (code, '"done"' in out)
        assert 4 == len(children(daemon.pid)), "engine, worker, intake and codec server"
        where = ("workflow", "show", "-w", "session/sealed", "-o", "json")
        shown = await engine_command(environment, *where)
        (sealed,) = json.loads(shown)["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            headers = {"authorization": f"Bearer {token}", "x-namespace": "default"}
            answer = await http.post("/decode", json={"payloads": [sealed]}, headers=headers)
        assert ("Make a.txt" in shown, 200, True) == (False, answer.status_code, b"Make a.txt" in values(answer)[0])

        code, _, err = await longshift(environment, "status", "sealed")
        assert (2, True) == (code, "the key 'k1', and this process has none" in err), err
        code, out, _ = await longshift(encrypted, "status", "sealed", "--json")
        assert (0, "done") == (code, json.loads(out)["status"]["state"])
    finally:
        assert 0 == await stop(daemon)


async def engine_command(environment: Mapping[str, str], *arguments: str) -> str:
    """The engine's own command line."""
    address = f"127.0.0.1:{environment['LONGSHIFT_ENGINE_PORT']}"
    binary = str(Path(sys.executable).parent / "temporal")
    process = await asyncio.create_subprocess_exec(binary, *arguments, "--address", address, stdout=subprocess.PIPE)
    return (await process.communicate())[0].decode()
