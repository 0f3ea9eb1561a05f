"""The whole intake process, killed again and again while tasks flow in: every task is exactly one session."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from longshift.adapters.brokers import open_source
from longshift.contracts import ids
from longshift.intake.report import read_report
from tests.intake.intake_rig import Broker, EngineServer

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]

REPOSITORY = Path(__file__).parents[2]
QUEUE = "tasks"
TASKS, BAD, FILES = 250, 10, 20
KILLS = 12


class IntakeProcess:
    """`python -m longshift.intake`, started again after every kill."""

    def __init__(self, data_dir: Path, engine: EngineServer, *urls: str) -> None:
        self.data_dir = data_dir
        self._log = data_dir / "intake.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LONGSHIFT_", "TEMPORAL_"))},
            "LONGSHIFT_DATA_DIR": str(data_dir),
            "LONGSHIFT_INTAKE_QUEUES": ",".join(urls),
            "LONGSHIFT_API_ADDRESS": "127.0.0.1:0",
            "TEMPORAL_ADDRESS": engine.address,
        }
        data_dir.mkdir(exist_ok=True)
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """In a process group of its own."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "longshift.intake"],
                cwd=REPOSITORY,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def kill(self) -> None:
        """kill -9."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def log(self) -> str:
        """All that it said."""
        return self._log.read_text()

    async def ways(self) -> dict[str, dict[str, Any]]:
        """How every way in stands, as soon as it says so."""
        while (report := read_report(self.data_dir)) is None:  # another process writes it
            assert self.process.poll() is None, self.log()
            await asyncio.sleep(0.05)
        return {way["name"]: way for way in report.ways}


async def feed(broker: Broker, inbox: Path) -> None:
    """Tasks with keys, messages that are none, and task files, in small portions."""
    inbox.mkdir(parents=True)
    for turn in range(TASKS // 10):
        numbers = range(turn * 10, turn * 10 + 10)
        tasks = [(f"task-{n}", json.dumps({"title": f"T {n}", "instructions": "x"})) for n in numbers]
        bad = [(f"bad-{turn}", "{")] if turn < BAD else []
        await broker.put(QUEUE, *({"key": key, "task": body} for key, body in [*tasks, *bad]))
        if turn < FILES:
            part = inbox / f"file-{turn}.md.part"
            part.write_text(f"---\ntitle: file {turn}\n---\nDo it.\n")
            part.replace(inbox / f"file-{turn}.md")
        await asyncio.sleep(0.2)


async def test_killed_at_random_every_task_is_exactly_one_session(tmp_path: Path) -> None:
    engine = await EngineServer.started(tmp_path / "engine")
    broker = Broker(tmp_path / "valkey")
    url, inbox = broker.url(QUEUE, lease_seconds=1), tmp_path / "data" / "inbox"
    intake = IntakeProcess(tmp_path / "data", engine, url)
    draw = random.Random(7)
    try:
        feeding = asyncio.create_task(feed(broker, inbox))
        for _ in range(KILLS):
            await intake.ways()
            await asyncio.sleep(draw.uniform(0.0, 1.0))
            intake.kill()
            intake.start()
        await feeding
        while await broker.left(QUEUE) or list(inbox.glob("*.md")):
            assert intake.process.poll() is None, intake.log()
            await asyncio.sleep(0.2)
        name = open_source(url).name
        expected = [ids.session_workflow_id(ids.keyed_task_id(name, f"task-{n}")) for n in range(TASKS)]
        receipts = [json.loads(path.read_text())["task_id"] for path in (inbox / "done").glob("*.json")]
        expected += [ids.session_workflow_id(each) for each in set(receipts)]
        assert sorted(expected) == await engine.sessions()
        assert FILES == len(set(receipts))
        dead = await broker.dead(QUEUE)
        assert {f"bad-{n}" for n in range(BAD)} == {each.key for each in dead}
        assert all("is not valid JSON" in each.reason for each in dead)
        assert [] == list((inbox / "failed").iterdir())
    finally:
        intake.kill()
        broker.stop()
        await engine.stop()


async def test_one_way_that_fails_stops_no_other_and_a_stop_ends_all(tmp_path: Path) -> None:
    engine = await EngineServer.started(tmp_path / "engine")
    broker = Broker(tmp_path / "valkey")
    away = "valkey://127.0.0.1:1/0?queue=nobody"
    intake = IntakeProcess(tmp_path / "data", engine, broker.url(QUEUE), away, "gopher://nobody")
    try:
        await broker.put(QUEUE, {"key": "one", "task": json.dumps({"title": "One", "instructions": "x"})})
        while True:
            ways = await intake.ways()
            if ways["queue 3"]["restarts"] and ways[open_source(away).name]["state"] == "source_away":
                break
            await asyncio.sleep(0.1)
        while not (ways := await intake.ways())[open_source(broker.url(QUEUE)).name]["accepted"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        assert ("failed", True) == (
            ways["queue 3"]["state"],
            "no broker for the scheme 'gopher'" in ways["queue 3"]["detail"],
        )
        assert ("working", "working") == (ways["inbox"]["state"], ways["http"]["state"])
        async with httpx.AsyncClient(base_url=ways["http"]["detail"], trust_env=False) as http:
            assert 200 == (await http.get("/readyz")).status_code
        intake.process.terminate()
        assert 0 == await asyncio.to_thread(intake.process.wait)
        assert (None, True) == (read_report(tmp_path / "data"), "intake stopped" in intake.log())
    finally:
        if intake.process.poll() is None:
            intake.kill()
        broker.stop()
        await engine.stop()
