# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""What a step costs: a session of N steps against a bare workflow of two no-op activities per step, on one engine.

The model answers at once; each step reads a file of 1 KB, then in a second session one of 8 KB. Engine, worker, model
and this program are separate processes. `--json` prints one object; its keys are explained in `docs/benchmarks.md`.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from bench.bare import Bare, no_op
from bench.rig import PROFILE, WorkerProcess, engine, requests, tell, zero_model
from longshift.adapters.codec import KeyRing, new_key_text, read_key
from longshift.contracts import ids
from longshift.contracts.session import SessionInput, SessionState, SessionStatus
from longshift.contracts.task import TaskSpec

BARE_QUEUE = "bench-bare"
BARE_STEPS = 300
"""Steps of the bare run; it has no growing state, so more of them measure the same."""
SIZES_BYTES = (1_000, 8_000)
LINE_BYTES = 100


async def bare_ms_per_step(client: Client) -> float:
    """Milliseconds per step of the bare workflow, in this process."""
    async with Worker(client, task_queue=BARE_QUEUE, workflows=[Bare], activities=[no_op]):
        await client.execute_workflow(Bare.run, 20, id="bare-warm", task_queue=BARE_QUEUE)
        started = time.perf_counter()
        await client.execute_workflow(Bare.run, BARE_STEPS, id="bare", task_queue=BARE_QUEUE)
        return (time.perf_counter() - started) * 1_000 / BARE_STEPS


