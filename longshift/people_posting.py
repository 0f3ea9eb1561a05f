"""Whom this process can tell: posters of the faces that the settings hold the secrets of. They decide nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from longshift.adapters.posting import Poster
from longshift.adapters.slack import SlackPoster, web_client
from longshift.adapters.webhook import WebhookPoster
from longshift.contracts.people import Face
from longshift.settings import Settings
from longshift.telemetry.redaction import Redactor

POSTS_AT_ONCE = 8
"""Slack takes about one message per second and channel."""


@asynccontextmanager
async def posters(settings: Settings) -> AsyncGenerator[dict[Face, Poster]]:
    """By face; empty where nobody can be told."""
    clean = Redactor(settings.secret_values).value
    async with httpx.AsyncClient() as http:
        found: dict[Face, Poster] = {}
        if settings.slack_bot_token is not None:
            client = web_client(
                await asyncio.to_thread(settings.slack_bot_token.get_secret_value), settings.slack_api_url
            )
            found[Face.SLACK] = SlackPoster(client, clean)
        if settings.webhook_url is not None:
            found[Face.WEBHOOK] = WebhookPoster(
                http, await asyncio.to_thread(settings.webhook_url.get_secret_value), clean
            )
        yield found
