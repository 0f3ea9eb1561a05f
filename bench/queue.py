"""What the queue costs: from a submission to the first model request, fairness, intake, and thousands of sessions.

Engine, broker, model, intake, workers and this program are separate processes, all on loopback. `--json` prints one
object; its keys are explained in `docs/benchmarks.md`.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bench.queue_backlog import backlog
from bench.queue_rig import QueueRig, a_task, queue_rig
from bench.rig import requests, tell
from bench.round_trips import no_op_ms
from longshift.submission import submit

PORT = 18_740
DISPATCHES = 40
WARM_UP = 5


async def dispatch(rig: QueueRig) -> dict[str, object]:
    """Submit with a free slot, one session after another, until each one's first request is at the model."""
    worker = rig.process()
    worker.start()
    try:
        before = await no_op_ms(rig.client)
        taken = [await _one_dispatch(rig, number) for number in range(DISPATCHES)]
        after = await no_op_ms(rig.client)
    finally:
        worker.kill()
    taken = sorted(taken[WARM_UP:])
    no_op = statistics.fmean((before.inside, after.inside))
    return {
        "dispatch_over_noop": round(statistics.median(taken) / no_op, 2),
        "dispatch_ms": {
            "min": round(taken[0], 1),
            "median": round(statistics.median(taken), 1),
            "p95": round(taken[int(0.95 * (len(taken) - 1))], 1),
        },
        "noop_ms": round(no_op, 2),
        "noop_from_client_ms": round(statistics.fmean((before.whole, after.whole)), 2),
    }


async def _one_dispatch(rig: QueueRig, number: int) -> float:
    started = time.monotonic()
    submission = await submit(rig.client, rig.settings, a_task(number, "one"))
    first = (await requests(rig.model_url, wait_for=number + 1))[number]
    await submission.handle.result()
    return (first["received_monotonic_seconds"] - started) * 1_000


async def measure(queued: int, port: int) -> dict[str, object]:
    """Everything, in one run on one engine."""
    with tempfile.TemporaryDirectory(prefix="longshift-bench-") as folder:
        async with queue_rig(Path(folder), port) as rig:
            return {**await dispatch(rig), **await backlog(rig, queued)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, default=10_000, help="sessions held queued at once, at least 500")
    parser.add_argument("--port", type=int, default=PORT, help="of the model")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tell(asyncio.run(measure(max(500, options.queued), options.port)), as_json=options.json)


if __name__ == "__main__":
    main()
