"""`queue`: what waits is counted, and what people decide about it holds."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.cli.conftest import Command, Said
from tests.cli.pages import HOSTILE, UNSAFE
from tests.cli.queue_rig import control, host, submit, until
from tests.workflows.scripted import Script

pytestmark = pytest.mark.engine


def counts(groups: list[dict[str, Any]]) -> dict[str, int]:
    return {group["name"]: group["waiting"] for group in groups}


def waits(number: int) -> Callable[[Any], bool]:
    def holds(document: Any) -> bool:
        return document["queue"]["waiting"] == number

    return holds


@pytest.mark.usefixtures("client")
async def test_an_empty_queue_is_open_and_says_that_nobody_works(said: Said) -> None:
    shown = await said("queue")
    assert (0, "") == (shown.code, shown.err)
    assert ["queue", "0", "waiting", "state", "open", "slots", "no", "host"] == shown.out.split()[:8]
    assert (await said("queue", "--json")).document == (await said("queue", "show", "--json")).document


@pytest.mark.usefixtures("client")
async def test_what_waits_is_counted_by_priority_and_by_key_the_oldest_first(said: Said, tmp_path: Path) -> None:
    for task_id, priority, tenant in (("a", 3, "red"), ("b", 3, "red"), ("c", 1, "blue"), ("d", 5, "it's")):
        await submit(said, tmp_path, task_id, priority=priority, tenant=tenant)
    await submit(said, tmp_path, "e", tenant="'q\"uo\\te'")

    document = (await until(said, "queue", holds=waits(5))).document
    found = document["queue"]
    assert {"1": 1, "3": 3, "5": 1} == counts(found["by_priority"])
    assert ({"red": 2, "blue": 1, "it's": 1}, 1) == (counts(found["by_key"]), found["in_other_keys"])
    assert ["c", "a", "b", "e", "d"] == [each["task_id"] for each in found["first"]]
    assert ("Mend c", 1, "blue") == tuple(found["first"][0][name] for name in ("title", "priority", "fairness_key"))
    limited = (await said("queue", "--limit", "2", "--json")).document["queue"]
    assert (5, ["c", "a"]) == (limited["waiting"], [each["task_id"] for each in limited["first"]])
    page = (await said("queue", "--limit", "2")).out
    assert ("5 waiting" in page, "1 more under other keys" in page, "3 more wait" in page) == (True, True, True)


@pytest.mark.usefixtures("client")
async def test_a_session_before_its_time_is_counted_beside_the_queue(said: Said, tmp_path: Path) -> None:
    async with control():
        await submit(said, tmp_path, "later", not_before="2099-01-01T00:00:00Z")
        await submit(said, tmp_path, "now")
        # What is counted comes from several questions to the engine, whose answers may be of different moments.
        found = await until(
            said, "queue", holds=lambda each: (each["queue"]["not_before"], each["queue"]["waiting"]) == (1, 1)
        )
        assert ["now"] == [each["task_id"] for each in found.document["queue"]["first"]]
        assert "1 waiting, 1 before their time" in (await said("queue")).out


async def test_a_paused_queue_lets_nothing_out_until_it_is_resumed(client: Client, said: Said, tmp_path: Path) -> None:
    script = Script(answers=[])
    paused = await said("queue", "pause", "--reason", "disks" + HOSTILE, "--json")
    assert (0, True) == (paused.code, paused.document["control"]["is_paused"])
    async with control(), host(client, script, "h1", 2):
        await submit(said, tmp_path, "a")
        await submit(said, tmp_path, "b")
        await until(said, "queue", holds=lambda each: waits(2)(each) and each["slots"]["of"] == 2)
        page = (await said("queue")).out
        assert ("paused since" in page, "disks" in page, UNSAFE & set(page)) == (True, True, set())
        assert ("0 of 2 used, 2 free on 1 host" in page, []) == (True, script.slots)

        assert 0 == (await said("queue", "resume")).code
        full = await until(said, "queue", holds=lambda each: waits(0)(each) and each["slots"]["used"] == 2)
        assert ({"used": 2, "free": 0, "of": 2}, False) == (
            full.document["slots"],
            full.document["control"]["is_paused"],
        )


@pytest.mark.usefixtures("client")
async def test_a_rate_outlives_a_pause_and_weights_are_kept_beside_it(said: Said) -> None:
    async def now(*arguments: str) -> tuple[bool, float | None]:
        control = (await said("queue", *arguments, "--json")).document["control"]
        return control["is_paused"], control["rate_per_second"]

    assert (False, None) == await now("resume")
    assert (False, 0.1) == await now("rate", "0.1", "--reason", "slow disks [then 9/s]")
    assert "at most since" in (await said("queue")).out
    assert "slow disks [then 9/s]" == (await said("queue", "--json")).document["control"]["reason"]
    assert (False, None) == await now("rate", "off")
    assert (True, None) == await now("pause", "--reason", "[then 9/s]")
    assert (False, None) == await now("resume")
    assert (False, 0.5) == await now("rate", "0.5")
    assert (True, 0.5) == await now("pause", "--reason", "disks")
    assert (True, 2.0) == await now("rate", "2")
    page = (await said("queue")).out
    assert ("paused, then 2 sessions a second at most since" in page, ": disks" in page) == (True, True)
    assert (False, 2.0) == await now("resume")
    assert (False, 2.0) == await now("weight", "red", "2.5")
    told = (await said("queue", "--json")).document["control"]
    assert ({"red": 2.5}, True) == (told["weights"], "@" in told["by"])
    assert "red ×2.5" in (await said("queue")).out
    assert (False, None) == await now("rate", "off")
    assert {} == (await said("queue", "weight", "red", "off", "--json")).document["control"]["weights"]


async def test_a_queued_session_is_moved_and_one_that_a_host_holds_is_not(
    client: Client, said: Said, tmp_path: Path
) -> None:
    script = Script(answers=[])
    async with control():
        for task_id in ("a", "b"):
            await submit(said, tmp_path, task_id)
            await until(said, "queue", holds=lambda each, task_id=task_id: task_id in str(each))
        # It is listed as queued a moment before its worker has put it there.
        moved = await until(said, "queue", "move", "b", "--priority", "1", holds=lambda each: "answer" in each)
        assert (0, "queued with priority 1") == (moved.code, moved.document["answer"])
        found = await until(said, "queue", holds=lambda each: "1" in counts(each["queue"]["by_priority"]))
        assert ["b", "a"] == [each["task_id"] for each in found.document["queue"]["first"]]
        async with host(client, script, "h1", 1):
            await until(said, "hosts", holds=lambda each: [["b"]] == [host["sessions"] for host in each["hosts"]])
            refused = await said("queue", "move", "b", "--priority", "2")
            assert (1, True) == (refused.code, "does not wait in the queue" in refused.err)
    missing = await said("queue", "move", "nobody", "--priority", "2")
    assert (2, True) == (missing.code, "no session has the id 'nobody'" in missing.err)


async def test_only_what_still_waits_is_removed_and_the_rest_is_named(
    client: Client, said: Said, tmp_path: Path
) -> None:
    script = Script(answers=[])
    async with control(), host(client, script, "h1", 1):
        await submit(said, tmp_path, "held")
        await until(said, "hosts", holds=lambda each: [["held"]] == [host["sessions"] for host in each["hosts"]])
        for task_id in ("a", "b"):
            await submit(said, tmp_path, task_id)
        await until(said, "queue", holds=waits(2))
        removed = await said("queue", "remove", "a", "held", "nobody", "a", "--reason", "too many", "--json")
        sessions = removed.document["sessions"]
        assert (1, [("a", True), ("held", False), ("nobody", False)]) == (
            removed.code,
            [(each["task_id"], each["is_removed"]) for each in sessions],
        )
        assert ("stays" in sessions[1]["answer"], "no session" in sessions[2]["answer"]) == (True, True)
        await until(said, "status", "a", holds=lambda each: each["status"]["state"] == "cancelled")
        assert "too many" == (await said("status", "a", "--json")).document["status"]["reason"]
        assert "running" == (await said("status", "held", "--json")).document["status"]["state"]
        await until(said, "queue", holds=waits(1))


@pytest.mark.usefixtures("client")
async def test_without_a_worker_the_engine_keeps_the_removal(said: Said, tmp_path: Path) -> None:
    await submit(said, tmp_path, "a")
    removed = await said("queue", "remove", "a")
    assert (0, True) == (removed.code, "keeps the cancellation for the next worker" in removed.out)
    async with control():
        await until(said, "status", "a", holds=lambda each: each["status"]["state"] == "cancelled")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rate", "0"], "N: '0' is no number from 0.001 to 1,000, nor 'off' (to stop it, `longshift queue pause`)"),
        (["rate", "nan"], "N: 'nan' is no number"),
        (["rate", "fast"], "N: 'fast' is no number"),
        (["weight", "red", "0"], "W: '0' is no number from 0.001 to 1,000, nor 'off'"),
        (["weight", "x" * 65, "1"], "KEY: has more than 64 bytes"),
        (["pause", "--reason", "x" * 901], "--reason: at most 900 characters"),
        (["move", "a"], "Missing option '--priority'"),
        (["move", "a", "--priority", "6"], "--priority': Input should be less than or equal to 5"),
        (["move", "A", "--priority", "1"], "'A' is not a task's id"),
        (["remove"], "Missing argument"),
        (["remove", "a", "B"], "'B' is not a task's id"),
        (["--limit", "3", "pause"], "--limit belongs behind the command's name"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    longshift: Command, arguments: list[str], words: str
) -> None:
    outcome = longshift("queue", *arguments)
    assert (2, "", True) == (outcome.code, outcome.out, words in outcome.err), outcome.err


async def test_a_host_is_listed_with_its_slots_and_sessions_and_drains_in_view(
    client: Client, said: Said, tmp_path: Path
) -> None:
    assert "no host has been heard of" in (await said("hosts")).out
    script = Script(answers=[])
    async with control(), host(client, script, "h1", 3) as worker:
        await submit(said, tmp_path, "a")
        found = await until(
            said,
            "hosts",
            holds=lambda each: [1] == [host["slots_used"] for host in each["hosts"] if host["sessions"]],
        )
        (shown,) = found.document["hosts"]
        assert ("h1", "up", 3, ["a"], 1) == tuple(
            shown[name] for name in ("host_id", "state", "slots", "sessions", "sessions_held")
        )
        assert all(shown[name] for name in ("seen_at", "version", "sdk_version"))
        assert ["h1", "up", "1/3", "0/0", "1", "a"] == (await said("hosts")).out.splitlines()[1].split()[:6]
        stopping = asyncio.create_task(worker.shutdown())
        await until(said, "hosts", holds=lambda each: ["draining"] == [host["state"] for host in each["hosts"]])
        assert 0 == (await said("queue", "--json")).document["slots"]["of"]
        await stopping
