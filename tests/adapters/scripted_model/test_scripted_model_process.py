"""The server as a process of its own, and scripts on disk."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx
import orjson
import pytest
from scripted_model_client import read_stream, request, user

from longshift.adapters.scripted_model import FaultKind, Repeat, Script, load_policy
from longshift.contracts.errors import BadInput

SCRIPT = """
turns:
  - thinking: I look.
    calls:
      - {name: bash, input: {command: ls}}
    faults:
      - {kind: overloaded, times: 1, retry_after_seconds: 2}
  - text: Done.
"""


async def test_a_process_says_where_it_listens_and_ends_on_a_signal(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(SCRIPT)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "longshift.adapters.scripted_model",
        "--script",
        str(script),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    address = orjson.loads(await process.stdout.readline())
    async with httpx.AsyncClient(timeout=20) as client:
        url = f"{address['base_url']}/v1/messages"
        refused = await client.post(url, json=request([user()]))
        answered = await client.post(url, json=request([user()], stream=True))
    process.send_signal(signal.SIGTERM)
    assert (refused.status_code, refused.headers["retry-after"]) == (529, "2")
    assert read_stream(answered.content).content[1]["name"] == "bash"
    assert await process.wait() == 0


async def test_a_process_refuses_a_script_that_is_none(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "longshift.adapters.scripted_model",
        "--script",
        str(tmp_path / "missing.yaml"),
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    _, stderr = await process.communicate()
    assert process.returncode == 2
    assert b"missing.yaml" in stderr


def test_scripts_load_from_yaml_and_json(tmp_path: Path) -> None:
    yaml_file, json_file = tmp_path / "a.yaml", tmp_path / "b.json"
    yaml_file.write_text(SCRIPT)
    json_file.write_text('{"repeat": {"turn": {"text": "{turn}"}, "times": 3}}')
    script, repeat = load_policy(yaml_file), load_policy(json_file)
    assert isinstance(script, Script)
    assert script.turns[0].faults[0].kind is FaultKind.OVERLOADED
    assert isinstance(repeat, Repeat)
    assert repeat.times == 3


@pytest.mark.parametrize("content", ["turns: 5", "[", "turns: [{txt: x}]", "- x", "", "{}"])
def test_a_file_that_is_no_script_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"bad\.yaml"):
        load_policy(path)
