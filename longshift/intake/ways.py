"""Each way in, made from the settings. Keeping it running is `supervision`'s."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from temporalio.client import Client

from longshift.adapters.brokers import open_source
from longshift.contracts.errors import BadInput
from longshift.intake.acceptance import Acceptance
from longshift.intake.handover import HandOver
from longshift.intake.http.app import build_app
from longshift.intake.http.github_poll import keep_polling
from longshift.intake.http.server import serve
from longshift.intake.inbox import Inbox
from longshift.intake.pump import Pump
from longshift.intake.slack.gateway import run_gateway
from longshift.intake.standing import Standing, State
from longshift.intake.supervision import Way
from longshift.intake.suspects import Suspects
from longshift.settings import Settings

SUSPECTS_FOLDER = "intake-suspects"

Stand = Callable[[str], Standing]
"""A standing for the way of this name."""


def inbox_of(settings: Settings) -> Path:
    """The folder that task files are put into."""
    return settings.inbox_dir.expanduser().absolute() if settings.inbox_dir else settings.data_dir / "inbox"


def all_ways(settings: Settings, client: Client, acceptance: Acceptance, stand: Stand) -> list[Way]:
    """What the settings name; inbox and HTTP API always."""
    queues = [queue(number, url, settings, acceptance, stand) for number, url in enumerate(settings.intake_queues, 1)]
    ways = [*queues, inbox(settings, acceptance, stand), http(settings, client, acceptance, stand)]
    if settings.github_repositories and settings.github_token is not None:
        ways.append(github(settings, acceptance, stand))
    if settings.slack_app_token is not None:
        ways.append(slack(settings, client, stand))
    return ways


def queue(number: int, url: str, settings: Settings, acceptance: Acceptance, stand: Stand) -> Way:
    """A queue of a message broker."""
    try:
        standing = stand(open_source(url).name)
    except BadInput:
        standing = stand(
            f"queue {number}"
        )  # the URL, which may hold a password, is not shown; `run` says what is wrong
    suspects = Suspects(settings.data_dir / SUSPECTS_FOLDER)

    async def run(stopped: asyncio.Event) -> None:
        hand_over = HandOver(acceptance, suspects, standing, attempts=settings.intake_attempts)
        await Pump(open_source(url), acceptance.backlog, hand_over, standing).run(stopped)

    return Way(standing, run)


def inbox(settings: Settings, acceptance: Acceptance, stand: Stand) -> Way:
    """The folder for task files."""
    standing = stand("inbox")

    async def run(stopped: asyncio.Event) -> None:
        await Inbox(inbox_of(settings), acceptance, standing).run(stopped)

    return Way(standing, run)


def http(settings: Settings, client: Client, acceptance: Acceptance, stand: Stand) -> Way:
    """The HTTP API with the webhooks."""
    standing = stand("http")

    async def run(stopped: asyncio.Event) -> None:
        app = build_app(client, settings, acceptance)
        async with serve(app, settings.api_address, data_dir=settings.data_dir) as told:
            standing.move(State.WORKING, told.url)
            await stopped.wait()

    return Way(standing, run)


def github(settings: Settings, acceptance: Acceptance, stand: Stand) -> Way:
    """The poll that finds what webhooks of GitHub missed."""
    standing = stand("github")

    async def run(stopped: asyncio.Event) -> None:
        polling = asyncio.create_task(keep_polling(settings, acceptance))
        stopping = asyncio.create_task(stopped.wait())
        standing.move(State.WORKING)
        try:
            await asyncio.wait([polling, stopping], return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                polling.result()
        finally:
            stopping.cancel()
            polling.cancel()
            await asyncio.wait([polling])

    return Way(standing, run)


def slack(settings: Settings, client: Client, stand: Stand) -> Way:
    """What people do in Slack; no tasks come in here, but decisions."""
    standing = stand("slack")

    async def run(stopped: asyncio.Event) -> None:
        await run_gateway(settings, client, standing, stopped)

    return Way(standing, run)
