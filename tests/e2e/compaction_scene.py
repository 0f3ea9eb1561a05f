# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A session that compacts, with places to hold it at: the model's answers, the commands, the engine, the store."""

import asyncio
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from bench.epochs import Epoch, epochs_of
from longshift.adapters.scripted_model import RequestView, ScriptedCall, Turn
from longshift.contracts.session import SessionState
from tests.e2e.recall_model import turn_of
from tests.e2e.rig import Rig

TURNS = 26
LINES = 100
"""About 700 tokens per step."""
CALM, KILLED = "calm-1", "kill-1"
"""Task ids of one length: their prompts have the same size."""
UNWATCHED = {"enabled": False}
"""What the runner tells an agent that seems stuck would make the two sessions differ."""
WINDOW_TOKENS = 16_000
PROFILE = f"window_tokens = {WINDOW_TOKENS}\nmax_output_tokens = 1500\noutput_limit_tokens = 1500\n"
HANDOFF = "hand-off"
UNLIKE = frozenset({"usage", "unknown", "generation"})


@dataclass
class HeldModel:
    """A `Policy` of commands with long outputs; `holds` changes the next answer of a kind to the killed session."""

    holding: Path
    """A command of turn N runs for as long as the file N is in this folder."""
    holds: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """By turn, or `hand-off`: what the turn is updated with, once."""
    asked: dict[str, list[str]] = field(default_factory=lambda: {CALM: [], KILLED: []})

    def __call__(self, request: RequestView) -> Turn:
        """The turn for `request`."""
        number = turn_of(request.messages)
        key = HANDOFF if request.is_handoff else str(number)
        self.asked[request.user_id].append(key)
        held = self.holds.pop(key, {}) if request.user_id == KILLED else {}
        return self._turn(number, is_handoff=request.is_handoff).model_copy(update=held)

    def _turn(self, number: int, *, is_handoff: bool) -> Turn:
        if is_handoff:
            return Turn(text=f"What was done is done. Turns played: {number}.", chunk_characters=8)
        if number >= TURNS:
            return Turn(calls=(ScriptedCall(name="finish", input={"summary": "Done."}),))
        command = (
            f"echo {number} >> side-effects; while [ -e {self.holding}/{number} ]; do sleep 0.05; done; "
            f"seq -f 'turn {number} line %05.0f of the output' 1 {LINES}"
        )
        call = ScriptedCall(name="bash", input={"command": command}, id=f"turn-{number}.0")
        return Turn(text=f"This is turn {number}.", chunk_characters=8, calls=(call,))


@dataclass
class Scene:
    """The calm session has ended, the one to kill is to be submitted."""

    running: Rig
    model: HeldModel
    epoch: Epoch
    """The one whose beginning is disturbed; the calm session tells where it begins."""

    @property
    def store(self) -> Path:
        """The killed session's objects."""
        return agent_store(self.running, KILLED)

    @property
    def base(self) -> Path:
        """The key of the new epoch's base."""
        return self.store / f"e{self.epoch.number:04d}" / "base.json"

    @property
    def last_turn(self) -> int:
        """The last one before the compaction."""
        return self.epoch.first_step - 2

    def in_step(self, epoch: int, step: int, name: str) -> Path:
        """The key of an object of a step."""
        return self.store / f"e{epoch:04d}" / f"s{step:06d}" / name

    async def submit(self) -> None:
        """Start the session to kill."""
        await self.running.submit(KILLED, budget={"steps": 100}, stuck=UNWATCHED)

    def hold_command(self) -> Path:
        """Let the last command before the compaction run until the file is removed."""
        self.model.holding.mkdir(exist_ok=True)
        held = self.model.holding / str(self.last_turn)
        held.touch()
        return held

    async def is_pending(self, activity: str, attempt: int = 1) -> bool:
        """Whether the agent waits for this activity, in this attempt or a later one."""
        handle = self.running.client.get_workflow_handle(f"agent/{KILLED}/lead")
        pending = (await handle.describe()).raw_description.pending_activities
        return any(each.activity_type.name == activity and each.attempt >= attempt for each in pending)

    async def until_pending(self, activity: str, attempt: int = 1) -> None:
        """Wait for that."""
        async with asyncio.timeout(60):
            while not await self.is_pending(activity, attempt):  # noqa: ASYNC110  # the engine is asked
                await asyncio.sleep(0.02)

    async def until_asked(self, key: str, *, answering: bool = False) -> None:
        """Wait until the killed session has asked for this; `answering`: until its answer has begun."""
        await until(lambda: key in self.model.asked[KILLED])
        if answering:
            await until(lambda: self.running.model.requests[-1].status == 200)

    async def until_running(self, turn: int) -> None:
        """Wait until the command of a turn runs."""
        effects = self.running.tree(KILLED) / "side-effects"
        await until(lambda: effects.exists() and str(turn) in effects.read_text().split())

    def stop_engine(self) -> int:
        """Nothing reaches the engine until it is continued; its process id."""
        pid = orjson.loads((self.running.data_dir / "engine.json").read_bytes())["pid"]
        os.kill(pid, signal.SIGSTOP)
        return pid


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds, for a minute at most."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # files and processes of others
            await asyncio.sleep(0.002)


def agent_store(running: Rig, task_id: str) -> Path:
    """The objects of a session's lead."""
    return running.data_dir / "store" / "agents" / task_id / "lead"


async def set_scene(running: Rig, model: HeldModel, cause: str) -> Scene:
    """Play the calm session; the first epoch that begins for this cause is the one to disturb."""
    await running.submit(CALM, budget={"steps": 100}, stuck=UNWATCHED)
    await ended_done(running, CALM)
    epochs = epochs_of(agent_store(running, CALM))
    return Scene(running, model, next(epoch for epoch in epochs if epoch.cause == cause))


async def ended_done(running: Rig, task_id: str) -> None:
    """The session's end: each command has run once, in order."""
    handle = running.client.get_workflow_handle(f"session/{task_id}", result_type=dict)
    result = await asyncio.wait_for(handle.result(), 120)
    assert SessionState.DONE == result["state"], result["reason"]
    assert "".join(f"{turn}\n" for turn in range(TURNS)) == (running.tree(task_id) / "side-effects").read_text()


def stored(running: Rig, task_id: str) -> dict[str, Any]:
    """All objects of an agent by key, without what may differ: names, paths, slots, and what was paid."""
    root = agent_store(running, task_id)
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*.json")):
        text = path.read_text().replace(str(running.data_dir), "DATA").replace(task_id, "TASK")
        key = re.sub(r"-g\d{4}", "", str(path.relative_to(root)))
        found[key] = _without(UNLIKE, json.loads(text))
    return found


def asked_more(model: HeldModel) -> Counter[str]:
    """What the killed session asked for beyond the calm one."""
    return Counter(model.asked[KILLED]) - Counter(model.asked[CALM])


def _without(names: frozenset[str], value: object) -> object:
    if isinstance(value, dict):
        members = cast(dict[str, object], value).items()
        return {key: _without(names, member) for key, member in members if key not in names}
    if isinstance(value, list):
        return [_without(names, member) for member in cast(list[object], value)]
    return value
