# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""What a swarm costs: N items of ten steps against N bare child workflows, and how well it uses a limited provider.

Engine, workers, model and this program are separate processes, all on loopback. `--json` prints one object; its keys
are explained in `docs/benchmarks.md`.
"""

import argparse
import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench.bare_swarm import QUEUE, BareParent, Fan
from bench.rig import PROFILE, WorkerProcess, cpu_seconds_of, engine, model_process, tell, told_by_model
from bench.swarm_model import path_of
from longshift.adapters.engine import read_address
from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits
from longshift.contracts.session import SessionInput, SessionState, SessionStatus
from longshift.contracts.task import TaskSpec

PORT = 18_780
FILE_LINES = 40
ALLOWED = 60
"""Calls that the simulated provider bears at a time."""
ANSWER_SECONDS = 2.0
RAMP_FROM, RAMP_SECONDS = 5, 0.7
"""A swarm starts with so many items, and one more in this time (decision 13)."""
ENOUGH_BUDGET_STEPS = 100_000


@dataclass(frozen=True)
class Size:
    """What is measured."""

    items: int
    steps: int
    width: int


@dataclass(frozen=True)
class Run:
    """One swarm, as model, store, engine and worker tell it."""

    facts: dict[str, Any]
    last_report_seconds: float
    """From the answer with the `delegate` call to the last item's report in the store."""
    session_seconds: float
    """The same to the end of the session, merges included."""
    reports: int
    worker_rss_mb: float
    cpu_seconds: dict[str, float]
    """Processor time of the worker, of the processes that it started, and of the engine."""
    swarm_history_events: int
    """The most of any run of the workflow."""
    swarm_runs: int
    item_history_events: int
    """Of the first item."""


async def bare_seconds(client: Client, data_dir: Path, size: Size, name: str) -> float:
    """From the start of the parent to the end of its last child, in a worker process of its own."""
    worker = WorkerProcess(data_dir, _address(client), {}, program="bench.bare_swarm")
    worker.start()
    try:
        warm = Fan(items=5, steps=2, width=5)
        await client.execute_workflow(BareParent.run, warm, id=f"{name}-warm", task_queue=QUEUE)
        fan = Fan(items=size.items, steps=size.steps, width=size.width)
        started = time.perf_counter()
        await client.execute_workflow(BareParent.run, fan, id=name, task_queue=QUEUE)
        return time.perf_counter() - started
    finally:
        worker.kill()


async def run_swarm(client: Client, data_dir: Path, size: Size, task_id: str, port: int, *options: str) -> Run:
    """One session whose lead delegates everything at once; `options` are the model's."""
    given = ["--items", str(size.items), "--steps", str(size.steps), *options]
    async with model_process("bench.swarm_model", port, *given) as base_url:
        (data_dir / "models.toml").write_text(PROFILE.format(base_url=base_url, window_tokens=262_144))
        worker = WorkerProcess(data_dir, _address(client), _settings(data_dir, size))
        worker.start()
        engine_before = _engine_cpu_seconds(data_dir)
        try:
            status = await _session(client, data_dir, task_id, size)
            ended = time.monotonic()
            facts = (await told_by_model(base_url))["facts"]
            rss_mb = worker.rss_mb()
            cpu_seconds = {
                "worker": round(worker.cpu_seconds(), 1),
                "its_processes": round(worker.children_cpu_seconds(), 1),
                "engine": round(_engine_cpu_seconds(data_dir) - engine_before, 1),
            }
        finally:
            worker.kill()
    if status.state is not SessionState.DONE:
        raise SystemExit(f"the session ended {status.state}: {status.reason}")
    swarm = ids.swarm_id(ids.agent_id(task_id), 1)
    written = _reports(data_dir / "store", swarm)
    if len(written) < size.items:
        raise SystemExit(f"{len(written)} of {size.items} items have a report; see {data_dir}")
    delegated = min(facts["delegated_at"])
    events = await _events_of_runs(client, ids.swarm_workflow_id(swarm))
    first = sorted(facts["calls"])[0]
    item_events = await _events_of_runs(client, ids.item_workflow_id(ids.item_task_id(swarm, first)))
    return Run(
        facts=facts,
        last_report_seconds=max(written) - delegated,
        session_seconds=ended - delegated,
        reports=len(written),
        worker_rss_mb=rss_mb,
        cpu_seconds=cpu_seconds,
        swarm_history_events=max(events),
        swarm_runs=len(events),
        item_history_events=max(item_events, default=0),
    )


def _engine_cpu_seconds(data_dir: Path) -> float:
    address = read_address(data_dir)
    assert address is not None
    return cpu_seconds_of(address.pid)


def _address(client: Client) -> str:
    return client.service_client.config.target_host


def _settings(data_dir: Path, size: Size) -> dict[str, str]:
    """As a user would set them for a swarm of this width on one host."""
    return {
        "LONGSHIFT_MODEL_PROFILES": f'["{data_dir / "models.toml"}"]',
        "LONGSHIFT_MODEL_PROFILE": "bench",
        "LONGSHIFT_SUB_AGENT_SLOTS": str(size.width),
        # A call to the model holds one of them while it is answered.
        "LONGSHIFT_MODEL_SLOTS": str(max(64, size.width)),
    }


