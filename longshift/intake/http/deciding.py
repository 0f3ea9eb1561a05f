"""What sessions ask of people, over HTTP: the open questions, and the decision on one."""

from starlette.responses import Response

from longshift.intake.http.answers import DecisionBody, OpenReview, OpenReviews, ReviewsQuery, Told
from longshift.intake.http.authority import require_visible, sees_repository
from longshift.intake.http.bodies import idempotency_key, read_value
from longshift.intake.http.documents import answered
from longshift.intake.http.endpoint import JSON, UPDATE_BODY_BYTES, Body, Call
from longshift.sessions.questions import an_answer, give_answer, open_questions, repository_of

VIA = "http"
DECISION_BODY = Body((JSON,), UPDATE_BODY_BYTES, DecisionBody)


async def list_reviews(call: Call) -> Response:
    """The open questions of all sessions that the token sees."""
    query, token = call.query, call.caller
    assert isinstance(query, ReviewsQuery)
    found = await open_questions(
        call.services.client,
        limit=query.limit,
        tenant=token.tenant,
        sees=lambda row: sees_repository(token, repository_of(row)),
    )
    asked = [OpenReview(task_id=each.task_id, title=each.title, review=each.review) for each in found.questions]
    return answered(OpenReviews(reviews=asked, silent=list(found.silent), left_off=found.left_off))


async def decide(call: Call) -> Response:
    """One decision; without a worker the engine keeps it for the next one."""
    body = await read_value(call, DECISION_BODY, DecisionBody)
    task_id = call.path("task_id")
    await require_visible(call, task_id)
    answer = an_answer(
        call.path("review"), body.option, body.text, by=call.caller.name, via=VIA, shown_hash=body.shown_hash
    )
    key = idempotency_key(call.request.headers)
    update_id = f"{call.caller.source}:review:{key}" if key else ""
    given = await give_answer(call.services.client, task_id, answer, update_id=update_id)
    return answered(Told(task_id=task_id, action="answer", answer=given.text), 202 if given.is_kept else 200)
