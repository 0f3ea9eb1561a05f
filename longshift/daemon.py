"""The daemon of a data directory: the embedded engine (unless an external one is named), the worker, intake, and the
codec server where one is configured.

All are processes of their own, so that the death of one never takes the others along; all end with this one, whatever
ends it. What a worker does is in `worker`, how tasks come in is in `longshift.intake`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from longshift.adapters.engine import DataLock, EmbeddedEngine, EngineAddress
from longshift.child_process import ChildProcess
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.engine_download import obtain_engine_binary
from longshift.settings import Settings

WORKER = "worker"
INTAKE = "longshift.intake"
CODEC = "longshift.codec_server"


@dataclass(frozen=True)
class Daemon:
    """What runs."""

    engine: EngineAddress | None
    """None when the engine is an external one."""
    worker: ChildProcess
    intake: ChildProcess | None


@asynccontextmanager
async def daemon(
    settings: Settings, environment: Mapping[str, str] | None = None, *, intake: bool = True
) -> AsyncGenerator[Daemon]:
    """Everything for as long as the block runs. `environment` is added to that of worker and intake.

    Raises:
        BadInput: another daemon works on the data directory.
        EngineError: the engine does not start.
    """
    async with AsyncExitStack() as running:
        running.enter_context(DataLock(settings.data_dir))
        address = None
        if not settings.uses_external_engine:
            engine = EmbeddedEngine(
                settings.data_dir,
                binary=await obtain_engine_binary(settings.data_dir),
                search_attributes=SEARCH_ATTRIBUTES,
                ui=settings.engine_ui,
                port=settings.engine_port,
            )
            address = await engine.start()
            running.push_async_callback(engine.stop)
        worker = ChildProcess(WORKER, settings, environment or {})
        taking_in = ChildProcess(INTAKE, settings, environment or {}) if intake else None
        codec = ChildProcess(CODEC, settings, environment or {}) if settings.has_codec_server else None
        kept = [asyncio.create_task(each.keep_running()) for each in (worker, taking_in, codec) if each]
        running.push_async_callback(_stopped, kept)
        yield Daemon(engine=address, worker=worker, intake=taking_in)


async def _stopped(tasks: list[asyncio.Task[None]]) -> None:
    """All at once: none waits until another has ended."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
