"""The end of a child whose pipes others hold, or nobody reads."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from longshift.adapters.process.child_end import end_child
from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.adapters.process.process_table import process_stat

PATIENCE_SECONDS = 20


def descriptors() -> set[str]:
    """What this process has open."""
    return {os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


async def child(script: str, stdin: int = DEVNULL) -> asyncio.subprocess.Process:
    """A child with pipes, in a group of its own."""
    return await asyncio.create_subprocess_exec(
        "bash", "-c", script, stdin=stdin, stdout=PIPE, stderr=PIPE, start_new_session=True, limit=1_000
    )


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


@pytest.mark.parametrize(
    "script",
    [
        "setsid sleep 60 & echo $!; sleep 60",  # someone else holds the pipes
        "setsid sleep 60 & echo $!",  # and the child itself has ended
        "sleep 60 & echo $!; yes",  # nobody reads
    ],
)
async def test_a_child_ends_and_its_pipes_are_let_go_whoever_holds_them(script: str) -> None:
    before = descriptors()
    process = await child(script)
    other = int(await said(process))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await end_child(process)
        assert process.returncode in (0, -signal.SIGKILL)
        assert not {name for name in descriptors() - before if name.startswith(("pipe:", "socket:"))}
    finally:
        os.kill(other, signal.SIGKILL)


@pytest.mark.parametrize("is_closed", [False, True])
async def test_what_was_to_be_written_to_a_child_that_does_not_read_is_dropped(is_closed: bool) -> None:
    process = await child("setsid sleep 60 <&0 & echo $!; sleep 60", stdin=PIPE)
    other = int(await said(process))
    try:
        assert process.stdin is not None
        process.stdin.write(b"x" * 10_000_000)
        if is_closed:
            process.stdin.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await end_child(process)
        assert -signal.SIGKILL == process.returncode
    finally:
        os.kill(other, signal.SIGKILL)


async def test_a_child_that_has_come_to_its_end_by_itself_is_left_as_it_is() -> None:
    process = await child("cat; exit 3", stdin=PIPE)
    out, _ = await process.communicate(b"content")
    await end_child(process)
    assert (3, b"content") == (process.returncode, out)


async def test_more_than_the_child_can_be_killed_and_once_more_does_no_harm() -> None:
    process = await child("(trap 'echo never' EXIT; sleep 60) & echo $!; wait")
    other = int(await said(process))
    stat = process_stat(other)
    assert stat is not None
    for _ in range(2):
        await end_child(process, os.killpg)
    await ProcessIdentity(other, stat[1]).wait_for_exit(PATIENCE_SECONDS, 0.01)
    assert process_stat(other) is None
    assert -signal.SIGKILL == process.returncode
