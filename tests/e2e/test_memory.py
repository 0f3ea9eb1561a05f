"""A session's work outlives it: one goes on from its note, another from the middle of it, and all of it can be read."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from longshift.adapters.scripted_model import RequestView, ScriptedCall, ScriptedModel, Turn
from tests.e2e.test_cli import longshift, stop, up
from tests.ports import free_port
from tests.sandboxing import sandbox_variables

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.release, pytest.mark.timeout(240)]

TASK = """\
---
id: old
title: Three lines
workspace: {directory: ./source}
setup: [echo built > built.o]
budget: {steps: 5, on_limit: stop}
checks:
  - {name: lines, run: test $(wc -l < a.txt) -ge 3}
---
Make a.txt have three lines.
"""
PLAN = [{"title": "look", "status": "done"}, {"title": "write", "status": "in_progress"}]
OLD = (
    Turn(thinking="First a plan.", calls=(ScriptedCall(name="update_plan", input={"items": PLAN}),), delay_seconds=15),
    Turn(text="```\nlooking", calls=(ScriptedCall(name="read_file", input={"path": "a.txt"}),)),
    Turn(calls=(ScriptedCall(name="bash", input={"command": "echo two >> a.txt; ls; echo '```'"}),)),
    Turn(calls=(ScriptedCall(name="write_file", input={"path": "b.txt", "content": "later\n"}),)),
    Turn(calls=(ScriptedCall(name="bash", input={"command": "echo three >> a.txt"}),)),
)
LOOK = Turn(calls=(ScriptedCall(name="bash", input={"command": "cat a.txt; echo more >> a.txt; ls"}),))
FINISH = Turn(calls=(ScriptedCall(name="finish", input={"summary": "Three lines."}),))
MARKER = b',"cache_control":{"type":"ephemeral"}'
NOTE = Turn(text="I wrote two lines; b.txt is half done.")


def play(request: RequestView) -> Turn:
    """The old session's turns; whoever goes on from it looks at the files, then finishes."""
    if request.is_handoff:
        return NOTE
    if request.user_id == "old":
        return OLD[request.turn_index]
    return FINISH if "more >> a.txt" in json.dumps(request.messages) else LOOK


