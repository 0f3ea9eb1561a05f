"""Runs the demo: a daemon in a data directory of its own, the task, and what came of it, for a terminal."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import as_file, files
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from longshift.adapters.fake_slack import BOT_TOKEN, CHANNEL, FakeSlack
from longshift.adapters.scripted_model import ScriptedModel, load_policy
from longshift.adapters.store import Transcripts, open_store
from longshift.connect import connect, quiet_runtime
from longshift.contracts import ids
from longshift.contracts.errors import HostError, StoreMissing
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.task import TaskSpec
from longshift.daemon import Daemon, daemon
from longshift.demo.task import demo_task, download
from longshift.policy import answers
from longshift.sandboxes import tried_sandbox
from longshift.settings import Settings
from longshift.submission import submit

LOOK_SECONDS = 0.3
"""How often the store is looked at for the next closed step."""
SLACK_SECONDS = 15.0
"""How long the last message is waited for."""
QUIET = {"LONGSHIFT_LOG_LEVEL": "warning"}
"""The worker tells of trouble only."""
SCRIPTED_KEY = "scripted"
"""The scripted model wants a key, as real ones do."""


async def run_demo(settings: Settings, console: Console, *, stay: bool = False) -> int:
    """Work on the demo's task and show patch and checks; the exit code is 0 when the session ended as done.

    With a model configured (`LONGSHIFT_MODEL_…`) that one works, else the scripted model plays its part. `stay` keeps
    engine and Web UI running afterwards until the demo is interrupted.

    Raises:
        BadInput: the package cannot be fetched, or another demo runs.
        EngineError: the engine does not start.
        HostError: a live model works, and there is no sandbox for what it runs.
    """
    beside = settings.data_dir
    settings = settings.model_copy(
        update={"data_dir": settings.data_dir / "demo", "store_url": (settings.data_dir / "demo" / "store").as_uri()}
    )
    console.print("fetching the package and its test suite …", style="dim")
    archive = await asyncio.to_thread(download, beside / "downloads")
    settings, why = await confined(settings, archive)
    async with (
        FakeSlack() as slack,
        _model(settings) as (profile, environment),
        daemon(
            settings, {**environment, **_slack_variables(slack), **_sandbox_variables(settings)}, intake=False
        ) as running,
    ):
        settings = settings.model_copy(
            update={
                "slack_bot_token": SecretStr(BOT_TOKEN),
                "slack_channel": CHANNEL,
                "slack_api_url": slack.api_url,
                "webhook_url": None,
            }
        )
        client = await connect(settings, runtime=quiet_runtime())
        _say_where(console, settings, running, profile)
        _say_sandbox(console, settings, why)
        console.print(f"Slack     {slack.url} (imitated, on this machine)\n")
        task = demo_task(await _free_id(client), archive)
        status = await _follow(console, client, settings, task)
        await _show(console, settings, status)
        await _show_slack(console, slack)
        if stay:
            console.print("\nThe engine stays up until you press Ctrl-C.")
            await asyncio.get_running_loop().create_future()
    return 0 if status.state is SessionState.DONE else 1


@asynccontextmanager
async def _model(settings: Settings) -> AsyncGenerator[tuple[str, Mapping[str, str]]]:
    """The profile to use and the worker's environment: a live model where one is configured, else the scripted one."""
    if settings.has_model:
        yield settings.model_profile, QUIET
        return
    with as_file(files("longshift.demo") / "script.yaml") as script:
        policy = load_policy(Path(script))
    async with ScriptedModel(policy, key=SCRIPTED_KEY) as model:
        yield (
            settings.model_profile,
            {
                "LONGSHIFT_MODEL_PROFILE": settings.model_profile,
                "LONGSHIFT_MODEL_BASE_URL": model.base_url,
                "LONGSHIFT_MODEL_API_KEY": SCRIPTED_KEY,
                **QUIET,
            },
        )


def _slack_variables(slack: FakeSlack) -> Mapping[str, str]:
    """What the worker has to know to post there."""
    return {
        "LONGSHIFT_SLACK_API_URL": slack.api_url,
        "LONGSHIFT_SLACK_BOT_TOKEN": BOT_TOKEN,
        "LONGSHIFT_SLACK_CHANNEL": CHANNEL,
    }


async def _show_slack(console: Console, slack: FakeSlack) -> None:
    """What people would have seen in Slack; nothing waits for it for long."""
    with contextlib.suppress(TimeoutError):
        await slack.workspace.until(lambda: len(slack.workspace.messages) > 1, seconds=SLACK_SECONDS)
    for message in slack.workspace.messages:
        edits = f" (edited {message.edits} times)" if message.edits else ""
        console.print(f"in Slack  {escape(message.text)}{edits}", highlight=False)


