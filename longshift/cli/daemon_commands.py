"""`up`, `worker` and `intake`: the processes that do the work. How they are kept running is `daemon`'s."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.text import Text

import longshift
from longshift.adapters.engine import EngineAddress
from longshift.cli import render
from longshift.cli.command import command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.fleet import POLL_SECONDS, wait_for_worker
from longshift.cli.invocation import Invocation
from longshift.codec_server.process import require_codec_settings
from longshift.daemon import CODEC, INTAKE, WORKER, daemon
from longshift.intake.http.address import read_address
from longshift.intake.ways import inbox_of
from longshift.roles import Role, as_roles
from longshift.sandboxes import tried_sandbox
from longshift.settings import Settings
from longshift.telemetry import configure_logging

Roles = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help=f"One of {', '.join(Role)}; all where none is named. Repeat it."),
]
READY_SECONDS = 60.0
API_SECONDS = 10.0


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""

    @command(app, "up")
    async def up(run: Invocation) -> int:
        """Start the embedded engine (unless an external one is configured), a worker and intake, and keep them up."""
        settings = run.settings
        configure_logging(settings.log_format, settings.log_level, secrets=settings.secret_values)
        external = ""
        if settings.uses_external_engine:
            # An engine that is not there is said at once, not by a worker that starts again and again.
            external = (await run.client()).service_client.config.target_host
        await tried_sandbox(settings)  # and so is a sandbox that does not hold
        return await _until_told(_keep_up(run, external))

    @command(app, "worker")
    def worker(run: Invocation, role: Roles = None) -> int:
        """Start only a worker, for an engine that runs already: with all roles, or those that are named."""
        roles = sorted(as_roles(role or []))
        _require_engine(run)
        _become(run, WORKER, *(part for each in roles for part in ("--role", each)))

    @command(app, "intake")
    def intake(run: Invocation) -> int:
        """Start only intake (queues, inbox, HTTP API), for an engine that runs already."""
        _require_engine(run)
        _become(run, INTAKE)

    @command(app, "codec-server")
    def codec_server(run: Invocation) -> int:
        """Start only the codec server, which decrypts for the Web UI what the engine keeps."""
        require_codec_settings(run.settings)
        _become(run, CODEC)


def _require_engine(run: Invocation) -> None:
    """What is missing is said here, in the form that was asked for."""
    asyncio.run(run.client())


def _become(run: Invocation, module: str, *arguments: str) -> NoReturn:
    """Go on as `python -m module`."""
    environment = {**os.environ, **_child_environment(run)}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], environment)


def _child_environment(run: Invocation) -> dict[str, str]:
    """What a child needs beyond this process's environment: the command line's settings, and where the code is.

    Without the last, `-m worker` would take a `worker.py` of the folder that this was started in.
    """
    code = str(Path(longshift.__file__).parents[1])
    more = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([code, more] if more else [code])
    return {**run.environment(), "PYTHONSAFEPATH": "1", "PYTHONPATH": path}


async def _until_told(body: Coroutine[Any, Any, None]) -> int:
    """Run until SIGTERM, SIGINT or SIGHUP, then end politely; a second signal ends everything at once."""
    task = asyncio.create_task(body)
    told = False

    def stop() -> None:
        nonlocal told
        if told:
            # The kernel ends the engine with this process; commands go on under their supervisors.
            os._exit(ExitCode.INTERRUPTED)
        told = True
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
    return ExitCode.OK


async def _keep_up(run: Invocation, external: str) -> None:
    out = run.out
    async with daemon(run.settings, _child_environment(run)) as running:
        data = _facts(run, running.engine, external)
        out.event({"event": "up", **data}, *_banner(run, data))
        if await wait_for_worker(run, READY_SECONDS):
            api_url = await _api_url(run)
            ready = Text.assemble(("ready", "bold green"), ": submit with `longshift run TASK`; Ctrl-C stops")
            api = Text.assemble((f"{'API':<9}", "dim"), api_url or "–")
            out.event({"event": "ready", **data, "api_url": api_url}, api, ready)
        else:
            text = f"no worker after {READY_SECONDS:.0f} seconds; its log above says why"
            out.event({"event": "not_ready", **data}, Text(text, style="red"))
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            out.event({"event": "stopping"}, Text("stopping; commands that still run go on under their supervisors"))


async def _api_url(run: Invocation) -> str:
    """Where the HTTP API answers; empty when it does not come up, of which its log tells."""
    try:
        async with asyncio.timeout(API_SECONDS):
            # It is another process's state: there is no event to wait for.
            while (found := await asyncio.to_thread(read_address, run.settings.data_dir)) is None:  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return ""
    return found.url


def _facts(run: Invocation, engine: EngineAddress | None, external: str) -> dict[str, object]:
    settings = run.settings
    return {
        "address": engine.address if engine else external,
        "ui_url": engine.ui_url if engine else "",
        "data_dir": settings.data_dir,
        "store_url": settings.store_url,
        "inbox": inbox_of(settings),
        "sandbox": settings.sandbox,
        "model_profile": settings.model_profile,
        "has_model": settings.has_model,
        "payload_key": settings.key_ring.first_id,
        "codec_address": settings.codec_address if settings.has_codec_server else None,
    }


def _banner(run: Invocation, facts: dict[str, object]) -> list[Text]:
    settings = run.settings
    model = Text(settings.model_profile)
    if not settings.has_model:
        variable = settings.profiles()[settings.model_profile].api_key_env
        model.append(f" – no key: set {variable}, or sessions wait for one", style="yellow")
    rows: list[tuple[str, Text]] = [
        ("engine", Text(str(facts["address"]))),
        ("Web UI", Text(str(facts["ui_url"]) or "–")),
        ("data", Text(str(settings.data_dir))),
        ("store", Text(settings.store_url)),
        ("inbox", Text(f"{inbox_of(settings)} (task files that are put there are submitted)")),
        ("model", model),
        ("sandbox", render.sandbox(settings.sandbox)),
        ("payloads", _payloads(settings)),
    ]
    return [Text.assemble((f"{name:<9}", "dim"), value) for name, value in rows]


def _payloads(settings: Settings) -> Text:
    """How the engine keeps what it is given."""
    key_id = settings.key_ring.first_id
    if key_id is None:
        return Text("in clear (docs/encryption.md says how to encrypt them)", style="yellow")
    server = f"; codec server http://{settings.codec_address}" if settings.has_codec_server else ""
    return Text(f"encrypted with the key {key_id}{server}")
