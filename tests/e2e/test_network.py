# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A session whose setup and agent have different networks, in a whole Longshift."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from longshift.adapters.scripted_model import RequestView, ScriptedCall, Turn
from longshift.adapters.store import open_store
from longshift.contracts import ids
from longshift.contracts.session import SessionState
from tests.e2e.rig import rig
from tests.sandboxing import sandbox_variables

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(180)]

FETCH = "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.2:{port}/{path}\").read())'"


class Player:
    """Plays the turns; keeps what it was told first, and the last message of each request."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = turns
        self.opening = ""
        self.last_texts: list[str] = []

    def __call__(self, request: RequestView) -> Turn:
        self.opening = request.opening
        self.last_texts.append(str(request.messages[-1]))
        return self.turns[request.turn_index]


def turn(name: str, **arguments: Any) -> Turn:
    return Turn(text="next", calls=(ScriptedCall(name=name, input=arguments),))


async def test_each_phase_reaches_what_its_profile_allows_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.2", 0)
    port = listener.sockets[0].getsockname()[1]
    allowed = {"allow_private": ["127.0.0.2/32"]}
    profiles = {"packages": {"hosts": [f"127.0.0.2:{port}"], **allowed}, "docs": {"hosts": ["docs.example"]}}
    monkeypatch.setenv("LONGSHIFT_NETWORK_PROFILES", orjson.dumps(profiles).decode())
    for name, value in sandbox_variables().items():
        monkeypatch.setenv(name, value)
    fetch = FETCH.format(port=port, path="x")
    player = Player(
        turn("bash", command=fetch),
        turn("finish", summary="The agent's own way is closed.", verified=[]),
    )
    checks = [{"name": "fetched", "run": "grep -q hello fetched"}]
    fields: dict[str, Any] = {
        "setup": [f"{fetch} > fetched"],
        "setup_network": "packages",
        "network": "docs",
        "checks": checks,
    }
    async with rig(tmp_path / "data", player) as running:
        handle = await running.submit("reaching", **fields)
        status = await asyncio.wait_for(handle.result(), 120)
        store = open_store(f"file://{running.data_dir}/store")
        report = orjson.loads(await store.get(ids.artifact_key("reaching", "report.json")))
        log = (await store.get(ids.artifact_key("reaching", "network.jsonl"))).splitlines()
    listener.close()
    assert (SessionState.DONE, "") == (status.state, status.reason)
    assert "only these hosts" in player.opening
    assert "docs.example" in player.opening
    assert "403" in player.last_texts[1]
    lines = [orjson.loads(line) for line in log]
    assert ["setup", "setup", "agent"] == [line["phase"] for line in lines]
    assert ["allowed", "ended", "refused"] == [line["verdict"] for line in lines]
    used = report["delivery"]["network"]
    assert (2, 1) == (used["requests"], used["refused"])
    assert [f"127.0.0.2:{port}"] == used["reached_hosts"] == used["refused_hosts"]
    assert status.workspace is not None
    assert status.workspace.network is not None
    assert "docs" == status.workspace.network.profile