def _say_where(console: Console, settings: Settings, running: Daemon, profile: str) -> None:
    model = f"{profile} (live)" if settings.has_model else f"scripted, in place of {profile}"
    console.print(f"model     {model}")
    console.print(f"data      {settings.data_dir}")
    if running.engine and running.engine.ui_url:
        console.print(f"Web UI    {running.engine.ui_url}")


def _say_sandbox(console: Console, settings: Settings, why: str) -> None:
    if settings.sandbox != "none":
        console.print(f"sandbox   {settings.sandbox}")
    elif why:
        console.print(f"sandbox   none: {escape(why)}", style="yellow")
        console.print("          the script's commands are part of this program and run unsandboxed", style="yellow")
    else:
        console.print("sandbox   none: the commands of the model run unsandboxed", style="yellow")


async def confined(settings: Settings, archive: Path) -> tuple[Settings, str]:
    """With the sandbox that the demo runs in, and why that is none where the settings name another one.

    Only the commands of the script, which are known, may run without one unasked.

    Raises: BadInput, HostError, when a live model would run unsandboxed.
    """
    needed = tuple(path for path in (sys.base_prefix, str(archive.parent)) if not Path(path).is_relative_to("/usr"))
    settings = settings.model_copy(update={"sandbox_readable": (*settings.sandbox_readable, *needed)})
    try:
        await tried_sandbox(settings)
    except HostError as error:
        if settings.has_model:
            raise
        return settings.model_copy(update={"sandbox": "none"}), str(error).removeprefix("sandbox: ")
    return settings, ""


def _sandbox_variables(settings: Settings) -> Mapping[str, str]:
    return {
        "LONGSHIFT_SANDBOX": settings.sandbox,
        "LONGSHIFT_SANDBOX_READABLE": json.dumps(settings.sandbox_readable),
    }


async def _free_id(client: Client) -> str:
    """The first `demo-N` that was not used on this engine."""
    number = 1
    while True:
        task_id = f"demo-{number}"
        try:
            await client.get_workflow_handle(ids.session_workflow_id(task_id)).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return task_id
        number += 1


async def _follow(console: Console, client: Client, settings: Settings, task: TaskSpec) -> SessionStatus:
    """Submit, print every step as it is closed, and give the final status."""
    handle = (await submit(client, settings, task)).handle
    console.print(f"session   {handle.id}: {task.title}\n")
    ended = asyncio.create_task(handle.result())
    printer = asyncio.create_task(_print_steps(console, settings, task.id))
    try:
        status = await ended
        await asyncio.sleep(2 * LOOK_SECONDS)
    finally:
        printer.cancel()
    return status


async def _print_steps(console: Console, settings: Settings, task_id: str) -> None:
    transcripts, agent, number = Transcripts(open_store(settings.store_url)), ids.agent_id(task_id), 1
    while True:
        try:
            step = await transcripts.step(agent, 1, number)
        except StoreMissing:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        said = answers.text_of(step.answer.content)
        console.print(f"[bold]step {number}[/]  {escape(said)}" if said else f"[bold]step {number}[/]")
        for call, sealed in zip(step.answer.calls, step.seal.results, strict=True):
            mark = "[red]✗[/]" if sealed.is_error else "[green]✓[/]"
            console.print(f"   {mark} {escape(call.summary)}", style="dim", highlight=False)
        number += 1


async def _show(console: Console, settings: Settings, status: SessionStatus) -> None:
    """The patch, the checks and the outcome."""
    if status.delivery is not None:
        store = open_store(settings.store_url)
        patch = (await store.get(ids.artifact_key(status.task_id, "patch.diff"))).decode(errors="replace")
        console.print()
        console.print(Syntax(patch, "diff", background_color="default", word_wrap=True))
    for report in status.agents:
        for check in report.checks.results if report.checks else ():
            mark = "[green]green[/]" if check.passed else "[red]RED[/]"
            console.print(f"check     {escape(check.name)}: {mark}  {escape(check.detail.splitlines()[0])}")
        tokens = report.usage.total_tokens
        console.print(f"spent     {report.steps} steps, {report.tool_calls} tool calls, {tokens:,} tokens")
    colour = "green" if status.state is SessionState.DONE else "red"
    reason = f": {escape(status.reason)}" if status.reason else ""
    console.print(f"state     [bold {colour}]{status.state.value}[/]{reason}")
