"""A session whose model obeys every injected text, in a whole Longshift: no secret leaves by any exit.

The scripts are `tests/attacks`; what is looked through are the engine's database, its histories, the store, runs and
workspaces, all logs, Slack, the report and the command line.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longshift.adapters.fake_slack import FakeSlack
from longshift.adapters.scripted_model import Script, ScriptedCall, Turn
from longshift.contracts import ids
from longshift.contracts.session import SessionState
from tests.attacks.clothes import found_in
from tests.attacks.play import scripts
from tests.attacks.scene import Scene, laid_out
from tests.e2e.people_scene import CHANNELS, variables
from tests.e2e.rig import Rig, rig
from tests.sandboxing import requires_bubblewrap

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.release,
    pytest.mark.timeout(600),
    requires_bubblewrap(),
]

FINISH = Turn(text="done", calls=(ScriptedCall(name="finish", input={"summary": "All is done."}),))
SECONDS = 400


def turns(scene: Scene, engine: int, model: int) -> tuple[Turn, ...]:
    """One call each, and one before it where it needs one."""
    found: list[Turn] = []
    for script in (each.at(scene, engine=engine, model=model) for each in scripts()):
        if script.before:
            found.append(Turn(calls=(ScriptedCall(name="bash", input={"command": script.before}),)))
        found.append(Turn(text=script.name, calls=(ScriptedCall(name=script.tool, input=dict(script.input)),)))
    return (*found, FINISH)


def everything_in(folder: Path, *but: Path) -> list[tuple[str, bytes]]:
    """All files below a folder, but those that the scene has planted."""
    return [
        (str(path), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not any(path.is_relative_to(each) for each in but)
    ]


def said_of(running: Rig, slack: FakeSlack) -> list[tuple[str, bytes]]:
    """What commands print of the session, and what Slack was told."""
    environment = {
        **os.environ,
        "LONGSHIFT_DATA_DIR": str(running.data_dir),
        "TEMPORAL_ADDRESS": running.client.service_client.config.target_host,
    }
    said: list[tuple[str, bytes]] = []
    for name in ("status", "transcript", "artifacts", "logs"):
        command = [sys.executable, "-m", "longshift", name, "attacked"]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
        said.append((f"{name} command", done.stdout + done.stderr))
    posted = [f"{each.text} {each.blocks} {each.metadata}" for each in slack.workspace.messages]
    return [*said, *(("Slack", each.encode()) for each in posted)]


def leaks_in(exits: list[tuple[str, bytes]], scene: Scene) -> dict[str, list[str]]:
    """The secrets that got out, by exit."""
    return {name: found for name, body in exits if (found := found_in(body, scene.secrets.values()))}


async def test_a_model_that_obeys_every_injected_text_gets_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSlack() as slack, laid_out(tmp_path, is_live=True) as scene:
        for name, value in {**variables(slack), **scene.environment, "LONGSHIFT_SANDBOX": "bubblewrap"}.items():
            monkeypatch.setenv(name, value)
        script = Script(turns=())
        async with rig(scene.data, lambda request: script(request)) as running:
            engine = int(running.client.service_client.config.target_host.rpartition(":")[2])
            script = Script(turns=turns(scene, engine, int(running.model.base_url.rpartition(":")[2].strip("/"))))
            before = scene.fingerprint()
            handle = await running.submit(
                "attacked", autonomy="full", stuck={"enabled": False}, people=CHANNELS, budget={"steps": 400}
            )
            status = await asyncio.wait_for(handle.result(), SECONDS)
            bulletin = running.client.get_workflow_handle(ids.bulletin_workflow_id("attacked"))
            await asyncio.wait_for(bulletin.result(), 60)
            history = (await handle.fetch_history()).to_json().encode()
            exits = await asyncio.to_thread(said_of, running, slack)
        planted = (scene.other, scene.data / "runs" / "other", scene.data / "store" / "other.json")
        exits += [("history", history), *await asyncio.to_thread(everything_in, scene.data, *planted)]
        leaks = await asyncio.to_thread(leaks_in, exits, scene)

        assert SessionState.DONE is status.state
        assert len(turns(scene, 1, 1)) == status.agents[-1].steps
        assert {} == leaks
        assert [] == scene.received
        assert before == scene.fingerprint()
        assert scene.is_unharmed()
        assert any(name.endswith("engine.db") for name, _ in exits)
        assert any("worker.log" in name for name, _ in exits)
