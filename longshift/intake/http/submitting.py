"""`POST /v1/sessions`: a task becomes a session. The answer comes when the engine holds it."""

from starlette.responses import Response

from longshift.contracts.errors import BadInput
from longshift.contracts.task import TaskSpec
from longshift.intake.acceptance import Delivery
from longshift.intake.http.answers import Submitted
from longshift.intake.http.authority import require_allowed, require_visible_in_store
from longshift.intake.http.bodies import idempotency_key, read_body
from longshift.intake.http.documents import answered
from longshift.intake.http.endpoint import Body, Call
from longshift.intake.http.problems import explain
from longshift.sessions.failures import SessionMissing
from longshift.sessions.view import task_id_of_workflow
from longshift.submission import Submission
from longshift.taskfile.document import LIMIT_BYTES, MEDIA_TYPES

TASK_BODY = Body(media_types=tuple(MEDIA_TYPES), limit_bytes=LIMIT_BYTES)


async def submit(call: Call) -> Response:
    """Hand in a task."""
    token = call.caller
    key = idempotency_key(call.request.headers)
    delivery = Delivery(
        source=token.source,
        body=await read_body(call, TASK_BODY),
        media_type=call.request.headers["content-type"],
        key=key,
    )
    try:
        submission = await call.services.acceptance.accept(
            delivery, tenant=token.tenant, permit=lambda task: _permit(call, task)
        )
    except BadInput as error:
        raise explain(error, source=token.source) from None
    return submitted(submission)


async def _permit(call: Call, task: TaskSpec) -> None:
    """Keep a task within its sender's limits; it may go on only from a session that exists for the sender.

    Raises:
        Problem: 403.
        BadInput: it names another session.
    """
    require_allowed(call.caller, task)
    if task.start_from is not None:
        try:
            await require_visible_in_store(call, task.start_from.session)
        except SessionMissing as error:
            raise BadInput(f"start_from.session: {error}") from None


def submitted(submission: Submission) -> Response:
    """201 for a new session, 200 for one that was known."""
    task_id = task_id_of_workflow(submission.handle.id)
    location = f"/v1/sessions/{task_id}"
    answer = Submitted(task_id=task_id, is_new=submission.is_new, location=location)
    return answered(answer, 201 if submission.is_new else 200, {"location": location})
