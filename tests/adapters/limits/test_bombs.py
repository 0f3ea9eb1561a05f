"""A bomb in one session is stopped, its session is told why, and the session beside it works on undisturbed.

As this user and, from root, as an ordinary one; with control groups where this machine has them, and without.
"""

import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from limits_places import USER, as_user, first_hierarchies, groups_for, python_of

from tests.sandboxing import why_not

PROGRAM = str(Path(__file__).with_name("bomb_program.py"))
PATIENCE_SECONDS = 150.0

ENFORCED = {
    ("forks", "cgroup"): (r"exit code 0; the session's commands had as many processes as they may", r"forked 5[79]\n"),
    ("forks", "rlimits"): (r"killed: the session's commands had \d+ processes, the limit is 60", ""),
    ("memory", "cgroup"): (r"exit code 3; [23] processes of the session killed by the kernel", r"ended \[-9, -9\]\n"),
    ("memory", "rlimits"): (r"killed: the session's commands used \d.* MB of memory, the limit is 160 MB", ""),
    ("one-process", "cgroup"): (r"(ended by SIGKILL|exit code 137); 1 process of the session killed by the kernel", ""),
    ("one-process", "rlimits"): (r"exit code 1", r"MemoryError\n"),
    ("big-file", "*"): (r"exit code 153", r"50000000\n"),
    ("small-files", "*"): (r"killed: the session's files have grown to .* MB, the limit is 60 MB", ""),
    ("output", "*"): (r"timed out after 2 s", "y\n"),
    ("spin", "*"): (r"timed out after 2 s", ""),
    ("open-files", "*"): (r"exit code 4", r"opened 25\d Too many open files\n"),
}
"""Bomb and who enforces the limits → how the command ended, and what its output ends with, as patterns."""
FAST = {
    *((bomb, "cgroup", "root", "bubblewrap") for bomb, _ in ENFORCED),
    *((bomb, "rlimits", "user", "bubblewrap") for bomb in ("forks", "memory", "open-files")),
}
BOMB_NAMES = tuple(dict.fromkeys(bomb for bomb, _ in ENFORCED))
CASES = [
    pytest.param(*case, marks=() if case in FAST else pytest.mark.slow)
    for case in itertools.product(BOMB_NAMES, ("cgroup", "rlimits"), ("root", "user"), ("bubblewrap", "none"))
]


@contextlib.contextmanager
def folder_of(uid: int) -> Generator[Path]:
    """A folder of that user, with a way to it that everybody may go."""
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, uid, uid)
        yield Path(name)


def set_off(bomb: str, enforced_by: str, who: str, sandbox: str) -> dict[str, Any]:
    """What the program says became of it; skips where this machine cannot have it so."""
    if sandbox == "bubblewrap" and why_not():
        pytest.skip(why_not())
    if who == "root" and os.getuid() != 0:
        pytest.skip("not root")
    uid = USER if who == "user" and os.getuid() == 0 else os.getuid()
    python = python_of(uid)
    if python is None:
        pytest.skip(f"user {uid} may run no Python like this one")
    if enforced_by == "cgroup" and (first_hierarchies() is None or os.getuid() != 0):
        pytest.skip("no writable control groups of version 1")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(folder_of(uid))
        named: list[str] = []
        if enforced_by == "cgroup":
            folders = stack.enter_context(groups_for(uid)).folders
            named = [f"{name}={path}" for name, path in folders.items()]
        path = os.pathsep.join((str(Path(PROGRAM).parent), *sys.path))
        command = as_user(uid, "env", f"PYTHONPATH={path}", python, PROGRAM, str(folder), bomb, sandbox, *named)
        seen = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert seen.returncode == 0, seen.stderr
    return json.loads(seen.stdout)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("bomb", "enforced_by", "who", "sandbox"), CASES)
def test_a_bomb_stays_in_its_session(bomb: str, enforced_by: str, who: str, sandbox: str) -> None:
    happened = set_off(bomb, enforced_by, who, sandbox)
    expected_end, expected_output = ENFORCED.get((bomb, enforced_by)) or ENFORCED[bomb, "*"]
    assert re.match(expected_end, happened["ending"]), happened["ending"]
    assert re.search(f"{expected_output}$", happened["output"]), happened["output"]
    assert {"exit code 0: well"} == set(happened["neighbour"])
    assert ([], 0) == (happened["left_running"], happened["state"]["survivors"])
    assert happened["kept_bytes"] <= 1_200_000
