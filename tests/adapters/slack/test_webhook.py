"""The small variant: a text for each message, through an incoming webhook."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web
from slack_cards import a_card, a_request, a_review, some_news, the_question, the_root

from longshift.adapters.webhook import WebhookPoster, text_of
from longshift.contracts.cards import Message, MessageKind
from longshift.contracts.errors import PeopleRefused, PeopleUnavailable
from longshift.contracts.reviews import ReviewState
from longshift.contracts.session import SessionState
from longshift.telemetry.redaction import Redactor


@dataclass
class Hook:
    """A receiver on loopback."""

    url: str = ""
    bodies: list[Any] = field(default_factory=list[Any])
    status: int = 200

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        return web.Response(text="ok" if self.status < 300 else "no_service", status=self.status)


@asynccontextmanager
async def hook() -> AsyncGenerator[Hook]:
    found, app = Hook(), web.Application()
    app.router.add_post("/T0/secret-path", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    found.url = f"http://{host}:{port}/T0/secret-path"
    try:
        yield found
    finally:
        await runner.cleanup()


async def test_a_question_names_its_choices_and_how_to_answer() -> None:
    async with hook() as told, httpx.AsyncClient() as http:
        poster = WebhookPoster(http, told.url, Redactor(["hunter2hunter2"]).value)
        await poster.post(a_request(the_question(a_review())), since=0)
        await poster.post(a_request(the_root(), a_card(title="hunter2hunter2 <!channel>")), since=0)
    [question, root] = [each["text"] for each in told.bodies]
    assert "Give advice: `longshift answer mend lead-s12-stuck advise --text TEXT`" in question
    assert "*[redacted] &lt;!channel&gt;* (`mend`): running" == root


@pytest.mark.parametrize(
    ("status", "error"), [(429, PeopleUnavailable), (503, PeopleUnavailable), (404, PeopleRefused)]
)
async def test_what_the_receiver_says_decides_whether_to_try_again(status: int, error: type[Exception]) -> None:
    async with hook() as told, httpx.AsyncClient() as http:
        told.status = status
        with pytest.raises(error, match=str(status)):
            await WebhookPoster(http, told.url, lambda value: value).post(a_request(the_root()), since=0)


async def test_a_receiver_that_is_away_is_unavailable_and_its_address_stays_secret() -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(PeopleUnavailable) as raised:
            await WebhookPoster(http, "http://127.0.0.1:1/T0/secret-path", lambda value: value).post(
                a_request(the_root()), since=0
            )
    assert "secret-path" not in str(raised.value)


def test_every_kind_of_message_has_a_text() -> None:
    review, over = a_review(), a_review(state=ReviewState.DECIDED)
    messages = {
        "still open": Message(kind=MessageKind.REMINDER, key="r", review=review, number=1),
        "✅ *advise* by <@U0ADA0001>": the_question(over),
        "• it compacts": Message(kind=MessageKind.NEWS, key="n", news=some_news("it compacts")),
        "*done*": Message(kind=MessageKind.END, key="end"),
    }
    card = a_card(state=SessionState.DONE)
    assert [] == [words for words, message in messages.items() if words not in text_of(a_request(message, card))]
