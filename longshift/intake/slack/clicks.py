"""Buttons and forms: a decision is handed in at once, or after the words that it needs."""

from typing import Any, cast

import aiohttp
import structlog
from pydantic import ValidationError
from slack_sdk.errors import SlackApiError

from longshift.adapters.slack.buttons import WORDS_ACTION, WORDS_BLOCK, Choice, Form, choice_of, form, form_of
from longshift.adapters.slack.poster import call
from longshift.contracts.reviews import Answer
from longshift.intake.slack.approvers import Approvers, Person
from longshift.intake.slack.telling import Place, Teller
from longshift.policy.reviews import AMEND

log = structlog.get_logger("longshift.intake")

Body = dict[str, Any]
AMENDMENTS = (
    "A change in each line:\nstrike ID ID …\nadd ID: goal\ngoal ID: text\nscope ID: glob, glob\ninputs ID: path, path\n"
    "after ID: ID\nmerge-after ID: ID\nchecks ID: command\nshare ID: 0.1\nmodel ID: name\n"
    "Or the whole plan as JSON. You are shown the difference before anything is approved."
)
"""Above the field for changes of a swarm's plan."""


class Clicks:
    """What people do with the messages of questions."""

    def __init__(self, approvers: Approvers, teller: Teller) -> None:
        self._approvers = approvers
        self._teller = teller

    async def decide(self, body: Body) -> None:
        """A button that decides was clicked."""
        person, place, choice = person_of(body), place_of(body), _choice(body)
        if choice is not None and await self._may(person, place):
            await self._hand_in(person, place, choice, "")

    async def ask_for_words(self, body: Body) -> None:
        """A button whose decision needs words was clicked."""
        person, place, choice = person_of(body), place_of(body), _choice(body)
        if choice is None or not await self._may(person, place):
            return
        wanted = Form(**choice.model_dump(by_alias=True), c=place.channel, s=place.thread_ts)
        label = str(_action(body).get("text", {}).get("text", "")).rstrip("…")
        view = form(wanted, label, AMENDMENTS if choice.option == AMEND else "")
        opening = {"trigger_id": str(body.get("trigger_id", "")), "view": view}
        try:
            await call(self._teller.slack, "views.open", opening)
        except (TimeoutError, SlackApiError, aiohttp.ClientError) as error:
            log.warning("a form could not be opened", by=person.id, detail=str(error)[:300])
            text = "Nothing was changed: Slack did not open the form. Click again, or reply in the thread."
            await self._teller.whisper(place, person, text)

    async def take_words(self, body: Body) -> None:
        """A form was sent."""
        view = body.get("view", {})
        wanted = form_of(str(view.get("private_metadata", "")))
        if wanted is None:
            return
        values = view.get("state", {}).get("values", {})
        words = str(values.get(WORDS_BLOCK, {}).get(WORDS_ACTION, {}).get("value") or "")
        person, place = person_of(body), Place(wanted.channel, wanted.thread)
        if await self._may(person, place):
            await self._hand_in(person, place, wanted, words)

    async def _may(self, person: Person, place: Place) -> bool:
        refusal = self._approvers.refusal(person)
        if refusal:
            await self._teller.whisper(place, person, refusal)
        return not refusal

    async def _hand_in(self, person: Person, place: Place, choice: Choice, words: str) -> None:
        try:
            answer = Answer(review=choice.review_id, option=choice.option, text=words, shown_hash=choice.shown_hash)
        except ValidationError:
            return await self._teller.whisper(place, person, "Nothing was changed: this button is not understood.")
        update_id = f"answer:{choice.review_id}:{choice.shown_hash}"
        return await self._teller.decide(place, person, choice.task_id, answer, update_id)


def person_of(body: Body) -> Person:
    """Who did it."""
    user, team = cast("Body", body.get("user") or {}), cast("Body", body.get("team") or {})
    return Person(
        id=str(user.get("id", "")),
        name=str(user.get("name") or user.get("username") or ""),
        team=str(team.get("id", "")),
        home=str(user.get("team_id", "")),
    )


def place_of(body: Body) -> Place:
    """Where the message stands that was clicked."""
    container = cast("Body", body.get("container") or {})
    channel = cast("Body", body.get("channel") or {})
    return Place(
        channel=str(container.get("channel_id") or channel.get("id", "")), thread_ts=str(container.get("thread_ts", ""))
    )


def _action(body: Body) -> Body:
    actions = cast("list[Body]", body.get("actions") or [{}])
    return actions[0]


def _choice(body: Body) -> Choice | None:
    return choice_of(str(_action(body).get("value", "")))
