"""Workers for the queue's commands: the real one for workflows, and hosts that grant slots by a script."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker

from longshift.adapters.process.leash import on_leash
from longshift.contracts import ids
from longshift.host_card import host_card
from longshift.roles import Role
from longshift.settings import load_settings
from tests.cli.conftest import Outcome, Said
from tests.workflows.scripted import Host, Script, ScriptedSlots

SECOND = timedelta(seconds=1)


@asynccontextmanager
async def control() -> AsyncGenerator[None]:
    """Sessions live, in a process of their own: what ends with it need not come to its own end."""
    command = [sys.executable, "-P", "-m", "worker", "--role", Role.CONTROL.value]
    with log_file().open("ab") as log:
        process = await asyncio.create_subprocess_exec(*on_leash(command), stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def log_file() -> Path:
    """What the worker says."""
    return load_settings().data_dir / "worker.log"


@asynccontextmanager
async def host(client: Client, script: Script, host_id: str, slots: int) -> AsyncGenerator[Worker]:
    """A host with so many slots, which tells of itself every second."""
    runtime = Runtime(telemetry=TelemetryConfig(logging=None), worker_heartbeat_interval=SECOND)
    own = await Client.connect(
        client.service_client.config.target_host,
        identity=f"longshift-{host_id}",
        data_converter=pydantic_data_converter,
        runtime=runtime,
    )
    worker = Worker(
        own,
        task_queue=ids.HOSTS_QUEUE,
        activities=[ScriptedSlots(script, [Host(host_id)]).hold_slot],
        max_concurrent_activities=slots,
        max_concurrent_activity_task_polls=1,
        max_heartbeat_throttle_interval=SECOND,
        default_heartbeat_throttle_interval=SECOND,
        plugins=[host_card(slots, 0)],
    )
    async with worker:
        yield worker


async def submit(said: Said, folder: Path, task_id: str, **front: object) -> None:
    """Submit a task with these fields."""
    fields = "".join(f"{name}: {value}\n" for name, value in front.items())
    (folder / f"{task_id}.md").write_text(f"---\nid: {task_id}\ntitle: Mend {task_id}\n{fields}---\nDo it.\n")
    submitted = await said("submit", f"{task_id}.md")
    assert 0 == submitted.code, submitted.err


async def until(said: Said, *arguments: str, holds: Callable[[Any], bool]) -> Outcome:
    """Ask until the answer holds: it is the engine's view of other processes, which comes when it comes."""
    while True:
        outcome = await said(*arguments, "--json")
        if holds(outcome.document):
            return outcome
        await asyncio.sleep(0.1)
