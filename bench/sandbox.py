"""What the sandbox and the supervisor add to a command, and how many attacks on the sandbox are stopped.

Times are medians for an ordinary user: started by root, this goes on as user 1001 with the system's Python. The attacks
are tried as each user that there is: root too, where root starts this.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.bubblewrap import Bubblewrap
from longshift.adapters.sandbox.port import SandboxCommand
from longshift.adapters.sandbox.probe import probe

ORDINARY = 1001
SYSTEM_PYTHON = "/usr/bin/python3"
REPOSITORY = Path(__file__).parents[1]
COMMAND = "/usr/bin/true"
WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    """A workspace with what it takes to run commands in it."""

    folder: Path
    sandbox: Bubblewrap
    command: SandboxCommand
    runner: ProcessRunner

    @classmethod
    def below(cls, folder: Path) -> "Place":
        """Made for whoever runs this."""
        for name in ("tree", "home", "tmp", "runs"):
            (folder / name).mkdir(parents=True)
        sandbox = Bubblewrap(executable=shutil.which("bwrap") or "bwrap", folder=folder / "own", hidden=())
        command = SandboxCommand(
            argv=(COMMAND,),
            cwd=str(folder / "tree"),
            workspace_root=str(folder / "tree"),
            home=str(folder / "home"),
            tmp=str(folder / "tmp"),
        )
        return cls(folder, sandbox, command, ProcessRunner(folder / "runs", disk_floor_bytes=0, python=SYSTEM_PYTHON))

    def plain(self) -> None:
        """The command itself."""
        subprocess.run([COMMAND], env={}, check=True)

    def sandboxed(self) -> None:
        """The command in the sandbox, without a supervisor."""
        wrapped = self.sandbox.wrap(self.command)
        subprocess.run(wrapped.argv, env=dict(wrapped.env), cwd=wrapped.cwd, check=True)

    async def supervised(self, key: str) -> None:
        """The command under a supervisor, without a sandbox."""
        await self.runner.start(key, CommandSpec(argv=(COMMAND,), cwd=str(self.folder)))
        await self.runner.wait(key, WAIT_SECONDS)


def _seconds(started: float) -> float:
    return time.perf_counter() - started


async def measured(folder: Path, rounds: int) -> dict[str, float]:
    """Medians in milliseconds; the kinds take turns, so that a busy machine is so for all of them."""
    place = await asyncio.to_thread(Place.below, folder)
    taken: dict[str, list[float]] = {"plain": [], "sandboxed": [], "supervised": []}
    for number in range(rounds):
        started = time.perf_counter()
        place.plain()
        taken["plain"].append(_seconds(started))
        started = time.perf_counter()
        place.sandboxed()
        taken["sandboxed"].append(_seconds(started))
        started = time.perf_counter()
        await place.supervised(f"bench/r-{number}")
        taken["supervised"].append(_seconds(started))
    return {name: statistics.median(times) * 1_000 for name, times in taken.items()}


async def attacked(folder: Path) -> dict[str, int]:
    """Attacks that were tried and stopped."""
    sandbox = Bubblewrap(executable=shutil.which("bwrap") or "bwrap", folder=folder / "own", hidden=())
    report = await probe(sandbox, folder)
    return {"tried": len(report.tried), "stopped": report.stopped}


async def as_whoever_runs_this(folder: Path, rounds: int) -> dict[str, Any]:
    """Everything, for one user."""
    return {"times": await measured(folder / "timed", rounds), "attacks": await attacked(folder / "attacked")}


def of_user(folder: Path, rounds: int, *, ordinary: bool) -> dict[str, Any]:
    """The same in a process of its own."""
    identity: dict[str, Any] = {}
    python = sys.executable
    if ordinary and os.getuid() == 0:
        python = SYSTEM_PYTHON
        identity = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []}
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [python, "-m", "bench.sandbox", "--folder", str(folder), "--rounds", str(rounds)],
        cwd=REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{REPOSITORY}:{sysconfig.get_path('purelib')}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        **identity,
    )
    return json.loads(done.stdout)


def measure(rounds: int) -> Mapping[str, object]:
    """Everything."""
    with tempfile.TemporaryDirectory(prefix="longshift-bench-", ignore_cleanup_errors=True) as made:
        os.chmod(made, 0o777)
        ordinary = of_user(Path(made) / "ordinary", rounds, ordinary=True)
        root = of_user(Path(made) / "root", rounds, ordinary=False) if os.getuid() == 0 else None
    users = [ordinary, *([root] if root else [])]
    times = ordinary["times"]
    return {
        "sandbox_ms": round(times["sandboxed"] - times["plain"], 1),
        "supervisor_ms": round(times["supervised"] - times["plain"], 1),
        "plain_ms": round(times["plain"], 1),
        "sandbox_ms_root": round(root["times"]["sandboxed"] - root["times"]["plain"], 1) if root else None,
        "attacks_tried": sum(each["attacks"]["tried"] for each in users),
        "attacks_stopped": sum(each["attacks"]["stopped"] for each in users),
        "rounds": rounds,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        json.dump(asyncio.run(as_whoever_runs_this(options.folder, options.rounds)), sys.stdout)
        return
    figures = measure(options.rounds)
    if options.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{key:26} {value}\n" for key, value in figures.items())


if __name__ == "__main__":
    main()
