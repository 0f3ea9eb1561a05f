"""What happens in sessions, for any number of listeners: one poller per session asks the engine about once a second.

Events are the differences of what the session told from one look to the next, so what came and went between two looks
is not told. A listener that begins, or whose last event is no longer known here, gets the present as its first events.
"""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from temporalio.client import Client, RPCError

from longshift.intake.http.documents import document
from longshift.intake.http.feed_events import END, Event, attention_data, progress_data, state_data
from longshift.intake.http.problems import Problem
from longshift.sessions.failures import SessionMissing
from longshift.sessions.view import SessionView, read_session
from longshift.settings import Settings

POLL_SECONDS = 1.0
LINGER_SECONDS = 10.0
"""A listener that comes back within this time misses nothing that a look saw."""
HEARTBEAT_SECONDS = 15.0
"""A stream without an event for this long gets a comment, so that proxies keep it open."""
KEPT_EVENTS = 256
MAX_LISTENERS = 1_000


@dataclass
class Feed:
    """One session's events so far."""

    task_id: str
    id: str
    events: deque[Event]
    changed: asyncio.Condition
    number: int = 0
    listeners: int = 0
    is_over: bool = False
    poller: asyncio.Task[None] | None = None

    async def add(self, name: str, data: object) -> None:
        """Tell the listeners, unless it is what they know."""
        last = next((each for each in reversed(self.events) if each.name == name), None)
        if last is not None and last.data == data:
            return
        self.number += 1
        event_id = END if name == "end" else f"{self.id}.{self.number}"
        self.events.append(Event(self.number, event_id, name, data))
        async with self.changed:
            self.changed.notify_all()

    async def end(self) -> None:
        """Nothing more will come."""
        self.is_over = True
        async with self.changed:
            self.changed.notify_all()

    def present(self) -> list[Event]:
        """The last event of each kind: all that a new listener has to know."""
        return sorted({event.name: event for event in self.events}.values(), key=lambda event: event.number)

    def after(self, last_id: str) -> list[Event] | None:
        """What came after an event, or None when that is not known any more."""
        feed, _, number = last_id.partition(".")
        if feed != self.id or not number.isdecimal():
            return None
        seen = int(number[:18])
        oldest = self.events[0].number if self.events else self.number + 1
        if seen > self.number or seen < oldest - 1:
            return None
        return [event for event in self.events if event.number > seen]


class Feeds:
    """The feeds that somebody listens to."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        poll_seconds: float = POLL_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._client = client
        self._settings = settings
        self._poll_seconds = poll_seconds
        self._linger_seconds = linger_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._feeds: dict[str, Feed] = {}
        self._listeners = 0
        self.is_closing = False
        self.polls = 0
        """Looks at sessions so far."""

    async def listen(self, task_id: str, last_id: str) -> AsyncGenerator[Event | None]:
        """Events until the session has ended; None when there were none for a while.

        Raises:
            Problem: 503; too many listen already.
        """
        if self._listeners >= MAX_LISTENERS or self.is_closing:
            text = f"{self._listeners} streams are open; ask GET /v1/sessions/{task_id} instead, or try again later"
            raise Problem(503, "busy", text, headers={"retry-after": "5"})
        feed = self._feed(task_id)
        feed.listeners += 1
        self._listeners += 1
        try:
            async for event in self._told(feed, last_id):
                yield event
        finally:
            feed.listeners -= 1
            self._listeners -= 1

    async def close(self) -> None:
        """End every stream and every poller."""
        self.is_closing = True
        for feed in list(self._feeds.values()):
            if feed.poller is not None:
                feed.poller.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await feed.poller
            await feed.end()
        self._feeds.clear()

    async def _told(self, feed: Feed, last_id: str) -> AsyncGenerator[Event | None]:
        news = feed.after(last_id)
        if news is None:
            news = feed.present()
        seen = feed.number
        while True:
            for event in news:
                yield event
            if feed.is_over and seen == feed.number:
                return
            if seen == feed.number and not await self._changed(feed, seen):
                yield None
            missed = feed.after(f"{feed.id}.{seen}")
            news = feed.present() if missed is None else missed  # too slow: the present instead of the past
            seen = feed.number

    async def _changed(self, feed: Feed, seen: int) -> bool:
        """Wait for something new; False when nothing came. A poller that met a bug ends its listeners with it."""
        try:
            async with asyncio.timeout(self._heartbeat_seconds), feed.changed:
                await feed.changed.wait_for(lambda: feed.number > seen or feed.is_over)
        except TimeoutError:
            return False
        return True

    def _feed(self, task_id: str) -> Feed:
        feed = self._feeds.get(task_id)
        if feed is None:
            feed = Feed(task_id, secrets.token_hex(4), deque(maxlen=KEPT_EVENTS), asyncio.Condition())
            self._feeds[task_id] = feed
            feed.poller = asyncio.create_task(self._poll(feed), name=f"longshift-feed-{task_id}")
        return feed

    async def _poll(self, feed: Feed) -> None:
        loop = asyncio.get_running_loop()
        wanted_at = loop.time()
        try:
            while loop.time() - wanted_at < self._linger_seconds:
                if feed.listeners:
                    wanted_at = loop.time()
                if await self._look(feed):
                    break
                await asyncio.sleep(self._poll_seconds)
        finally:
            if self._feeds.get(feed.task_id) is feed:
                del self._feeds[feed.task_id]
            await feed.end()

    async def _look(self, feed: Feed) -> bool:
        """Ask once; whether the session has ended."""
        self.polls += 1
        try:
            view = await read_session(self._client, feed.task_id)
        except SessionMissing:
            await feed.add("remark", {"task_id": feed.task_id, "text": "the engine does not keep the session any more"})
            return True
        except RPCError as error:
            text = f"the engine does not answer ({error.message}); the session is safe, waiting for it"
            await feed.add("remark", {"task_id": feed.task_id, "text": text})
            return False
        await self._tell(feed, view)
        return view.closed_at is not None

    async def _tell(self, feed: Feed, view: SessionView) -> None:
        about = await document(self._settings, view)
        await feed.add("state", state_data(about))
        if view.progress is not None:
            await feed.add("progress", progress_data(about))
        if about.status.attention is not None or any(event.name == "attention" for event in feed.events):
            await feed.add("attention", attention_data(about))
        if view.remark or any(event.name == "remark" for event in feed.events):
            await feed.add("remark", {"task_id": feed.task_id, "text": view.remark})
        if view.closed_at is not None:
            await feed.add("end", about.model_dump(mode="json"))
