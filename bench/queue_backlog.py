# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""How fast sessions come into the queue, what they weigh there, and in which order a host takes them out."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from temporalio.common import WorkflowIDConflictPolicy

from bench.queue_rig import STREAM, WEIGHTS, QueueRig, a_task
from bench.rig import WorkerProcess, memory_mb
from longshift.intake.pump import WIDTH
from longshift.submission import session_input, submit
from workflows.session import Session
from workflows.session_start import start_options

FEW = 1_000
"""The smaller number of queued sessions at which memory is looked at."""
ROUNDS = 3
"""Intake and bare starts are measured in turns, so often each."""
DISPATCHED = 400
WINDOW = 200
"""Consecutive dispatches, over any of which a key's share must be that of its weight."""


async def backlog(rig: QueueRig, queued: int) -> dict[str, object]:
    """Fill the queue through intake, look at everybody's memory, and let a host take sessions out again."""
    intake, control = rig.process("longshift.intake"), rig.process()
    host = rig.process()
    try:
        intake.start()
        await _taken_in(rig, range(30), "warm")
        few = min(FEW, queued)
        rates = await _rates(rig, (few - 30) // (2 * ROUNDS))
        control.start("--role", "control")
        at_few = await _filled(rig, few, control.pid)
        began = time.perf_counter()
        at_all = await _filled(rig, queued, control.pid)
        seconds = time.perf_counter() - began
        figures = {
            **rates,
            "queued": await rig.queued(),
            "queued_per_second": round((queued - few) / seconds, 1) if queued > few else None,
            "worker_rss_mb": at_all,
            "worker_rss_mb_at_1000": at_few,
            "intake_rss_mb": round(memory_mb(intake.pid), 1),
            "engine_rss_mb": round(memory_mb(rig.engine_pid()), 1),
            "engine_database_mb": round(rig.engine_database_mb(), 1),
        }
        return {**figures, **await _taken_out(rig, host, queued)}
    finally:
        for each in (intake, control, host):
            each.kill()


async def _rates(rig: QueueRig, batch: int) -> dict[str, object]:
    starts: list[float] = []
    intakes: list[float] = []
    for turn in range(ROUNDS):
        numbers = range(turn * batch, (turn + 1) * batch)
        starts.append(await _bare_starts(rig, numbers))
        intakes.append(await _taken_in(rig, numbers, "rated"))
    start, intake = statistics.median(starts), statistics.median(intakes)
    return {
        "intake_over_start": round(intake / start, 3),
        "intake_per_second": round(intake, 1),
        "starts_per_second": round(start, 1),
    }


async def _bare_starts(rig: QueueRig, numbers: range) -> float:
    """Sessions per second by `start_workflow` alone, as many at a time as the pump has in hand."""
    requests = [session_input(rig.settings, a_task(number, "bare")) for number in numbers]
    width = asyncio.Semaphore(WIDTH)

    async def start(index: int) -> None:
        request = requests[index]
        async with width:
            await rig.client.start_workflow(
                Session.run, request, id_conflict_policy=WorkflowIDConflictPolicy.FAIL, **start_options(request)
            )

    started = time.perf_counter()
    await asyncio.gather(*(start(index) for index in range(len(requests))))
    return len(requests) / (time.perf_counter() - started)


async def _taken_in(rig: QueueRig, numbers: range, prefix: str) -> float:
    """Sessions per second out of the broker, by an intake that is at work, until nothing is left there."""
    pipe = rig.redis.pipeline()
    for number in numbers:
        task = a_task(number, prefix)
        pipe.xadd(STREAM, {"task": task.model_dump_json(exclude_defaults=True)})
    started = time.perf_counter()
    await pipe.execute()
    while await rig.redis.xlen(STREAM):  # noqa: ASYNC110  # the broker tells of no event
        await asyncio.sleep(0.01)
    if refused := await rig.redis.xlen(f"{STREAM}:dead"):
        raise SystemExit(f"intake refused {refused} tasks")
    return len(numbers) / (time.perf_counter() - started)


async def _filled(rig: QueueRig, sessions: int, worker_pid: int) -> float:
    """Put in what is missing of so many sessions; the worker's memory when all wait."""
    there = await _known(rig)
    if sessions > there:
        await _taken_in(rig, range(there, sessions), "filling")
    await rig.until_queued(sessions)
    return round(memory_mb(worker_pid), 1)


async def _known(rig: QueueRig) -> int:
    """Sessions that were started, whether or not a worker has seen them; the engine lists them a little later."""
    await asyncio.sleep(5)
    return (await rig.client.count_workflows("WorkflowType = 'Session' AND ExecutionStatus = 'Running'")).count


async def _taken_out(rig: QueueRig, host: WorkerProcess, queued: int) -> dict[str, object]:
    """A real host, with real sessions from beginning to end: whose turn it is, and how many it gets through."""
    urgent = a_task(0, "urgent", priority=1, fairness_key="urgent")
    await submit(rig.client, rig.settings, urgent)
    await rig.until_queued(queued + 1)
    count = min(DISPATCHED, queued // 2)  # later, the heaviest key has none left that wait
    host.start("--role", "host,model")
    while not (taken := _in_order(rig.data_dir)):  # noqa: ASYNC110  # the host tells of no event
        await asyncio.sleep(0.02)
    began = time.perf_counter()
    while len(taken) < count:
        await asyncio.sleep(0.1)
        taken = _in_order(rig.data_dir)
    seconds = time.perf_counter() - began
    keys = [name.split("-")[1] for name in taken if name != urgent.id]
    return {
        "urgent_overtakes": taken.index(urgent.id),
        "fairness_error": round(fairness_error(keys), 4),
        "dispatches_per_second": round(len(taken) / seconds, 2),
    }


def _in_order(data_dir: Path) -> list[str]:
    """The tasks of the backlog that the host has taken, by the time at which it made their folders' locks."""
    found = [path for path in (data_dir / "workspaces").glob("*/prepare.lock") if not path.match("one-*/*")]
    return [path.parent.name for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]


def fairness_error(keys: Sequence[str]) -> float:
    """The worst difference between a key's share of consecutive dispatches and its share of the weights."""
    total = sum(WEIGHTS.values())
    window = min(WINDOW, len(keys))
    return max(
        abs(keys[start : start + window].count(key) / window - weight / total)
        for start in range(len(keys) - window + 1)
        for key, weight in WEIGHTS.items()
    )
