"""What people tell a session over HTTP: updates under the sender's key. Whether they fit, the session decides."""

import contextlib
import uuid
from typing import Any

from starlette.responses import Response

from longshift.contracts.rollback import Rollback
from longshift.contracts.session import Extend, SessionState, SessionStatus, Steer, StrikeItem
from longshift.intake.http.answers import AnswerBody, CancelBody, ExtendBody, RollbackBody, SteerBody, StrikeBody, Told
from longshift.intake.http.authority import require_visible
from longshift.intake.http.bodies import idempotency_key, read_value
from longshift.intake.http.deciding import VIA
from longshift.intake.http.documents import answered, needs_person
from longshift.intake.http.endpoint import JSON, UPDATE_BODY_BYTES, Body, Call
from longshift.policy import review_list
from longshift.policy.reviews import BY_HANDS
from longshift.policy.session import refuse_resume
from longshift.sessions.failures import SessionRefused, WorkerAbsent
from longshift.sessions.questions import an_answer
from longshift.sessions.updates import cancel_later, find_told, tell
from longshift.sessions.view import read_session

STEER_BODY = Body((JSON,), UPDATE_BODY_BYTES, SteerBody)
STRIKE_BODY = Body((JSON,), UPDATE_BODY_BYTES, StrikeBody)
ANSWER_BODY = Body((JSON,), UPDATE_BODY_BYTES, AnswerBody)
CANCEL_BODY = Body((JSON,), UPDATE_BODY_BYTES, CancelBody, is_required=False)
ROLLBACK_BODY = Body((JSON,), UPDATE_BODY_BYTES, RollbackBody)
EXTEND_BODY = Body((JSON,), UPDATE_BODY_BYTES, ExtendBody)


async def steer(call: Call) -> Response:
    """A message for the agent, or for sub-agents."""
    body = await read_value(call, STEER_BODY, SteerBody)
    return await _tell(call, "steer", Steer(text=body.text, item=body.item))


async def strike(call: Call) -> Response:
    """Take an item out of the swarm at work."""
    body = await read_value(call, STRIKE_BODY, StrikeBody)
    return await _tell(call, "strike", StrikeItem(item=body.item, reason=body.reason, by=call.caller.name))


async def pause(call: Call) -> Response:
    """Hold the session."""
    return await _tell(call, "pause")


async def resume(call: Call) -> Response:
    """Let it go on."""
    return await _tell(call, "resume")


async def rollback(call: Call) -> Response:
    """Undo steps."""
    body = await read_value(call, ROLLBACK_BODY, RollbackBody)
    return await _tell(call, "rollback", Rollback(to_step=body.to_step, reason=body.reason))


async def extend(call: Call) -> Response:
    """More active time, or more of the budget."""
    body = await read_value(call, EXTEND_BODY, ExtendBody)
    return await _tell(call, "extend", Extend.model_validate(body.model_dump(exclude_none=True)))


async def cancel(call: Call) -> Response:
    """End it; without a worker the engine keeps the wish, but not the reason."""
    body = await read_value(call, CANCEL_BODY, CancelBody)
    try:
        return await _tell(call, "cancel", body.reason)
    except WorkerAbsent:
        task_id = call.path("task_id")
        answer = await cancel_later(call.services.client, task_id, body.reason)
        return answered(Told(task_id=task_id, action="cancel", answer=answer), 202)


async def answer(call: Call) -> Response:
    """What the person says whom the session waits for: it answers the one question that words answer, if there is one.

    Otherwise the agent gets it as a message, and the session goes on. Nothing is told to a session that waits for
    nobody. A message wakes an agent that waits; a session that waits before it has one is told to go on as well. Both
    have an update id, so a repetition that finds half of it done, or all, is one decision.
    """
    body = await read_value(call, ANSWER_BODY, AnswerBody)
    task_id = call.path("task_id")
    await require_visible(call, task_id)
    key = idempotency_key(call.request.headers) or uuid.uuid4().hex
    review_id, steer_id, resume_id = (_update_id(call, f"answer-{verb}", key) for verb in ("review", "steer", "resume"))
    client = call.services.client
    view = await read_session(client, task_id)
    asked = review_list.for_words(view.status.reviews)
    if asked is not None and await find_told(client, task_id, steer_id) is None:
        review, option = asked
        given = an_answer(review.ask.id, option, body.text, by=call.caller.name, via=VIA, shown_hash=review.shown_hash)
        told = await tell(client, task_id, "answer", given, update_id=review_id)
        return answered(Told(task_id=task_id, action="answer", answer=told))
    refusal = _refused(view.status) or ("" if needs_person(view) else "it waits for the provider, not for a person")
    if refusal:
        told = await find_told(client, task_id, review_id) or await find_told(client, task_id, steer_id)
        if told is None:
            raise SessionRefused(f"cannot answer: {refusal}")
        return answered(Told(task_id=task_id, action="answer", answer=told))
    told = await tell(client, task_id, "steer", Steer(text=body.text), update_id=steer_id)
    with contextlib.suppress(SessionRefused):  # the message has woken it
        await tell(client, task_id, "resume", update_id=resume_id)
    return answered(Told(task_id=task_id, action="answer", answer=told))


def _refused(status: SessionStatus) -> str:
    if status.state is not SessionState.WAITING:
        return f"the session is {status.state.value} and waits for no answer; one that works takes messages by steer"
    chosen = [each for each in review_list.open_ones(status.reviews) if each.ask.kind not in BY_HANDS]
    if chosen:
        names = ", ".join(f"{each.ask.id} ({'|'.join(option.id for option in each.ask.options)})" for each in chosen)
        return f"words alone decide none of its questions, so choose an option by reviews/ID: {names}"
    return refuse_resume(status, paused=False)


async def _tell(call: Call, verb: str, *given: Any) -> Response:
    task_id = call.path("task_id")
    await require_visible(call, task_id)
    key = idempotency_key(call.request.headers)
    update_id = _update_id(call, verb, key) if key else ""
    told = await tell(call.services.client, task_id, verb, *given, update_id=update_id)
    return answered(Told(task_id=task_id, action=verb, answer=told))


def _update_id(call: Call, verb: str, key: str) -> str:
    """Keys of different senders, and of different things to tell, never meet."""
    return f"{call.caller.source}:{verb}:{key}"
