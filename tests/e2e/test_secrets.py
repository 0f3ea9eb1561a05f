"""Two planted secrets, and every exit searched for them: one that a setup is given, one that an agent finds."""

import asyncio
import base64
import os
import sys
from pathlib import Path
from urllib.parse import quote

import httpx
import orjson
import pytest

from longshift.adapters.fake_slack import FakeSlack
from longshift.adapters.scripted_model import RequestView, ScriptedCall, Turn
from longshift.contracts.session import SessionState
from tests.e2e.people_scene import CHANNELS, variables
from tests.e2e.rig import Rig, rig

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]

LONGSHIFT = str(Path(sys.executable).parent / "longshift")
GIVEN = "canary-given-9f8e7d6c5b4a3210-and-more"
"""What the setup gets."""
KEPT = "canary-kept-0123456789abcdef-and-more"
"""The worker's own: a file that it reads, and that the agent, unsandboxed, can read too."""
LOUD = 'echo "out $TOKEN"; echo "err $TOKEN" >&2; printf %s "$TOKEN" | base64; printf %s "$TOKEN" | od -An -tx1'


def forms(value: str) -> tuple[bytes, ...]:
    """What is searched for; made here by other means than by the redactor."""
    raw = value.encode()
    shifted = [base64.b64encode(bytes(count) + raw)[4:44] for count in range(3)]
    return (raw, raw.hex().encode(), raw.hex().upper().encode(), quote(value).encode(), *shifted)


SEARCHED = (*forms(GIVEN), *forms(KEPT))


def leaks(where: str, body: bytes) -> list[str]:
    """Which secrets a body holds, white space left out or not."""
    squeezed = b"".join(body.split())
    return [f"{where}: {form[:24]!r}" for form in SEARCHED if form in body or form in squeezed]


def leaking_files(folder: Path, *, but: Path) -> list[str]:
    """Which files below a folder hold a secret: database, logs, store, run directories, workspaces."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path != but:
            found += leaks(str(path.relative_to(folder)), path.read_bytes())
    return found


class Agent:
    """Finds the worker's secret and says it wherever it can; keeps every request."""

    def __init__(self, file: Path) -> None:
        self.requests: list[bytes] = []
        commands = (
            f"cat {file}; base64 {file}; xxd -p {file} || od -An -tx1 {file}; cat {file} >&2; exit 3",
            f"seq 20000; cat {file}; seq 20000",
            f"grep -r canary {file.parent}; env",
        )
        calls = [ScriptedCall(name="bash", input={"command": command}) for command in commands]
        calls.append(ScriptedCall(name="finish", input={"summary": "Nothing to see."}))
        self.turns = [Turn(text="next", calls=(call,)) for call in calls]

    def __call__(self, request: RequestView) -> Turn:
        self.requests.append(str(request.opening).encode() + str(request.messages).encode())
        return self.turns[min(request.turn_index, len(self.turns) - 1)]


async def command(running: Rig, *arguments: str) -> bytes:
    """What a command of the command line prints, on both streams."""
    environment = {
        **os.environ,
        "LONGSHIFT_DATA_DIR": str(running.data_dir),
        "TEMPORAL_ADDRESS": running.client.service_client.config.target_host,
    }
    process = await asyncio.create_subprocess_exec(
        LONGSHIFT,
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    return (await process.communicate())[0]


async def answers(running: Rig, *paths: str) -> list[tuple[str, bytes]]:
    """What the HTTP API says."""
    token = orjson.loads(await command(running, "token", "add", "reader", "--scope", "read", "--json"))["token"]
    async with asyncio.timeout(60):
        while not (running.data_dir / "api.json").exists():  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.1)
    url = orjson.loads((running.data_dir / "api.json").read_bytes())["url"]
    async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}) as http:
        found = [(path, await http.get(path)) for path in paths]
    assert {200} == {answer.status_code for _, answer in found}
    return [(path, answer.content) for path, answer in found]


async def test_no_exit_tells_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, kept = tmp_path / "given", tmp_path / "kept"
    given.write_text(f"{GIVEN}\n")
    kept.write_text(f"{KEPT}\n")
    table = {"TOKEN": {"file": str(given), "tenants": ["default"]}}
    agent = Agent(kept)
    async with FakeSlack() as slack:
        own = {**variables(slack), "LONGSHIFT_SECRETS": orjson.dumps(table).decode()}
        for name, value in {**own, "LONGSHIFT_GITHUB_TOKEN": f"file:{kept}", "LONGSHIFT_SANDBOX": "none"}.items():
            monkeypatch.setenv(name, value)
        data_dir = tmp_path / "data"
        async with rig(data_dir, agent) as running:
            running.start_intake()
            quiet = await running.submit(
                "quiet",
                setup=[f"{LOUD}; [[ $TOKEN = {GIVEN[:12]}* ]]"],
                setup_secrets=["TOKEN"],
                checks=[{"name": "says it", "run": f"cat {kept}; base64 {kept}"}],
                people=CHANNELS,
            )
            status = await asyncio.wait_for(quiet.result(), 120)
            loud = await running.submit("loud", setup=[f"{LOUD}; exit 9"], setup_secrets=["TOKEN"], people=CHANNELS)
            failed = await asyncio.wait_for(loud.result(), 120)
            left = await running.submit("left", setup=['echo "$TOKEN" > .npmrc'], setup_secrets=["TOKEN"])
            leaving = await asyncio.wait_for(left.result(), 120)
            await asyncio.sleep(2)  # what is posted and logged at the end
            asked = [
                ("status", "quiet", "--json"),
                ("status", "loud", "--json"),
                ("status", "loud"),
                ("list", "--json"),
                ("transcript", "quiet"),
                ("logs", "quiet"),
                ("diff", "quiet"),
                ("doctor", "--json"),
            ]
            said = [(" ".join(each), await command(running, *each)) for each in asked]
            said += await answers(
                running, "/v1/sessions", "/v1/sessions/quiet", "/v1/sessions/quiet/transcript", "/v1/reviews"
            )
            said.append(("slack", str([(each.text, each.blocks) for each in slack.workspace.messages]).encode()))
    said += [(f"request {number}", body) for number, body in enumerate(agent.requests)]

    assert SessionState.DONE is status.state, status.reason
    assert SessionState.FAILED is failed.state
    assert "out [redacted]\nerr [redacted]" in failed.reason
    assert "the setup left secret TOKEN in tree/.npmrc" in leaving.reason
    assert b"[redacted]" in agent.requests[1]
    assert b"SUPERVISED_RUN" in agent.requests[3], "the agent saw its environment"
    assert b"LONGSHIFT_" not in agent.requests[3], "and nothing of the worker's in it"
    assert len(slack.workspace.messages) > 2
    assert [] == [leak for where, body in said for leak in leaks(where, body)]
    raw = [
        each for each in leaking_files(data_dir, but=kept) if not each.startswith(("runs/quiet/lead", "runs/quiet/s"))
    ]
    assert ["workspaces/left/tree/.npmrc"] == sorted({each.partition(":")[0] for each in raw})
