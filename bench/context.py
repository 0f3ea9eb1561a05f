# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""What compactions keep and what they cost: one session of N steps with large, varied results in a window of 262,144.

A model that answers at once plays `bench.planted` and watches what each request holds. Engine, worker, model and this
program are separate processes. `--json` prints one object; its keys are explained in `docs/benchmarks.md`.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench import planted
from bench.epochs import Epoch, epochs_of
from bench.rig import PROFILE, WorkerProcess, engine, tell, told_by_model, zero_model
from longshift.adapters.store import Transcripts, open_store
from longshift.contracts import ids
from longshift.contracts.session import SessionInput, SessionState, SessionStatus, Steer
from longshift.contracts.task import TaskSpec

PORT = 18_760
TASK_ID = "bench-context"
WINDOW_TOKENS = 262_144
EARLY_WORD_AT = 12
LATE_WORD_AT_SHARE = 0.8
WARM_UP_STEPS = 20
FILLED_TOKENS = 100_000
"""Steps are compared with each other where the context holds at least this much."""
LOADED_TOKENS = 200_000
COLD_LOADS = 7
SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Request:
    """One request for a step, as the model saw it."""

    step: int
    seconds: float
    tokens: int
    prefix_share: float


async def run_session(client: Client, data_dir: Path, steps: int, port: int) -> dict[str, Any]:
    """One session to its end; what the model was asked, and how the session ended."""
    planted.write_files(data_dir / "source")
    profiles = data_dir / "models.toml"
    samples: list[tuple[float, float]] = []
    async with zero_model(steps, "", port, "--planted") as base_url:
        profiles.write_text(PROFILE.format(base_url=base_url, window_tokens=WINDOW_TOKENS))
        env = {
            "LONGSHIFT_MODEL_PROFILES": json.dumps([str(profiles)]),
            "LONGSHIFT_MODEL_PROFILE": "bench",
            "LONGSHIFT_LOG_LEVEL": "error",
        }
        worker = WorkerProcess(data_dir, client.service_client.config.target_host, env)
        worker.start()
        try:
            async with asyncio.TaskGroup() as group:
                sampling = group.create_task(_sample(worker, samples))
                status = await _session(client, data_dir / "source", steps, base_url)
                sampling.cancel()
            rss_mb = worker.rss_mb()
        finally:
            worker.kill()
        told = await told_by_model(base_url)
    if status.state is not SessionState.DONE:
        raise SystemExit(f"the session ended {status.state}: {status.reason}")
    return {**told, "samples": samples, "worker_rss_mb": rss_mb, "runs": status.agents[0].runs}


async def _sample(worker: WorkerProcess, samples: list[tuple[float, float]]) -> None:
    """Note the worker's processor time every while: what others do on the machine shows less in it than on a clock."""
    while True:
        samples.append((time.monotonic(), worker.cpu_seconds()))
        await asyncio.sleep(SAMPLE_SECONDS)


async def _session(client: Client, source: Path, steps: int, base_url: str) -> SessionStatus:
    given = {"id": TASK_ID, "title": TASK_ID, "instructions": "Read the files.", **planted.task_fields()}
    task = TaskSpec.model_validate({**given, "workspace": {"directory": str(source)}, "budget": {"steps": steps + 10}})
    handle = await client.start_workflow(
        "Session",
        SessionInput(task=task, profile="bench"),
        id=ids.session_workflow_id(TASK_ID),
        task_queue=ids.CONTROL_QUEUE,
        result_type=SessionStatus,
    )
    for at, word in (
        (EARLY_WORD_AT, planted.EARLY_WORD),
        (int(steps * LATE_WORD_AT_SHARE), planted.LATE_WORD),
    ):
        await told_by_model(base_url, wait_for=at)
        await handle.execute_update("steer", Steer(text=word))
    return await handle.result()


async def cold_load(store_url: str, epochs: Sequence[Epoch], requests: Sequence[Request]) -> dict[str, object]:
    """How long a process that has never seen the session takes to make the largest usual context from the store."""
    filled = [request for request in requests if request.tokens <= LOADED_TOKENS]
    wanted = max(filled, key=lambda request: (request.tokens > 0.97 * LOADED_TOKENS, request.step, request.tokens))
    epoch = max(each.number for each in epochs if each.first_step <= wanted.step)
    taken: list[float] = []
    for _ in range(COLD_LOADS):
        transcripts = Transcripts(open_store(store_url))
        started = time.perf_counter()
        await transcripts.view(ids.agent_id(TASK_ID), epoch, wanted.step)
        taken.append((time.perf_counter() - started) * 1_000)
    return {"cold_load_ms": round(statistics.median(taken)), "cold_load_tokens": wanted.tokens}


