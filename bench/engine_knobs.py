"""Measures what the embedded engine's options do to the price of a step.

Two shapes: one workflow of many steps, each two no-op activities in sequence on another task queue than the workflow's
(as a session's model call and tool call are); and 60 workflows of five such steps at once. Each set of options gets a
fresh database; with `--rounds` the sets are measured in turn, so that a busy machine spoils all of them alike.

    python -m bench.engine_knobs [--set NAME …] [--steps 150] [--rounds 3] [--json]
"""

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.adapters.engine.command import DYNAMIC_CONFIG, SQLITE_PRAGMAS

WORKFLOWS_QUEUE = "bench-workflows"
ACTIVITIES_QUEUE = "bench-activities"
PARALLEL_WORKFLOWS = 60
PARALLEL_STEPS = 5
WARM_UP_STEPS = 15

ROLLBACK_JOURNAL = {"journal_mode": "DELETE", "synchronous": "FULL"}
WAL = {"journal_mode": "WAL", "synchronous": "NORMAL"}
POLL = {"history.transferProcessorMaxPollRPS": "1000"}
ALL_POLL = {
    **POLL,
    "history.timerProcessorMaxPollRPS": "1000",
    "history.visibilityProcessorMaxPollRPS": "1000",
}
ONE_PARTITION = {"matching.numTaskqueueReadPartitions": "1", "matching.numTaskqueueWritePartitions": "1"}
RARE_SHARD_UPDATES = {
    "history.shardUpdateMinTasksCompleted": "100000",
    "history.transferProcessorUpdateAckInterval": '"5m"',
    "history.timerProcessorUpdateAckInterval": '"5m"',
    "history.visibilityProcessorUpdateAckInterval": '"5m"',
}


@dataclass(frozen=True)
class KnobSet:
    """One way to start the server."""

    pragmas: Mapping[str, str]
    dynamic_config: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


KNOB_SETS: dict[str, KnobSet] = {
    "rollback journal": KnobSet(ROLLBACK_JOURNAL),
    "wal": KnobSet(WAL),
    "wal, full": KnobSet({**WAL, "synchronous": "FULL"}, POLL),
    "wal, transfer rps": KnobSet(WAL, POLL),
    "wal, all rps": KnobSet(WAL, ALL_POLL),
    "wal, all rps, fairness": KnobSet(WAL, {**ALL_POLL, "matching.enableFairness": "true"}),
    "wal, all rps, shard io 4": KnobSet(WAL, {**ALL_POLL, "history.shardIOConcurrency": "4"}),
    "wal, all rps, cache": KnobSet({**WAL, "cache_size": "-65536", "temp_store": "MEMORY"}, ALL_POLL),
    "wal, all rps, mmap": KnobSet({**WAL, "mmap_size": "268435456"}, ALL_POLL),
    "wal, all rps, checkpoint 8000": KnobSet({**WAL, "wal_autocheckpoint": "8000"}, ALL_POLL),
    "wal, all rps, rare shard updates": KnobSet(WAL, {**ALL_POLL, **RARE_SHARD_UPDATES}),
    "wal, all rps, no health signals": KnobSet(
        WAL, {**ALL_POLL, "system.persistenceHealthSignalMetricsEnabled": "false"}
    ),
    "wal, all rps, gogc 400": KnobSet(WAL, ALL_POLL, {"GOGC": "400"}),
    "wal, all rps, fairness, 1 partition": KnobSet(
        WAL, {**ALL_POLL, "matching.enableFairness": "true", **ONE_PARTITION}
    ),
    "shipped": KnobSet(SQLITE_PRAGMAS, DYNAMIC_CONFIG),
}


@activity.defn
async def nothing(step: int) -> int:
    """A no-op."""
    return step


