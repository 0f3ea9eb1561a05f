"""A gateway between an imitated Slack and an engine whose sessions play a script."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.boundary import ErrorBoundary
from activities.people import People
from longshift.adapters.fake_slack import ADA, APP_TOKEN, BOB, BOT_TOKEN, CHANNEL, FakeSlack, Posted
from longshift.contracts import ids
from longshift.contracts.people import PeopleChannels
from longshift.contracts.reviews import Ask, AskKind, Option, OptionStyle
from longshift.contracts.session import AgentStatus, SessionInput, SessionStatus
from longshift.intake.slack.gateway import run_gateway
from longshift.intake.standing import Standing, State
from longshift.intake.supervision import Way, keep_running
from longshift.people_posting import posters
from longshift.settings import Settings
from tests.workflows.conftest import a_task, scripted_worker
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session

OPTIONS = (
    Option(id="advise", label="Give advice", style=OptionStyle.PRIMARY, needs_text=True),
    Option(id="continue", label="Let it go on"),
    Option(id="cancel", label="Cancel", style=OptionStyle.DANGER),
)


def people_settings(slack: FakeSlack, data_dir: Path, **fields: object) -> Settings:
    """The settings of all who talk to the imitated Slack."""
    given = {
        "data_dir": data_dir,
        "slack_bot_token": SecretStr(BOT_TOKEN),
        "slack_app_token": SecretStr(APP_TOKEN),
        "slack_channel": CHANNEL,
        "slack_approvers": (ADA, BOB),
        "slack_api_url": slack.api_url,
        **fields,
    }
    return Settings.model_validate(given)


@asynccontextmanager
async def people_worker(client: Client, settings: Settings) -> AsyncGenerator[None]:
    """A worker that posts."""
    async with (
        posters(settings) as found,
        Worker(client, task_queue=ids.PEOPLE_QUEUE, activities=[People(found).post], interceptors=[ErrorBoundary()]),
    ):
        yield


@asynccontextmanager
async def gateway(client: Client, settings: Settings, slack: FakeSlack) -> AsyncGenerator[Standing]:
    """The gateway, under supervision as in the process, connected."""
    standing, stopped = Standing("slack"), asyncio.Event()

    async def run(stopped: asyncio.Event) -> None:
        await run_gateway(settings, client, standing, stopped)

    task = asyncio.create_task(keep_running(Way(standing, run), stopped))
    try:
        await slack.socket_mode.connected()
        while standing.state is not State.WORKING:  # noqa: ASYNC110  # another task decides when
            await asyncio.sleep(0.02)
        yield standing
    finally:
        stopped.set()
        await task


@dataclass
class Asking:
    """A session whose agent asks, shown in Slack."""

    task_id: str
    handle: WorkflowHandle[Session, SessionStatus]
    slack: FakeSlack
    script: Script

    async def status(self) -> SessionStatus:
        """Where it stands."""
        return await self.handle.query(Session.status)

    async def ask(self, number: int = 1, **fields: object) -> Ask:
        """The agent asks, as it would by its own report."""
        given = {
            "id": f"lead-s{number}-stuck",
            "kind": AskKind.STUCK,
            "question": "The same test has failed eight times. What next?",
            "evidence": ("steps 31 to 38: pytest, exit code 1, the same failure",),
            "options": OPTIONS,
        }
        ask = Ask.model_validate({**given, **fields})
        status = await self.status()
        await self.handle.signal("agent_status", AgentStatus(agent=status.agent, waiting=True, step=38, ask=ask))
        return ask

    @property
    def root(self) -> Posted:
        """The session's message."""
        return next(each for each in self.slack.workspace.keyed("root") if self.task_id in str(each.metadata))

    def thread(self) -> list[Posted]:
        """What the app has said below it."""
        return [each for each in self.slack.workspace.thread(self.root.ts) if each.bot_id]

    async def question(self, number: int = 1) -> Posted:
        """The message of the question, as soon as it stands there."""
        found: list[Posted] = []

        def is_there() -> bool:
            key = f"question:lead-s{number}-stuck"
            found[:] = [
                each
                for each in self.slack.workspace.messages
                if str(each.metadata.get("event_payload", {}).get("key", "")).startswith(key)
                and each.metadata["event_payload"]["task_id"] == self.task_id
                and each.buttons()
            ]
            return bool(found)

        await self.slack.workspace.until(is_there)
        return found[0]

    async def whispered(self, words: str) -> str:
        """What one person was told that has these words."""
        found: list[str] = []

        def is_there() -> bool:
            found[:] = [each.text for each in self.slack.workspace.whispers if words in each.text]
            return bool(found)

        await self.slack.workspace.until(is_there)
        return found[0]


@asynccontextmanager
async def asking(client: Client, slack: FakeSlack, settings: Settings, **channels: object) -> AsyncGenerator[Asking]:
    """A session that works and is shown in Slack; its model is held, and let go at the end."""
    task_id, hold = f"g-{uuid.uuid4().hex[:8]}", asyncio.Event()
    script = Script([digest_of("finish")], hold_model=hold)
    people = PeopleChannels.model_validate({"slack_channel": CHANNEL, **channels})
    request = SessionInput(task=a_task(task_id), profile="scripted", people=people)
    async with scripted_worker(client, script, task_id), people_worker(client, settings):
        handle = await client.start_workflow(
            Session.run, request, id=ids.session_workflow_id(task_id), task_queue=ids.CONTROL_QUEUE
        )
        found = Asking(task_id, handle, slack, script)
        await script.model_asked.wait()
        await slack.workspace.until(lambda: any(task_id in str(each.metadata) for each in slack.workspace.roots()))
        try:
            yield found
        finally:
            hold.set()
            await handle.result()
            bulletin = client.get_workflow_handle(ids.bulletin_workflow_id(task_id))
            await bulletin.result()
