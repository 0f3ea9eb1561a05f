"""Follows a session to its end and says what happens as it happens. What counts as an event is a pure function."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text
from temporalio.client import Client

from longshift.cli import render, render_transcript
from longshift.cli.engine_link import EngineLink
from longshift.cli.exit_codes import ExitCode, of_state
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.contracts.errors import StoreError
from longshift.contracts.session import SessionState
from longshift.policy import swarm_words
from longshift.sessions import transcript_document
from longshift.sessions.transcript_reader import Entry, TranscriptReader
from longshift.sessions.view import BY_THEMSELVES, SessionView, read_session, web_url

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Event:
    """Something that a follower is told."""

    data: dict[str, Any]
    lines: tuple[RenderableType, ...]


def changes(before: SessionView | None, now: SessionView) -> list[Event]:
    """What is new in `now`: state, attention, checks, and whether anybody answers at all."""
    found: list[Event] = []
    status, old = now.status, before.status if before else None
    if old is None or old.state is not status.state:
        line = Text.assemble("● ", (status.state.value, render.STATE_STYLES[status.state]))
        data = {"event": "state", "task_id": status.task_id, "state": status.state, "reason": status.reason}
        found.append(Event(data, (line,)))
    if status.attention and (old is None or old.attention != status.attention):
        data = {"event": "attention", "task_id": status.task_id, **status.attention.model_dump(mode="json")}
        found.append(Event(data, (render.needs(status),)))
    checks = now.progress.checks if now.progress else None
    known = before.progress.checks if before and before.progress else None
    if checks and checks != known:
        data = {"event": "checks", "task_id": status.task_id, **checks.model_dump(mode="json")}
        found.append(Event(data, (Text(f"checks: {checks.headline}", style="bold"), render.checks(checks))))
    found += _swarms(before, now)
    if now.remark and (before is None or before.remark != now.remark):
        data = {"event": "remark", "task_id": status.task_id, "text": now.remark}
        found.append(Event(data, (Text(now.remark, style="yellow"),)))
    return found


def _swarms(before: SessionView | None, now: SessionView) -> list[Event]:
    """How far sub-agents have come, where that is news."""
    known = {each.swarm: each for each in before.status.swarms} if before else {}
    return [
        Event(
            {"event": "swarm", "task_id": now.status.task_id, "swarm": each.model_dump(mode="json")},
            (Text(clean(swarm_words.line(each))),),
        )
        for each in now.status.swarms
        if swarm_words.is_news(known.get(each.swarm), each)
    ]


def needs_person(view: SessionView) -> bool:
    """Whether the session stands still until somebody does something."""
    status = view.status
    if status.state is not SessionState.WAITING:
        return status.state is SessionState.PAUSED
    return status.attention is not None and status.attention.kind not in BY_THEMSELVES


class Transcript:
    """The reader, with patience: a store that is away is mentioned once and asked again."""

    def __init__(self, run: Invocation, reader: TranscriptReader) -> None:
        self._run = run
        self._reader = reader
        self._is_away = False

    async def news(self) -> list[Entry]:
        """What came since the last call."""
        try:
            found = await self._reader.rest()
        except StoreError as error:
            if not self._is_away:
                self._run.out.remark(f"the store does not answer ({error}); steps are not shown", style="yellow")
            self._is_away = True
            return []
        self._is_away = False
        return found


async def follow(run: Invocation, client: Client, task_id: str, *, wait_for_people: bool = True) -> ExitCode:
    """Say what happens until the session has ended; gives the exit code of its outcome.

    Who stops following, by Ctrl-C or a failure, is told that the session goes on.
    """
    with contextlib.ExitStack() as unless_ended:
        unless_ended.callback(
            run.out.remark,
            f"the session goes on; `longshift watch {task_id}` follows it, `longshift cancel {task_id}` ends it",
        )
        code = await _follow(run, client, task_id, wait_for_people)
        unless_ended.pop_all()
    return code


async def _follow(run: Invocation, client: Client, task_id: str, wait_for_people: bool) -> ExitCode:
    link = EngineLink(run, client)
    transcript = Transcript(run, TranscriptReader(run.store, task_id))
    before: SessionView | None = None
    while True:
        now = await link.ask(lambda client: read_session(client, task_id))
        for entry in await transcript.news():
            run.out.event(transcript_document.document(entry), *render_transcript.brief(entry))
        if now is None:
            continue
        for event in changes(before, now):
            run.out.event(event.data, *event.lines)
        before = now
        if now.status.state.is_final and now.closed_at is not None:
            url = web_url(run.settings, now)
            run.out.event({"event": "ended", **now.document(url)}, Text(), render.session(now, url=url))
            return of_state(now.status.state)
        if not wait_for_people and needs_person(now):
            run.out.remark(f"the session waits for a person; `longshift status {task_id}` says for what")
            return ExitCode.NEEDS_PERSON
        await asyncio.sleep(POLL_SECONDS)