@dataclass(frozen=True)
class Place:
    """What the commands of the test work with."""

    model: ScriptedModel
    environment: Mapping[str, str]
    folder: Path

    async def longshift(self, *arguments: str, code: int = 0) -> str:
        """Run a command, and give what it printed."""
        found, out, err = await longshift(self.environment, *arguments)
        assert code == found, err
        return out if found == 0 else err

    async def ended(self, task_id: str) -> dict[str, Any]:
        """The session's status when it has ended."""
        async with asyncio.timeout(60):
            while True:
                status = json.loads(await self.longshift("status", task_id, "--json"))
                if status["closed_at"]:
                    return status
                await asyncio.sleep(0.5)

    def asked(self, task_id: str, number: int) -> tuple[dict[str, Any], bytes]:
        """A session's request of this number, from 0: parsed, and its bytes from the messages on, without markers."""
        bodies = [each.body for each in self.model.requests if each.user_id == task_id and not each.is_handoff]
        raw = (bodies[number] or b"").replace(MARKER, b"")
        return orjson.loads(raw), raw[raw.index(b'"messages":') + len(b'"messages":') :]


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place]:
    """A data directory and a model."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.txt").write_text("one\n")
    (tmp_path / "source" / ".gitignore").write_text("*.o\n")
    (tmp_path / "old.md").write_text(TASK)
    async with ScriptedModel(play, key="k", keep_bodies=True) as model:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LONGSHIFT_", "TEMPORAL_"))}
        environment = {
            **kept,
            **sandbox_variables(),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "LONGSHIFT_DATA_DIR": str(tmp_path / "data"),
            "LONGSHIFT_ENGINE_PORT": str(free_port()),
            "LONGSHIFT_MODEL_BASE_URL": model.base_url,
            "LONGSHIFT_MODEL_API_KEY": "k",
        }
        yield Place(model, environment, tmp_path)


async def test_a_session_is_gone_on_from_in_its_middle_and_at_its_end(place: Place) -> None:
    daemon = await up(place.environment)
    try:
        await place.longshift("submit", str(place.folder / "old.md"))
        await place.model.wait_for_requests(1)
        await place.longshift("pause", "old")
        await place.longshift("steer", "old", "Keep the first line.")
        assert "has not ended" in await place.longshift("continue", "old", code=2)
        assert "no closed step 9" in await place.longshift("fork", "old", "--at-step", "9", code=2)
        await place.longshift("resume", "old")
        assert "expired" == (await place.ended("old"))["status"]["state"]
        (place.folder / "source" / "a.txt").write_text("changed since\n")

        await _forked(place)
        await _continued(place)
        await _forked_before_any_change(place)
        await _listed(place)
    finally:
        assert 0 == await stop(daemon)
    await _exported(place)


async def _forked(place: Place) -> None:
    said = json.loads(await place.longshift("fork", "old", "--at-step", "3", "--message", "Stop at three.", "--json"))
    assert ("old.f3", "old@3") == (said["task_id"], said["started_from"])
    await place.ended("old.f3")
    before, before_bytes = place.asked("old", 3)
    after, after_bytes = place.asked("old.f3", 0)
    conversation = orjson.dumps(before["messages"])
    assert before_bytes.startswith(conversation)
    assert after_bytes.startswith(conversation.removesuffix(b"]}]"))
    assert (before["system"], before["tools"]) == (after["system"], after["tools"])
    told, said_by_person = after["messages"][-1]["content"][-2:]
    root = str(place.folder / "data" / "workspaces" / "old.f3" / "tree")
    parts = ["forked from the session old after step 3", f"now at {root}", "after step 3", "No change is known"]
    assert [] == [part for part in parts if part not in told["text"]]
    assert "<message-from-person>\nStop at three.\n</message-from-person>" == said_by_person["text"]
    seen = place.asked("old.f3", 1)[0]["messages"][-1]["content"][0]["content"]
    assert "one\ntwo\na.txt\nbuilt.o\n" in seen
    report = json.loads(await place.longshift("artifacts", "old.f3", "--get", "report.json"))
    assert ("done", 2, 5) == (report["state"], report["agents"][0]["steps"], report["agents"][0]["last_step"])
    assert "+two\n+more" in await place.longshift("artifacts", "old.f3", "--get", "patch.diff")


async def _continued(place: Place) -> None:
    said = json.loads(await place.longshift("continue", "old", "--message", "Only one more.", "--steps", "9", "--json"))
    assert ("old.c2", "old") == (said["task_id"], said["started_from"])
    assert "done" == (await place.ended("old.c2"))["status"]["state"]
    first = place.asked("old.c2", 0)[0]["messages"]
    assert 1 == len(first)
    texts = [block["text"] for block in first[0]["content"]]
    assert "<message-from-person>\nKeep the first line.\n</message-from-person>" == texts[2]
    assert "<plan>\n- [x] look\n- [~] write\n</plan>" == texts[3]
    assert "<changed-files>\na.txt\nb.txt\n</changed-files>" == texts[4]
    assert ("of the session old" in texts[5], "b.txt is half done." in texts[5]) == (True, True)
    assert ("with the work of the session old" in texts[6], "Only one more." in texts[7]) == (True, True)
    seen = place.asked("old.c2", 1)[0]["messages"][-1]["content"][0]["content"]
    assert "one\ntwo\nthree\na.txt\nb.txt\nbuilt.o\n" in seen


async def _forked_before_any_change(place: Place) -> None:
    await place.longshift("fork", "old", "--at-step", "2", "--id", "early")
    await place.ended("early")
    seen = place.asked("early", 1)[0]["messages"][-1]["content"][0]["content"]
    assert "one\na.txt\nbuilt.o\n" in seen


async def _listed(place: Place) -> None:
    listed = json.loads(await place.longshift("list", "--json"))["sessions"]
    origins = {each["task_id"]: each["started_from"] for each in listed}
    assert {"old": "", "old.f3": "old@3", "old.c2": "old", "early": "old@2"} == origins
    assert "goes on from" in await place.longshift("status", "early")


async def _exported(place: Place) -> None:
    """Without an engine."""
    lines = [json.loads(line) for line in (await place.longshift("transcript", "old.f3", "--json")).splitlines()]
    assert ["opening", "answer", "seal", "answer", "seal"] == [line["event"] for line in lines]
    (carried,) = lines[0]["carried"]
    assert ("fork", 4) == (lines[0]["cause"], lines[0]["first_step"])
    assert ("old/lead", 1, 1, 4) == tuple(carried[name] for name in ("agent", "epoch", "first_step", "end_step"))
    lines = (await place.longshift("transcript", "old", "--format", "jsonl")).splitlines()
    assert ["opening", *["answer", "seal"] * 5, "handoff"] == [json.loads(line)["event"] for line in lines]
    for task_id in ("old", "old.f3", "old.c2"):
        await place.longshift("transcript", task_id, "--output", str(place.folder / f"{task_id}.out.md"))
    text = (place.folder / "old.out.md").read_text()
    assert ["## old/lead: epoch 1, from step 1", *(f"### Step {step}" for step in range(1, 6))] == [
        line for line in text.splitlines() if line.startswith(("## old/lead: epoch", "### "))
    ]
    assert ("last hand-off note" in text, "b.txt is half done." in text) == (True, True)
    assert "carries steps 1 to 3 of old/lead, epoch 1" in (place.folder / "old.f3.out.md").read_text()
    assert "b.txt is half done." in (place.folder / "old.c2.out.md").read_text()
