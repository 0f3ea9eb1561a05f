"""Tells a session what a person in Slack wants, patiently, and the person alone what became of it."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from temporalio.client import Client, RPCError

from longshift.adapters.slack.failures import name_of
from longshift.adapters.slack.poster import call
from longshift.adapters.slack.text import cut_escaped
from longshift.contracts.reviews import Answer
from longshift.intake.slack.approvers import Person
from longshift.policy.retry import backoff_seconds
from longshift.sessions.failures import SessionMissing, SessionRefused, WorkerAbsent
from longshift.sessions.updates import tell

log = structlog.get_logger("longshift.intake")

PATIENCE_SECONDS = 120.0
"""How long the engine and a worker are waited for, while the person is still there."""
FACE = "slack"


@dataclass(frozen=True)
class Place:
    """Where somebody did something."""

    channel: str
    thread_ts: str


class Teller:
    """The gateway's mouth, towards sessions and towards people."""

    def __init__(self, engine: Client, slack: AsyncWebClient, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.engine = engine
        self.slack = slack
        self._patience_seconds = patience_seconds

    async def decide(self, place: Place, person: Person, task_id: str, answer: Answer, update_id: str) -> None:
        """Hand a decision in. The same update id is one decision, whoever sends it: others are told the first."""
        signed = answer.model_copy(update={"by": person.signature, "via": FACE})
        told = await self.wish(place, person, task_id, "answer", signed, update_id=update_id)
        if told and not (signed.by in told and f": {signed.option}" in told):
            await self.whisper(place, person, f"Nothing was changed: {told}.")

    async def wish(
        self, place: Place, person: Person, task_id: str, verb: str, *given: Any, update_id: str = ""
    ) -> str:
        """The session's answer; empty where it was refused, or nobody took it: the person is told why."""
        try:
            told = await self._patiently(task_id, verb, *given, update_id=update_id)
        except (SessionRefused, SessionMissing) as refusal:
            log.info("refused", task_id=task_id, verb=verb, by=person.id, detail=str(refusal))
            await self.whisper(place, person, f"Nothing was changed: {refusal}.")
            return ""
        except (WorkerAbsent, RPCError) as error:
            log.warning("not told", task_id=task_id, verb=verb, by=person.id, detail=str(error))
            text = "Nothing was changed: the runner does not answer at the moment. Please try again in a few minutes."
            await self.whisper(place, person, text)
            return ""
        log.info("told", task_id=task_id, verb=verb, by=person.id)
        return told

    async def _patiently(self, task_id: str, verb: str, *given: Any, update_id: str) -> str:
        loop = asyncio.get_running_loop()
        end, failures = loop.time() + self._patience_seconds, 0
        while True:
            try:
                return await tell(self.engine, task_id, verb, *given, update_id=update_id)
            except (WorkerAbsent, RPCError):
                if loop.time() > end:
                    raise
                await asyncio.sleep(min(backoff_seconds(failures, random.random()), 10.0))
                failures += 1

    async def whisper(self, place: Place, person: Person, text: str) -> None:
        """Words that only this person sees; that they cannot be said is no reason to fail."""
        body = {
            "channel": place.channel,
            "user": person.id,
            "text": cut_escaped(text, 2_000),
            **({"thread_ts": place.thread_ts} if place.thread_ts else {}),
        }
        try:
            await call(self.slack, "chat.postEphemeral", body)
        except SlackApiError as error:
            log.warning("a person was not told", by=person.id, detail=name_of(error))
        except (TimeoutError, aiohttp.ClientError) as error:
            log.warning("a person was not told", by=person.id, detail=repr(error))