async def run_session(
    client: Client, data_dir: Path, steps: int, size_bytes: int, port: int, payload_keys: str = ""
) -> dict[str, float]:
    """One session of `steps` steps, and what it cost."""
    source = data_dir / f"source-{size_bytes}"
    source.mkdir()
    _write_lines(source / "data.txt", steps + 100 + size_bytes // LINE_BYTES)
    task_id = f"bench-{size_bytes}"
    async with zero_model(steps, "data.txt", port, "--lines", str(size_bytes // LINE_BYTES)) as base_url:
        (data_dir / "models.toml").write_text(PROFILE.format(base_url=base_url, window_tokens=262_144))
        worker = WorkerProcess(data_dir, client.service_client.config.target_host, _profile_env(data_dir, payload_keys))
        worker.start()
        try:
            status = await _session(client, task_id, source, steps)
            times = [each["received_monotonic_seconds"] for each in await requests(base_url)]
            rss_mb = worker.rss_mb()
        finally:
            worker.kill()
    if status.state is not SessionState.DONE:
        raise SystemExit(f"the session ended {status.state}: {status.reason}")
    gaps = [(after - before) * 1_000 for before, after in pairwise(times)]
    report = status.agents[0]
    return {
        "ms_per_step": (times[-1] - times[20]) * 1_000 / (len(times) - 21),
        "median_ms": statistics.median(gaps[20:]),
        "early_ms": statistics.fmean(gaps[50:100]),
        "last_ms": statistics.fmean(gaps[-50:]),
        "early_median_ms": statistics.median(gaps[50:100]),
        "last_median_ms": statistics.median(gaps[-50:]),
        "worker_rss_mb": rss_mb,
        "runs": report.runs,
        "compactions": report.compactions,
        "history_bytes_per_step": await _history_bytes(client, f"agent/{task_id}/lead") / steps,
        "stored_over_new": _stored_over_new(data_dir / "store" / "agents" / task_id),
    }


def _write_lines(path: Path, count: int) -> None:
    """A file no two lines of which are the same: an agent that reads the same again and again is stuck."""
    path.write_text("".join(f"{number:08} {'x' * (LINE_BYTES - 10)}\n" for number in range(count)))


async def _session(client: Client, task_id: str, source: Path, steps: int) -> SessionStatus:
    task = TaskSpec.model_validate(
        {
            "id": task_id,
            "title": task_id,
            "instructions": "Read the file until told to stop.",
            "workspace": {"directory": str(source)},
            "budget": {"steps": steps + 10},
            # An agent that only reads is stuck, and a person would be asked; its evidence is kept all the same.
            "stuck": {"enabled": False},
        }
    )
    request = SessionInput(task=task, profile="bench")
    name = ids.session_workflow_id(task_id)
    handle = await client.start_workflow(
        "Session", request, id=name, task_queue=ids.CONTROL_QUEUE, result_type=SessionStatus
    )
    return await handle.result()


async def _history_bytes(client: Client, workflow_id: str) -> int:
    """Bytes of history over all runs of a workflow."""
    sizes: dict[str, int] = {}
    async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        description = await client.get_workflow_handle(workflow_id, run_id=run.run_id).describe()
        sizes[run.run_id] = description.raw_description.workflow_execution_info.history_size_bytes
    return sum(sizes.values())


def _stored_over_new(agent_store: Path) -> float:
    """Bytes of all objects of an agent, over the bytes of what was new: the model's blocks and the tools' texts."""
    stored = new = 0
    for path in agent_store.rglob("*.json"):
        body = path.read_bytes()
        stored += len(body)
        if path.name == "answer.json":
            new += len(json.dumps(json.loads(body)["content"], separators=(",", ":")))
        elif path.name.startswith("result-"):
            new += len(json.loads(body)["text"])
        elif path.name == "base.json":
            new += len(body)
    return stored / new


def _profile_env(data_dir: Path, payload_keys: str) -> dict[str, str]:
    return {
        "LONGSHIFT_MODEL_PROFILES": json.dumps([str(data_dir / "models.toml")]),
        "LONGSHIFT_MODEL_PROFILE": "bench",
        "LONGSHIFT_PAYLOAD_KEYS": payload_keys,
    }


async def resume_ms(client: Client, data_dir: Path, port: int, payload_keys: str = "") -> dict[str, float]:
    """From `resume` to the model request, by a worker that has never seen the session, at 200,000 tokens of context."""
    steps, size_bytes = 85, 8_000
    source = data_dir / "source-resume"
    source.mkdir()
    _write_lines(source / "data.txt", steps + 100 + size_bytes // LINE_BYTES)
    async with zero_model(steps + 50, "data.txt", port, "--lines", str(size_bytes // LINE_BYTES)) as base_url:
        (data_dir / "models.toml").write_text(PROFILE.format(base_url=base_url, window_tokens=262_144))
        address = client.service_client.config.target_host
        worker = WorkerProcess(data_dir, address, _profile_env(data_dir, payload_keys))
        worker.start()
        session = asyncio.create_task(_session(client, "bench-resume", source, steps + 100))
        handle = client.get_workflow_handle("session/bench-resume")
        await requests(base_url, wait_for=steps)
        await handle.execute_update("pause")
        await asyncio.sleep(2)
        worker.kill()
        before = await requests(base_url)
        fresh = WorkerProcess(data_dir, address, _profile_env(data_dir, payload_keys))
        fresh.start()
        await asyncio.sleep(15)
        asked = time.monotonic()
        await handle.execute_update("resume")
        first = (await requests(base_url, wait_for=len(before) + 1))[len(before)]
        await handle.execute_update("cancel", "measured")
        await session
        fresh.kill()
    return {
        "resume_ms": (first["received_monotonic_seconds"] - asked) * 1_000,
        "resume_context_tokens": first["prompt_tokens"],
    }


async def measure(steps: int, sizes_bytes: tuple[int, ...], *, encrypted: bool = False) -> dict[str, object]:
    """Everything, in one run on one engine; with a payload key if `encrypted`."""
    key = new_key_text() if encrypted else ""
    payload_keys = f"bench:{key}" if encrypted else ""
    ring = KeyRing([read_key("bench", key)]) if encrypted else None
    with tempfile.TemporaryDirectory(prefix="longshift-bench-") as folder:
        data_dir = Path(folder)
        async with engine(data_dir, ring) as client:
            bare = await bare_ms_per_step(client)
            sessions = {
                size: await run_session(client, data_dir, steps, size, 18_700 + index, payload_keys)
                for index, size in enumerate(sizes_bytes)
            }
            bare_after = await bare_again(client)
            resumed = await resume_ms(client, data_dir, 18_799, payload_keys)
    base = (bare + bare_after) / 2
    small = sessions[sizes_bytes[0]]
    return {
        "steps": steps,
        "encrypted": encrypted,
        "bare_ms_per_step": round(base, 2),
        "ratio_to_bare": round(max(each["ms_per_step"] for each in sessions.values()) / base, 3),
        "last_over_early": round(max(each["last_ms"] / each["early_ms"] for each in sessions.values()), 3),
        "last_over_early_median": round(
            max(each["last_median_ms"] / each["early_median_ms"] for each in sessions.values()), 3
        ),
        "history_bytes_per_step": round(max(each["history_bytes_per_step"] for each in sessions.values())),
        "stored_over_new": round(small["stored_over_new"], 3),
        "worker_rss_mb": round(max(each["worker_rss_mb"] for each in sessions.values()), 1),
        "resume_ms": round(resumed["resume_ms"]),
        "resume_context_tokens": resumed["resume_context_tokens"],
        "by_size": {
            str(size): {key: round(value, 3) for key, value in each.items()} for size, each in sessions.items()
        },
    }


async def bare_again(client: Client) -> float:
    """The bare workflow once more, so that a machine that got slower or faster shows on both sides."""
    async with Worker(client, task_queue=BARE_QUEUE, workflows=[Bare], activities=[no_op]):
        started = time.perf_counter()
        await client.execute_workflow(Bare.run, BARE_STEPS, id="bare-2", task_queue=BARE_QUEUE)
        return (time.perf_counter() - started) * 1_000 / BARE_STEPS


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES_BYTES), help="bytes per tool result")
    parser.add_argument("--encrypted", action="store_true", help="with a payload key")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tell(asyncio.run(measure(options.steps, tuple(options.sizes), encrypted=options.encrypted)), as_json=options.json)


if __name__ == "__main__":
    main()
