"""What a checkpoint costs at step 10 and at step 1,000, with and without the archive, and what the archive stores.

Each step edits one file of a tree of a given number of files and adds one now and then. `--json` prints one object.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.store import open_store
from longshift.adapters.workspace import CheckpointArchive, Workspaces
from longshift.contracts import ids
from longshift.contracts.task import TaskSpec

WINDOW = 25
"""So many steps around the one that is named are measured; the figure is their median."""


def source_made(folder: Path, files: int) -> None:
    """Files of 1 to 8 KB, fifty in a folder."""
    for number in range(files):
        path = folder / f"d{number // 50:04d}" / f"f{number:05d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"line {line} of file {number}\n" for line in range(50 + number % 300)))


def edited(tree: Path, step: int, files: int) -> None:
    """What a step does: a line is added to a file, and each tenth step makes one."""
    number = step * 7 % files
    with (tree / f"d{number // 50:04d}" / f"f{number:05d}.txt").open("a") as file:
        file.write(f"step {step}\n")
    if step % 10 == 0:
        (tree / f"new-{step}.txt").write_text(f"made in step {step}\n" * 40)


def window(costs_ms: list[float], step: int) -> float:
    """The median around a step."""
    return round(statistics.median(costs_ms[max(0, step - WINDOW) : step + WINDOW][: 2 * WINDOW]), 2)


async def run(folder: Path, files: int, steps: int) -> dict[str, dict[str, float]]:
    """Two workspaces side by side, one of them archived, so that both meet the same machine; what each step costs."""
    store = open_store(f"file://{folder}/store")
    source = folder / "source"
    await asyncio.to_thread(source_made, source, files)
    archive = CheckpointArchive(store)
    hosts = {
        "without": host(folder / "without", "plain", None),
        "with": host(folder / "with", "archived", archive),
    }
    task = TaskSpec.model_validate(
        {"id": "bench", "title": "B", "instructions": "B", "workspace": {"directory": str(source)}}
    )
    prepared = {name: await workspaces.prepare(task, 1) for name, workspaces in hosts.items()}
    costs_ms: dict[str, list[float]] = {name: [] for name in hosts}
    for step in range(1, steps + 1):
        for name, workspaces in hosts.items():
            await asyncio.to_thread(edited, Path(prepared[name].root), step, files)
            started = time.perf_counter()
            await workspaces.checkpoint(prepared[name], step)
            costs_ms[name].append((time.perf_counter() - started) * 1_000)
    found = {name: figures(each) for name, each in costs_ms.items()}
    bundles = list((folder / "store").rglob("*.bundle*"))
    found["with"] |= {
        "bundles": len(bundles),
        "bundle_bytes": sum(path.stat().st_size for path in bundles),
        "record_bytes": sum(path.stat().st_size for path in (folder / "store").rglob("n*.json")),
    }
    started = time.perf_counter()
    await host(folder / "other", "other", archive).prepare(task, 2)
    found["with"]["restoring_seconds"] = round(time.perf_counter() - started, 2)
    return found


def host(data_dir: Path, name: str, archive: CheckpointArchive | None) -> Workspaces:
    """A host's workspaces."""
    runner = ProcessRunner(data_dir / "runs", disk_floor_bytes=0)
    return Workspaces(data_dir, runner, NoSandbox(), name, ids.host_queue(name), archive=archive)


def figures(costs_ms: list[float]) -> dict[str, float]:
    """Milliseconds per checkpoint."""
    return {
        "first_ms": round(costs_ms[0], 2),
        "step_10_ms": window(costs_ms[1:], 10),
        "last_ms": window(costs_ms, len(costs_ms) - WINDOW),
        "mean_ms": round(statistics.fmean(costs_ms[1:]), 2),
        "p99_ms": round(statistics.quantiles(costs_ms[1:], n=100)[98], 2),
    }


async def measured(files: int, steps: int) -> dict[str, dict[str, float]]:
    """Measure in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="longshift-bench-") as folder:
        return await run(Path(folder), files, steps)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = asyncio.run(measured(arguments.files, arguments.steps))
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return 0
    for name, each in result.items():
        sys.stdout.write(f"{name}: {', '.join(f'{key} {value:,}' for key, value in each.items())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