def step_costs(requests: Sequence[Request], begun: frozenset[int]) -> dict[str, object]:
    """Milliseconds per step, and how the last fifth of the session compares with the first.

    Compactions are left out, and so are steps with less than `FILLED_TOKENS` of context: an epoch begins small.
    """
    gaps = [
        (after.step, before.tokens, (after.seconds - before.seconds) * 1_000)
        for before, after in pairwise(requests)
        if after.step not in begun and after.step > WARM_UP_STEPS
    ]
    filled = [(step, gap) for step, tokens, gap in gaps if tokens >= FILLED_TOKENS]
    fifth = requests[-1].step / 5
    early = [gap for step, gap in filled if step <= fifth]
    last = [gap for step, gap in filled if step > 4 * fifth]
    if not early or not last:
        raise SystemExit("too few steps: the context is never filled in a fifth of the session")
    return {
        "ms_per_step": round(statistics.fmean(gap for *_, gap in gaps), 2),
        "last_over_early": round(statistics.fmean(last) / statistics.fmean(early), 3),
        "last_over_early_median": round(statistics.median(last) / statistics.median(early), 3),
    }


def cpu_costs(requests: Sequence[Request], samples: Sequence[tuple[float, float]]) -> dict[str, object]:
    """The worker's processor time per step, compactions included, and the last fifth of the steps against the second.

    The first fifth holds the worker's start.
    """
    times = [seconds for seconds, _ in samples]

    def used(step: int) -> float:
        at = min(bisect(times, requests[step].seconds), len(samples) - 1)
        return samples[at][1]

    fifth = len(requests) // 5
    early, last = used(2 * fifth) - used(fifth), used(5 * fifth - 1) - used(4 * fifth)
    return {
        "worker_cpu_ms_per_step": round(1_000 * samples[-1][1] / len(requests), 2),
        "worker_cpu_last_over_early": round(last / early, 3),
    }


def compaction_costs(requests: Sequence[Request], epochs: Sequence[Epoch]) -> dict[str, object]:
    """Tokens before and after compactions and the time that they add, by their cause; medians."""
    begun = {epoch.first_step: epoch.cause for epoch in epochs[1:]}
    pairs = list(pairwise(requests))
    usual = statistics.median(after.seconds - before.seconds for before, after in pairs if after.step not in begun)
    figures: dict[str, object] = {}
    for cause in sorted(set(begun.values())):
        crossed = [(before, after) for before, after in pairs if begun.get(after.step) == cause]
        figures[cause] = {
            "times": len(crossed),
            "tokens_before": round(statistics.median(before.tokens for before, _ in crossed)),
            "tokens_after": round(statistics.median(after.tokens for _, after in crossed)),
            "added_ms": round(statistics.median((a.seconds - b.seconds - usual) * 1_000 for b, a in crossed), 1),
        }
    return figures


def lost_facts(facts: dict[str, dict[str, int]]) -> dict[str, str]:
    """What was lost, and since when."""
    lost = {
        name: f"missing in {fact['missing']} requests, first at turn {fact['missing_turn']}"
        for name, fact in facts.items()
        if fact["missing"]
    }
    return lost | {name: "never seen" for name, fact in facts.items() if fact["seen_turn"] < 0}


async def measure(steps: int, port: int) -> dict[str, object]:
    """Everything, in one run on one engine."""
    with tempfile.TemporaryDirectory(prefix="longshift-bench-") as folder:
        data_dir = Path(folder)
        async with engine(data_dir) as client:
            told = await run_session(client, data_dir, steps, port)
            agent_store = data_dir / "store" / "agents" / ids.agent_id(TASK_ID)
            epochs = epochs_of(agent_store)
            stored_bytes = sum(path.stat().st_size for path in agent_store.rglob("*.json"))
            asked = told["requests"]
            requests = [
                Request(int(r["turn"]) + 1, r["received_monotonic_seconds"], int(r["prompt_tokens"]), r["prefix_share"])
                for r in asked
                if not r["is_handoff"]
            ]
            loaded = await cold_load((data_dir / "store").as_uri(), epochs, requests)
    begun = frozenset(epoch.first_step for epoch in epochs[1:])
    lost = lost_facts(told["facts"])
    return {
        "steps": steps,
        "compactions": len(begun),
        "prefix_share_min": round(min(r.prefix_share for r in requests if r.step not in begun), 6),
        "handoff_prefix_share_min": round(min((r["prefix_share"] for r in asked if r["is_handoff"]), default=1.0), 6),
        "facts_lost": len(lost),
        "lost": lost,
        **loaded,
        **step_costs(requests, begun),
        **cpu_costs(requests, told["samples"]),
        "prompt_tokens_per_step": round(sum(r["prompt_tokens"] for r in asked) / steps),
        "uncached_tokens_per_step": round(sum(r["prompt_tokens"] - r["cached_tokens"] for r in asked) / steps),
        "stored_bytes_per_step": round(stored_bytes / steps),
        "worker_rss_mb": round(told["worker_rss_mb"], 1),
        "runs": told["runs"],
        "by_cause": compaction_costs(requests, epochs),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--port", type=int, default=PORT, help="of the model")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tell(asyncio.run(measure(options.steps, options.port)), as_json=options.json)


if __name__ == "__main__":
    main()