async def _session(client: Client, data_dir: Path, task_id: str, size: Size) -> SessionStatus:
    source = data_dir / "source"
    if not source.exists():
        for number in range(1, size.items + 1):
            path = source / path_of(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{number:04} {line:04} {'x' * 60}\n" for line in range(FILE_LINES)))
    task = TaskSpec.model_validate(
        {
            "id": task_id,
            "title": task_id,
            "instructions": "Have each file read and rewritten.",
            "workspace": {"directory": str(source)},
            "budget": {"steps": ENOUGH_BUDGET_STEPS},
            "stuck": {"enabled": False},
            "swarm": {"review": "auto"},
        }
    )
    request = SessionInput(task=task, profile="bench", limits=AgentLimits(swarm_width=size.width))
    name = ids.session_workflow_id(task_id)
    handle = await client.start_workflow(
        "Session", request, id=name, task_queue=ids.CONTROL_QUEUE, result_type=SessionStatus
    )
    return await handle.result()


def _reports(store: Path, swarm: str) -> list[float]:
    """When each item's report was written, in monotonic seconds."""
    ahead = time.time() - time.monotonic()
    paths = store.glob(f"swarms/{swarm}/items/*/report-1.json")
    return [path.stat().st_mtime - ahead for path in paths]


async def _events_of_runs(client: Client, workflow_id: str) -> list[int]:
    """The length of the history of each run of a workflow."""
    return [run.history_length async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")]


def utilisation(facts: dict[str, Any], items: int, allowed: int) -> tuple[float, float]:
    """The mean of calls in flight over `allowed` during the steady part, and how long that part was, in seconds.

    It begins when the ramp can have reached `allowed` items at work, and ends when fewer than `allowed` are unfinished.
    """
    flights: list[tuple[float, int]] = [(at, count) for at, count in facts["flights"]]
    begin = min(facts["delegated_at"]) + (allowed - RAMP_FROM) * RAMP_SECONDS
    ended = sorted(facts["finished"].values())
    end = ended[items - allowed] if len(ended) > items - allowed >= 0 else begin
    if end <= begin:
        return 0.0, 0.0
    area = sum(
        count * max(0.0, min(until, end) - max(since, begin))
        for (since, count), (until, _) in pairwise([*flights, (end, 0)])
    )
    return area / (end - begin) / allowed, end - begin


async def measure(size: Size, allowed: int, answer_seconds: float, *, provider: bool) -> dict[str, object]:
    """Everything, in one run on one engine."""
    with tempfile.TemporaryDirectory(prefix="longshift-bench-") as folder:
        data_dir = Path(folder)
        async with engine(data_dir) as client:
            before = await bare_seconds(client, data_dir, size, "bare")
            plain = await run_swarm(client, data_dir, size, "bench", PORT)
            after = await bare_seconds(client, data_dir, size, "bare-again")
            limited: dict[str, object] = {}
            if provider:
                limited = await _limited(client, data_dir, size, allowed, answer_seconds)
    bare = (before + after) / 2
    return {
        "items": size.items,
        "makespan_over_bare": round(plain.last_report_seconds / bare, 3),
        "utilisation": None,
        "worker_rss_mb": round(plain.worker_rss_mb, 1),
        "swarm_history_events": plain.swarm_history_events,
        "steps": size.steps,
        "width": size.width,
        "makespan_seconds": round(plain.last_report_seconds, 1),
        "session_seconds": round(plain.session_seconds, 1),
        "bare_seconds": [round(before, 1), round(after, 1)],
        "cpu_seconds": plain.cpu_seconds,
        "swarm_runs": plain.swarm_runs,
        "item_history_events": plain.item_history_events,
        "model_calls": sum(plain.facts["calls"].values()),
        "load": [round(each, 1) for each in os.getloadavg()],
        **limited,
    }


async def _limited(
    client: Client, data_dir: Path, size: Size, allowed: int, answer_seconds: float
) -> dict[str, object]:
    given = ("--allowed", str(allowed), "--answer-seconds", str(answer_seconds))
    run = await run_swarm(client, data_dir, size, "limited", PORT + 1, *given)
    share, seconds = utilisation(run.facts, size.items, allowed)
    return {
        "utilisation": round(share, 3),
        "steady_seconds": round(seconds, 1),
        "refused_calls": run.facts["refused"],
        "limited_makespan_seconds": round(run.last_report_seconds, 1),
        "limited_worker_rss_mb": round(run.worker_rss_mb, 1),
        "limited_swarm_history_events": run.swarm_history_events,
    }


async def measure_bare(size: Size) -> dict[str, object]:
    """The yardstick alone."""
    with tempfile.TemporaryDirectory(prefix="longshift-bench-") as folder:
        async with engine(Path(folder)) as client:
            seconds = [await bare_seconds(client, Path(folder), size, f"bare-{number}") for number in range(2)]
    return {"items": size.items, "bare_seconds": [round(each, 2) for each in seconds]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--steps", type=int, default=10, help="of each item, the last one ends it")
    parser.add_argument("--width", type=int, default=100, help="items at work at once, and slots of the host")
    parser.add_argument("--allowed", type=int, default=ALLOWED, help="calls that the provider bears at a time")
    parser.add_argument("--answer-seconds", type=float, default=ANSWER_SECONDS)
    parser.add_argument("--without-provider", action="store_true", help="leave the limited provider out")
    parser.add_argument("--only-bare", action="store_true", help="the yardstick alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = Size(options.items, options.steps, options.width)
    if options.only_bare:
        measured = asyncio.run(measure_bare(size))
    else:
        given = (options.allowed, options.answer_seconds)
        measured = asyncio.run(measure(size, *given, provider=not options.without_provider))
    tell(measured, as_json=options.json)


if __name__ == "__main__":
    main()
