"""`doctor` about encryption, and a worker that lacks a key: who needs which key is said, and nothing is begun."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from longshift.adapters.codec import KeyRing, new_key_text, read_key
from longshift.contracts.errors import BadInput
from longshift.payload_census import payload_census, require_payload_keys
from longshift.payload_codec import data_converter
from tests.cli.conftest import Command, Said

ROOT = Path(__file__).parents[2]
ONE, TWO = f"one:{new_key_text()}", f"two:{new_key_text()}"


def encryption(document: Any) -> tuple[str, str, str]:
    found = next(each for each in document["findings"] if each["name"] == "encryption")
    return found["level"], found["detail"], found["remedy"]


def ring_of(*keys: str) -> KeyRing:
    return KeyRing([read_key(*key.split(":")) for key in keys])


async def begin(client: Client, name: str, *keys: str, memo: bool = True) -> None:
    """An open workflow, as a process with these keys submits it; nobody works on it."""
    config = client.config()
    config["data_converter"] = data_converter(ring_of(*keys))
    own = Client(**config)
    await own.start_workflow(
        "Session", {"task": name}, id=name, task_queue="nobody", memo={"hash": "x"} if memo else None
    )
    async with asyncio.timeout(20):  # it is listed a moment later
        while name not in {each.id async for each in client.list_workflows()}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def test_without_keys_it_is_a_warning_that_says_how_to_switch_it_on(longshift: Command) -> None:
    level, detail, remedy = encryption(longshift("doctor", "--json").document)
    assert ("warn", True, True) == (level, "in clear" in detail, "longshift payload-key new ID" in remedy)


def test_with_keys_it_says_which_one_encrypts(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_PAYLOAD_KEYS", f"{TWO},{ONE}")
    found = encryption(longshift("doctor", "--json").document)
    assert ("ok", "the key 'two' encrypts, 1 more decrypt", "") == found


def test_a_wrong_key_is_a_fault_that_names_it(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_PAYLOAD_KEYS", "one:c2hvcnQ=")
    level, detail, _ = encryption(longshift("doctor", "--json").document)
    assert ("fail", "payload_keys: one: has 5 bytes instead of 32") == (level, detail.partition(";")[0])


@pytest.mark.engine
async def test_the_keys_that_open_sessions_need_are_found(
    client: Client, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(client, "session/old", ONE)
    await begin(client, "session/input-only", TWO, memo=False)
    assert {"one": ("session/old",), "two": ("session/input-only",)} == (await payload_census(client)).needed

    monkeypatch.setenv("LONGSHIFT_PAYLOAD_KEYS", TWO)
    level, detail, remedy = encryption((await said("doctor", "--json")).document)
    assert ("fail", "the key 'one' is not here, and 1 open workflows need it (session/old)") == (level, detail)
    assert "add one to LONGSHIFT_PAYLOAD_KEYS" in remedy

    monkeypatch.setenv("LONGSHIFT_PAYLOAD_KEYS", f"{TWO},{ONE}")
    assert "ok" == encryption((await said("doctor", "--json")).document)[0]

    await begin(client, "session/clear")
    level, detail, _ = encryption((await said("doctor", "--json")).document)
    assert ("warn", True) == (level, "1 open workflows began in clear" in detail)


@pytest.mark.engine
async def test_a_worker_without_a_key_that_is_needed_does_not_begin(client: Client, data_dir: Path) -> None:
    await begin(client, "session/old", ONE)
    with pytest.raises(BadInput, match=r"payload_keys: the key 'one' is not here.*session/old.*add one to LONGSHIFT"):
        await require_payload_keys(client, ring_of(TWO))
    await require_payload_keys(client, ring_of(TWO, ONE))
    command = [sys.executable, "-m", "worker"]
    environment = {**os.environ, "LONGSHIFT_PAYLOAD_KEYS": TWO}
    ended = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=40, check=False
    )
    assert (2, True) == (ended.returncode, "the key 'one' is not here" in ended.stderr), ended.stderr
    assert ONE.split(":")[1] not in ended.stderr


async def test_a_new_key_is_shown_once_and_can_be_used_as_it_is(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await said("payload-key", "new", "2027-01")
    assert (0, 1, True) == (shown.code, len(shown.out.splitlines()), "kept" in shown.err or "keep" in shown.err)
    monkeypatch.setenv("LONGSHIFT_PAYLOAD_KEYS", shown.out.strip())
    detail = encryption((await said("doctor", "--json")).document)[1]
    assert "the key '2027-01' encrypts" == detail
    document = (await said("payload-key", "new", "x", "--json")).document
    assert ("x", True) == (document["id"], document["entry"].startswith("x:"))


def test_a_key_needs_a_usable_id(longshift: Command) -> None:
    outcome = longshift("payload-key", "new", "a b")
    assert (2, True) == (outcome.code, "'a b' is no id of a key" in outcome.err)
