"""What sessions ask of people: the open questions of all of them, and the decision on one.

What is asked is the sessions' own; an engine lists which of them need a person, and each is asked for its questions.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError
from temporalio.client import Client, RPCError, WorkflowExecution
from temporalio.service import RPCStatusCode

from longshift.contracts import ids, search
from longshift.contracts.errors import BadInput
from longshift.contracts.reviews import Answer, Review
from longshift.contracts.session import SessionStatus
from longshift.policy import review_list, reviews
from longshift.sessions import search_keys
from longshift.sessions.counting import SessionCounts
from longshift.sessions.failures import NO_WORKER, SessionRefused, WorkerAbsent
from longshift.sessions.listing import ALL
from longshift.sessions.updates import tell
from longshift.sessions.view import read_session, read_status, task_id_of

AT_ONCE = 8
LIMIT_SESSIONS = 200
"""So many are asked at most, those first that were submitted first."""
BY_CHARACTERS = 200

_SELF_HEALING = ", ".join(f"'{kind}'" for kind in sorted(reviews.PASSES_BY_ITSELF))
NEED_A_PERSON = (
    f"{ALL} AND ExecutionStatus = 'Running' AND {search.ATTENTION} IS NOT NULL "
    f"AND {search.ATTENTION} NOT IN ({_SELF_HEALING})"
)


@dataclass(frozen=True)
class OpenQuestion:
    """A question that waits for a person."""

    task_id: str
    title: str
    review: Review


@dataclass(frozen=True)
class Inbox:
    """The questions of many sessions, the first asked first."""

    questions: tuple[OpenQuestion, ...] = ()
    silent: tuple[str, ...] = ()
    """Sessions that need a person, while no worker tells what for."""
    left_off: int = 0
    """Further sessions that need a person and were not asked."""


async def open_questions(
    client: Client,
    *,
    limit: int = LIMIT_SESSIONS,
    tenant: str | None = None,
    sees: Callable[[WorkflowExecution], bool] = lambda _: True,
) -> Inbox:
    """The open questions of at most `limit` sessions, of one tenant or of all; `tenant` has no quotes in it.

    Raises:
        RPCError: the engine does not answer.
    """
    where = NEED_A_PERSON if tenant is None else f"{NEED_A_PERSON} AND {search.TENANT} = '{tenant}'"
    counts = SessionCounts(client, datetime.now(UTC))
    try:
        count = await counts.count(where)
        rows = (await counts.oldest(where, limit, of=count))[:limit]
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        return Inbox()  # no worker has registered the search attributes yet, so no session has ever asked
    reading = _Reading(client)
    found = await asyncio.gather(*(reading.status(row) for row in rows if sees(row)))
    questions = [
        OpenQuestion(status.task_id, status.title, review)
        for status in found
        if isinstance(status, SessionStatus)
        for review in review_list.open_ones(status.reviews)
    ]
    return Inbox(
        questions=tuple(sorted(questions, key=lambda each: (each.review.asked_at, each.task_id))),
        silent=tuple(each for each in found if isinstance(each, str)),
        left_off=max(0, count - len(rows)),
    )


class _Reading:
    """Asks sessions, a few at once; where nobody answers for the first ones the others are not waited for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._has_answer = False
        self._is_silent = False

    async def status(self, row: WorkflowExecution) -> SessionStatus | str:
        """Where a session stands, or its id where nobody tells."""
        async with self._at_once:
            if self._is_silent and not self._has_answer:
                return task_id_of(row)
            try:
                status = await read_status(self._client, task_id_of(row))
            except WorkerAbsent:
                self._is_silent = True
                return task_id_of(row)
            self._has_answer = True
            return status


def repository_of(row: WorkflowExecution) -> str:
    """The address that a listed session works on."""
    return row.typed_search_attributes.get(search_keys.REPOSITORY) or ""


async def question_with(client: Client, task_id: str, option: str, review_id: str = "") -> Review:
    """The open question of a session that can be decided so; without an id, the only one.

    Raises:
        SessionMissing: there is no such session.
        SessionRefused: it asks nothing like this.
        BadInput: it asks several, and which one is meant has to be said.
        WorkerAbsent: nobody tells what it asks.
        RPCError: the engine does not answer.
    """
    view = await read_session(client, task_id)
    if view.remark:
        raise WorkerAbsent(view.remark)
    asked = review_list.open_ones(view.status.reviews)
    fitting = [each for each in asked if reviews.option(each, option) and review_id in ("", each.ask.id)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(each.ask.id for each in fitting)
        raise BadInput(f"REVIEW: {task_id} asks more than one question of this kind; name one of: {names}")
    refusal = review_list.refuse_answer(view.status, Answer(review=review_id, option=option)) if review_id else ""
    there = ", ".join(f"{each.ask.id} ({'|'.join(way.id for way in each.ask.options)})" for each in asked)
    raise SessionRefused(refusal or f"{task_id} asks nothing that takes {option!r}; {_open(there)}")


def _open(there: str) -> str:
    return f"open are: {there}" if there else "no question is open"


@dataclass(frozen=True)
class GivenAnswer:
    """What becomes of an answer."""

    text: str
    """In words: what was decided, or that nobody could say yet."""
    is_kept: bool = False
    """No worker runs: the engine keeps it for the next one, which takes it where it still fits."""


async def give_answer(client: Client, task_id: str, answer: Answer, *, update_id: str = "") -> GivenAnswer:
    """Hand a decision to its session. Requests with the same `update_id` are one decision.

    Raises:
        SessionRefused: the session does not take it; the message is its own.
        SessionMissing: there is no such session.
        RPCError: the engine does not answer.
    """
    try:
        return GivenAnswer(await tell(client, task_id, "answer", answer, update_id=update_id))
    except WorkerAbsent:
        await client.get_workflow_handle(ids.session_workflow_id(task_id)).signal("keep_answer", answer)
        return GivenAnswer(f"the engine keeps the answer for the next worker, if it fits then ({NO_WORKER})", True)


def an_answer(review: str, option: str, text: str = "", *, by: str, via: str, shown_hash: str = "") -> Answer:
    """A decision as the session takes it.

    Raises:
        BadInput: a part of it is empty or too long; the message names the field.
    """
    try:
        return Answer(review=review, option=option, text=text, shown_hash=shown_hash, by=by[:BY_CHARACTERS], via=via)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadInput(f"{first['loc'][0]}: {first['msg'][0].lower()}{first['msg'][1:]}") from None