@workflow.defn
class Steps:
    """So many steps of two activities."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """Perform them in sequence."""
        for step in range(steps):
            for _ in range(2):
                await workflow.execute_activity(
                    nothing,
                    step,
                    task_queue=ACTIVITIES_QUEUE,
                    start_to_close_timeout=timedelta(seconds=60),
                    heartbeat_timeout=timedelta(seconds=15),
                    retry_policy=RetryPolicy(maximum_attempts=3),
                )
        return steps


@dataclass(frozen=True)
class Measurement:
    """One round with one set."""

    start_seconds: float
    ms_per_step: float
    parallel_seconds: float
    server_cpu_ms_per_step: float
    database_bytes_per_step: float


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(knobs: KnobSet, data_dir: Path, steps: int) -> Measurement:
    """Start an engine, run both shapes, stop it."""
    os.environ.update(knobs.environment)
    engine = EmbeddedEngine(
        data_dir,
        binary=find_engine_binary(),
        search_attributes={},
        ui=False,
        dynamic_config=knobs.dynamic_config,
        pragmas=knobs.pragmas,
    )
    begun = time.perf_counter()
    address = await engine.start()
    start_seconds = time.perf_counter() - begun
    try:
        client = await Client.connect(address.address, namespace=address.namespace)
        async with (
            Worker(client, task_queue=WORKFLOWS_QUEUE, workflows=[Steps], workflow_runner=UnsandboxedWorkflowRunner()),
            Worker(client, task_queue=ACTIVITIES_QUEUE, activities=[nothing]),
        ):
            await run_steps(client, "warm-up", WARM_UP_STEPS)
            cpu_before, size_before = cpu_seconds(address.pid), database_bytes(data_dir)
            sequential = await run_steps(client, "sequential", steps)
            cpu, size = cpu_seconds(address.pid) - cpu_before, database_bytes(data_dir) - size_before
            begun = time.perf_counter()
            await asyncio.gather(
                *(run_steps(client, f"parallel-{each}", PARALLEL_STEPS) for each in range(PARALLEL_WORKFLOWS))
            )
            parallel = time.perf_counter() - begun
    finally:
        await engine.stop()
        for name in knobs.environment:
            del os.environ[name]
    return Measurement(start_seconds, sequential / steps * 1e3, parallel, cpu / steps * 1e3, size / steps)


async def run_steps(client: Client, name: str, steps: int) -> float:
    """Seconds that a workflow of so many steps takes."""
    begun = time.perf_counter()
    await client.execute_workflow(Steps.run, steps, id=name, task_queue=WORKFLOWS_QUEUE)
    return time.perf_counter() - begun


def database_bytes(data_dir: Path) -> int:
    """The database with its log."""
    return sum(path.stat().st_size for path in data_dir.glob("engine.db*"))


async def measure_all(names: list[str], steps: int, rounds: int) -> dict[str, Measurement]:
    """The median of each figure per set."""
    measured: dict[str, list[Measurement]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            with tempfile.TemporaryDirectory(prefix="engine-knobs-") as folder:
                measured[name].append(await measure(KNOB_SETS[name], Path(folder), steps))
    return {name: median(each) for name, each in measured.items()}


def median(measurements: list[Measurement]) -> Measurement:
    """Field by field."""
    rows = [dataclasses.astuple(each) for each in measurements]
    return Measurement(*(statistics.median(column) for column in zip(*rows, strict=True)))


def as_table(medians: dict[str, Measurement]) -> str:
    """For people."""
    lines = ["| options | ms per step | 60 x 5 steps, s | server CPU ms per step | start, s |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {each.ms_per_step:.1f} | {each.parallel_seconds:.2f} | {each.server_cpu_ms_per_step:.1f} "
        f"| {each.start_seconds:.2f} |"
        for name, each in medians.items()
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What the embedded engine's options do to the price of a step.")
    parser.add_argument("--set", action="append", choices=list(KNOB_SETS), dest="names", help="default: all")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    medians = asyncio.run(measure_all(given.names or list(KNOB_SETS), given.steps, given.rounds))
    if given.json:
        table = {name: dataclasses.asdict(each) for name, each in medians.items()}
        text = json.dumps(
            {"cpus": os.cpu_count(), "steps": given.steps, "rounds": given.rounds, "sets": table}, indent=2
        )
    else:
        text = as_table(medians)
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
