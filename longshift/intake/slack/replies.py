"""Replies in the thread of a session: they answer, steer, or say a keyword."""

import asyncio
import random
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from temporalio.client import RPCError

from longshift.adapters.slack.failures import Verdict, verdict_of
from longshift.adapters.slack.text import said
from longshift.contracts.reviews import Answer, ReviewState
from longshift.contracts.session import STEER_MAX_CHARACTERS, Steer
from longshift.intake.slack.approvers import Approvers, Person
from longshift.intake.slack.telling import Place, Teller
from longshift.intake.slack.threads import Threads
from longshift.policy import swarm_words
from longshift.policy.replies import Reply, ReplyKind, read_reply, takes_words
from longshift.policy.retry import backoff_seconds
from longshift.sessions.failures import SessionMissing
from longshift.sessions.view import SessionView, read_session

log = structlog.get_logger("longshift.intake")

BY_PEOPLE = frozenset({"", "thread_broadcast", "file_share"})
"""Kinds of messages that a person wrote; edits, joins and the like are none."""
LOOK_UPS = 5


class Replies:
    """What people write below a session's message."""

    def __init__(self, approvers: Approvers, teller: Teller, threads: Threads) -> None:
        self._approvers = approvers
        self._teller = teller
        self._threads = threads

    async def hear(self, body: dict[str, Any]) -> None:
        """A message somewhere. The same message is one wish, however often Slack delivers it."""
        event: dict[str, Any] = body.get("event") or {}
        thread_ts, channel = str(event.get("thread_ts") or ""), str(event.get("channel", ""))
        if not thread_ts or event.get("bot_id") or str(event.get("subtype") or "") not in BY_PEOPLE:
            return
        reply = read_reply(said(str(event.get("text", ""))))
        if reply.kind is ReplyKind.NOTHING:
            return
        task_id = await self._task_of(channel, thread_ts)
        if not task_id:
            return
        home = str(event.get("user_team") or event.get("team") or "")
        person = Person(id=str(event.get("user", "")), name="", team=str(body.get("team_id", "")), home=home)
        place = Place(channel, thread_ts)
        refusal = self._approvers.refusal(person) if reply.kind is not ReplyKind.STATUS else ""
        if refusal:
            await self._teller.whisper(place, person, refusal)
        else:
            await self._follow(place, person, task_id, reply, f"slack:{channel}:{event.get('ts', '')}")

    async def _task_of(self, channel: str, thread_ts: str) -> str:
        for attempt in range(LOOK_UPS):
            try:
                return await self._threads.task_of(channel, thread_ts)
            except SlackApiError as error:
                if verdict_of(error) is not Verdict.AGAIN:
                    log.warning("a thread cannot be looked up", channel=channel, detail=str(error)[:300])
                    return ""
            except (TimeoutError, aiohttp.ClientError) as error:
                log.info("a thread cannot be looked up yet", channel=channel, detail=repr(error))
            await asyncio.sleep(min(backoff_seconds(attempt, random.random()), 10.0))
        return ""

    async def _follow(self, place: Place, person: Person, task_id: str, reply: Reply, update_id: str) -> None:
        if reply.kind is ReplyKind.STATUS:
            return await self._tell_status(place, person, task_id)
        if reply.kind is ReplyKind.WORDS:
            return await self._take_words(place, person, task_id, reply.text, update_id)
        if reply.kind is ReplyKind.ITEM:
            return await self._steer(
                place, person, task_id, Steer(text=reply.text[:STEER_MAX_CHARACTERS], item=reply.item), update_id
            )
        given = (reply.text or f"cancelled by {person.signature} in Slack",) if reply.kind is ReplyKind.CANCEL else ()
        told = await self._teller.wish(place, person, task_id, reply.kind.value, *given, update_id=update_id)
        if told:
            await self._teller.whisper(place, person, f"{told[:1].upper()}{told[1:]}.")
        return None

    async def _take_words(self, place: Place, person: Person, task_id: str, words: str, update_id: str) -> None:
        view = await self._view(place, person, task_id)
        if view is None:
            return
        asked = takes_words(view.status.reviews)
        if asked is not None:
            review, option = asked
            answer = Answer(review=review.ask.id, option=option.id, text=words, shown_hash=review.shown_hash)
            await self._teller.decide(place, person, task_id, answer, update_id)
            return
        await self._steer(place, person, task_id, Steer(text=words[:STEER_MAX_CHARACTERS]), update_id)

    async def _steer(self, place: Place, person: Person, task_id: str, steer: Steer, update_id: str) -> None:
        told = await self._teller.wish(place, person, task_id, "steer", steer, update_id=update_id)
        if told:
            whom = {None: "the agent", "*": "all sub-agents"}.get(steer.item, f"sub-agent {steer.item}")
            await self._teller.whisper(place, person, f"For {whom}: {told}.")

    async def _tell_status(self, place: Place, person: Person, task_id: str) -> None:
        view = await self._view(place, person, task_id)
        if view is not None:
            await self._teller.whisper(place, person, status_line(view))

    async def _view(self, place: Place, person: Person, task_id: str) -> SessionView | None:
        try:
            return await read_session(self._teller.engine, task_id)
        except SessionMissing as error:
            await self._teller.whisper(place, person, f"{error}.")
        except RPCError:
            await self._teller.whisper(place, person, "The engine does not answer at the moment. Please try again.")
        return None


def status_line(view: SessionView) -> str:
    """A session in a line."""
    status, progress = view.status, view.progress
    parts = [status.state.value]
    if progress is not None:
        parts += [f"step {progress.step}", f"${progress.cost_usd:.2f}", f"next: {progress.next_action}"]
    parts.append(f"{status.active_seconds / 3600:.1f} of {status.active_limit_seconds / 3600:.1f} active hours")
    parts += [swarm_words.line(each) for each in status.swarms[-1:]]
    open_reviews = sum(each.state is ReviewState.OPEN for each in status.reviews)
    if open_reviews:
        parts.append(f"{open_reviews} open question{'s' if open_reviews > 1 else ''}")
    if status.attention is not None:
        parts.append(f"needs attention ({status.attention.kind})")
    if view.remark:
        parts.append(view.remark)
    return " · ".join(parts)
