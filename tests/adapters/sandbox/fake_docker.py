"""Stands in for `docker` where there is no engine: takes exactly what the backend may say, and runs the command.

What it was told is in `$DOCKER_CONFIG`. A container is a process that is the first of a process namespace, and nothing
more: what an engine confines is not to be tested with it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

STATE = Path(os.environ.get("DOCKER_CONFIG", "/nonexistent"))
IMAGE = {"Id": "sha256:1234", "Config": {"Env": ["PATH=/usr/local/go/bin:/usr/bin:/bin", "GOPATH=/go"]}}
EXACT = {
    "--network": "none",
    "--cap-drop": "ALL",
    "--security-opt": "no-new-privileges",
    "--ipc": "private",
    "--hostname": "sandbox",
    "--log-driver": "none",
    "--pull": "never",
    "--oom-score-adj": "900",
    "--user": f"{os.getuid()}:{os.getgid()}",
    "--workdir": "/",
    "--entrypoint": "python3",
}
FREE = ("--name", "--label", "--shm-size", "--pids-limit", "--memory", "--memory-swap", "--cpus", "--tmpfs", "--mount")
FLAGS = ("--rm", "--read-only")


def main(arguments: list[str]) -> int:
    """One call of the command line."""
    match arguments:
        case ["info", "--format", "{{json .}}"]:
            return told("info.json", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
        case ["image", "inspect", "toolchain:1"]:
            sys.stdout.write(json.dumps([IMAGE]))
            return 0
        case ["image", "inspect", name]:
            return complained(f"Error response from daemon: No such image: {name}")
        case ["run", *rest]:
            return run(rest)
        case ["rm", "--force", name]:
            (STATE / "removed").write_text(name)
            return 0
        case _:
            return complained(f"unknown: {arguments}", 125)


def told(name: str, otherwise: str) -> int:
    """What a file says, if it is there."""
    if not (STATE / name).exists():
        return complained(otherwise)
    sys.stdout.write((STATE / name).read_text())
    return 0


def complained(text: str, code: int = 1) -> int:
    """Refuse."""
    sys.stderr.write(f"{text}\n")
    return code


def run(arguments: list[str]) -> int:
    """Check the options, then run the first process with the mounts' sources in place of their targets."""
    seen: dict[str, list[str]] = {}
    rest = iter(arguments)
    for each in rest:
        if each in FLAGS:
            seen[each] = []
        elif each in EXACT or each in FREE or each == "--ulimit":
            seen.setdefault(each, []).append(next(rest))
        else:
            break
    else:
        return complained("no image", 125)
    if each != IMAGE["Id"]:
        return complained(f"unknown flag or image: {each}", 125)
    wrong = {name: seen.get(name) for name, value in EXACT.items() if seen.get(name) != [value]}
    if wrong or not set(FLAGS) <= seen.keys():
        return complained(f"not as it has to be: {wrong}", 125)
    (STATE / "run.json").write_text(json.dumps(seen))
    sources = {
        target.removeprefix("target="): source.removeprefix("source=")
        for source, target in (mount.split(",")[1:3] for mount in seen["--mount"])
    }
    # The namespace of users lets an ordinary user have one of processes; the keeper is its first process.
    unshared = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for number, (target, source) in enumerate(sources.items()):  # a socket's path must be short
            os.symlink(source, f"{folder}/{number}")
            sources[target] = f"{folder}/{number}"
        line = [sys.executable, *(sources.get(part, part) for part in rest)]
        with subprocess.Popen([*unshared, *line]) as process:
            signal.signal(signal.SIGTERM, lambda number, frame: passed_on(process.pid, number))
            return process.wait()


def passed_on(parent: int, number: int) -> None:
    """Signal the first process of the namespace."""
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        os.kill(int(pid), number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
