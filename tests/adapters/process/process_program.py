"""A process of its own that starts a command, says `started`, follows it and prints how it ended.

Usage: process_program.py RUNS_DIR KEY SCRIPT [file-limit BYTES | tmpfs BYTES]
"""

import asyncio
import dataclasses
import json
import resource
import subprocess
import sys
from pathlib import Path

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.runner import ProcessRunner


async def follow(runs_dir: Path, key: str, script: str) -> None:
    """Start, announce, wait, report."""
    runner = ProcessRunner(runs_dir, disk_floor_bytes=0)
    spec = CommandSpec(argv=("bash", "-c", script), cwd="/", env={"PATH": "/usr/bin:/bin"}, tail_bytes=65_536)
    await runner.start(key, spec)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    state = await runner.wait(key)
    report = {"state": type(state).__name__, **dataclasses.asdict(state), "text": runner.output(key).text}
    sys.stdout.write(json.dumps(report) + "\n")


def main(runs_dir: str, key: str, script: str, limit: str = "", limit_bytes: str = "") -> None:
    """Apply the limit, then follow."""
    if limit == "file-limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), int(limit_bytes)))
    elif limit == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={limit_bytes}", "tmpfs", runs_dir], check=True)
    asyncio.run(follow(Path(runs_dir), key, script))


if __name__ == "__main__":
    main(*sys.argv[1:])
