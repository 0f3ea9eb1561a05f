# The types of bolt are partial.
# pyright: reportUnknownMemberType=false
"""The gateway: one connection to Slack, kept for as long as it lasts, and what comes through it to whom it concerns."""

import asyncio
import re
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from temporalio.client import Client

from longshift.adapters.slack import web_client
from longshift.adapters.slack.buttons import DECIDE, FORM, WRITE
from longshift.adapters.slack.failures import failure_of
from longshift.adapters.slack.poster import call
from longshift.contracts.errors import BadInput, PeopleUnavailable
from longshift.intake.pump import pause
from longshift.intake.slack.approvers import Approvers
from longshift.intake.slack.clicks import Clicks
from longshift.intake.slack.replies import Replies
from longshift.intake.slack.telling import Teller
from longshift.intake.slack.threads import Threads
from longshift.intake.standing import Standing, State
from longshift.settings import Settings

log = structlog.get_logger("longshift.intake")

LOOK_SECONDS = 2.0
AWAY_SECONDS = 30.0
"""A connection that does not come back within this is made anew from the beginning."""
NOBODY = "nobody may decide in Slack: set LONGSHIFT_SLACK_APPROVERS to the ids of those who may"


async def run_gateway(settings: Settings, engine: Client, standing: Standing, stopped: asyncio.Event) -> None:
    """Listen to Slack until `stopped`.

    Raises:
        BadInput: a token is missing.
        PeopleRefused, PeopleUnavailable: Slack refuses the tokens, or is away.
    """
    if settings.slack_bot_token is None or settings.slack_app_token is None:
        raise BadInput("LONGSHIFT_SLACK_BOT_TOKEN: is missing; the gateway needs it beside LONGSHIFT_SLACK_APP_TOKEN")
    slack = web_client(await asyncio.to_thread(settings.slack_bot_token.get_secret_value), settings.slack_api_url)
    app_token = await asyncio.to_thread(settings.slack_app_token.get_secret_value)
    me = await asked(slack, "auth.test")
    await asked(web_client(app_token, settings.slack_api_url), "apps.connections.open")
    approvers = Approvers(str(me.get("team_id", "")), frozenset(settings.slack_approvers))
    teller = Teller(engine, slack)
    threads = Threads(slack, str(me.get("bot_id", "")))
    app = build_app(slack, Clicks(approvers, teller), Replies(approvers, teller, threads))
    if not approvers.users:
        log.warning(NOBODY)
    handler = AsyncSocketModeHandler(app, app_token, web_client=slack)
    try:
        await _keep(handler, standing, stopped)
    finally:
        await handler.close_async()


async def asked(slack: AsyncWebClient, method: str) -> dict[str, Any]:
    """What Slack answers.

    Raises:
        PeopleRefused, PeopleUnavailable: it does not.
    """
    try:
        return await call(slack, method, {})
    except SlackApiError as error:
        raise failure_of(error) from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise PeopleUnavailable(f"Slack: {type(error).__name__}: {error}") from error


def build_app(slack: AsyncWebClient, clicks: Clicks, replies: Replies) -> AsyncApp:
    """The listeners. Each acknowledges first: Slack waits for three seconds."""
    app = AsyncApp(client=slack)

    async def decide(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await clicks.decide(body)

    async def ask_for_words(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await clicks.ask_for_words(body)

    async def take_words(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await clicks.take_words(body)

    async def hear(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await replies.hear(body)

    app.action(re.compile(rf"^{DECIDE}-"))(decide)
    app.action(re.compile(rf"^{WRITE}-"))(ask_for_words)
    app.view(FORM)(take_words)
    app.event("message")(hear)
    return app


async def _keep(handler: AsyncSocketModeHandler, standing: Standing, stopped: asyncio.Event) -> None:
    """Until stopped; the SDK connects anew by itself, and if that lasts too long, all begins again."""
    connecting = asyncio.create_task(handler.connect_async())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # untyped in bolt
    loop = asyncio.get_running_loop()
    seen = loop.time()
    try:
        while not stopped.is_set():
            if await handler.client.is_connected():
                seen = loop.time()
                standing.move(State.WORKING)
            elif loop.time() - seen > AWAY_SECONDS:
                raise PeopleUnavailable("Slack: the connection does not come back")
            elif standing.state is State.WORKING:
                standing.move(State.SOURCE_AWAY, "Slack does not answer")
            await pause(stopped, LOOK_SECONDS if standing.state is State.WORKING else LOOK_SECONDS / 10)
    finally:
        connecting.cancel()
