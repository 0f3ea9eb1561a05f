"""The journal of crashes: a real process that dies in the middle is remembered, the culprit alone is refused."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longshift.adapters.crashes import CrashJournal, at_rest
from longshift.contracts.errors import Poisoned

CRASHING = """
import asyncio, os, signal, sys
from pathlib import Path
from longshift.adapters.crashes import CrashJournal, at_rest

async def innocent(journal, name):
    async with journal.doing(name, name):
        await asyncio.sleep(3600)

async def resting(journal):
    async with journal.doing("resting", "a command that is followed"), at_rest():
        await asyncio.sleep(3600)

async def main():
    journal = CrashJournal(Path(sys.argv[1]))
    journal.open()
    others = [asyncio.create_task(innocent(journal, name)) for name in sys.argv[2:]]
    others.append(asyncio.create_task(resting(journal)))
    await asyncio.sleep(0)
    async with journal.doing("poison", "step 7 · tool"):
        await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def crash(folder: Path, *others: str) -> None:
    """One worker that is killed while it does several things."""
    ended = subprocess.run([sys.executable, "-c", CRASHING, str(folder), *others], check=False)
    assert -signal.SIGKILL == ended.returncode


async def test_the_third_crash_refuses_what_was_there_each_time_with_its_evidence(tmp_path: Path) -> None:
    for _ in range(3):
        crash(tmp_path)
    journal = CrashJournal(tmp_path)
    assert {"poison": 3} == {key: len(evidence) for key, evidence in journal.open().items()}
    with pytest.raises(Poisoned, match=r"crashed its worker 3 times: .*worker [0-9]+ died during step 7 · tool"):
        async with journal.doing("poison", "step 8 · tool"):
            pytest.fail("it was done again")
    async with journal.doing("poison", "the try that a person has asked for"):
        pass
    assert {} == CrashJournal(tmp_path).open()


async def test_what_ends_well_is_innocent_again(tmp_path: Path) -> None:
    crash(tmp_path, "other")
    journal = CrashJournal(tmp_path)
    assert {"poison": 1, "other": 1} == {key: len(evidence) for key, evidence in journal.open().items()}
    async with journal.doing("other", "other"):
        pass
    assert ["poison"] == list(CrashJournal(tmp_path).open())


async def test_a_failure_is_no_crash_and_no_acquittal(tmp_path: Path) -> None:
    crash(tmp_path)
    journal = CrashJournal(tmp_path)
    journal.open()
    with contextlib.suppress(ValueError):
        async with journal.doing("poison", "it fails"):
            raise ValueError
    assert {"poison": 1} == {key: len(evidence) for key, evidence in CrashJournal(tmp_path).open().items()}


async def test_suspects_are_done_one_at_a_time_so_that_only_the_culprit_is_there_at_the_third_crash(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        crash(tmp_path, "other")
    crash(tmp_path)  # the one that is done alone now
    assert {"poison": 3, "other": 2} == {key: len(evidence) for key, evidence in CrashJournal(tmp_path).open().items()}
    journal, order = CrashJournal(tmp_path), list[str]()
    journal.open()

    async def do(key: str) -> None:
        async with journal.doing(key, key):
            order.append(f"{key} begins")
            await asyncio.sleep(0)
            order.append(f"{key} ends")

    await asyncio.gather(do("other"), do("free"), do("other"))
    assert 2 * ["other begins", "other ends"] == [event for event in order if event.startswith("other")]
    assert ["poison"] == list(CrashJournal(tmp_path).open())


async def test_a_suspect_that_rests_lets_the_next_one_begin(tmp_path: Path) -> None:
    for _ in range(2):
        crash(tmp_path, "other")
    journal = CrashJournal(tmp_path)
    journal.open()
    async with (
        asyncio.timeout(5),
        journal.doing("other", "a command that is followed"),
        at_rest(),
        journal.doing("poison", "it need not wait"),
    ):
        pass
    assert {} == CrashJournal(tmp_path).open()


async def test_marks_of_a_worker_that_lives_are_left_alone(tmp_path: Path) -> None:
    journal = CrashJournal(tmp_path)
    journal.open()
    async with journal.doing("here", "it goes on"):
        assert {} == CrashJournal(tmp_path).open()
        assert 1 == len(list(tmp_path.glob("*.mark")))
    assert [] == list(tmp_path.glob("*.mark"))
