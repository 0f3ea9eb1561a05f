"""`POST /webhooks/github`: deliveries of GitHub, which signs the body, never repeats by itself, and waits ten seconds.

What was missed is found by `github_poll`, under the same keys. There is no time in the signature: a delivery that is
sent again finds the session that exists.
"""

import asyncio
import hashlib
import hmac
import re
from dataclasses import dataclass

import structlog
from pydantic import ValidationError
from starlette.responses import Response

from longshift.contracts import ids
from longshift.contracts.errors import BadInput, EngineError, KeyTaken
from longshift.intake.acceptance import Acceptance
from longshift.intake.http.answers import Ignored, Submitted
from longshift.intake.http.bodies import read_body
from longshift.intake.http.documents import answered
from longshift.intake.http.endpoint import JSON, Body, Call
from longshift.intake.http.github_events import Payload, Rules, Skipped, read
from longshift.intake.http.github_task import SOURCE, IssueTask
from longshift.intake.http.problems import Problem
from longshift.sessions.view import task_id_of_workflow
from longshift.settings import Settings

log = structlog.get_logger("longshift.github")

BODY = Body((JSON,), 25_000_000)
"""GitHub's own limit."""
SIGNATURE, EVENT, DELIVERY = "x-hub-signature-256", "x-github-event", "x-github-delivery"
ANSWER_SECONDS = 8.0
REPOSITORY = r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+"


@dataclass(frozen=True)
class Taken:
    """A task that the engine holds."""

    task_id: str
    is_new: bool


async def take_event(call: Call) -> Response:
    """One delivery."""
    settings = call.services.settings
    if settings.github_webhook_secret is None or not settings.github_repositories:
        text = "GitHub is off; set LONGSHIFT_GITHUB_WEBHOOK_SECRET and LONGSHIFT_GITHUB_REPOSITORIES"
        raise Problem(404, "not_found", text)
    headers = call.request.headers
    body = await read_body(call, BODY)
    secret = await asyncio.to_thread(settings.github_webhook_secret.get_secret_value)
    require_signed(secret, headers.get(SIGNATURE, ""), body)
    event = headers.get(EVENT, "")
    call.request.state.log = {"github_event": event[:50], "delivery": headers.get(DELIVERY, "")[:100]}
    if event == "ping":
        return answered(Ignored(ignored="ping: the secret is right"))
    try:
        payload = Payload.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        raise Problem(400, "bad_json", f"{field}: {first['msg']}; is this GitHub?", field=field) from None
    found = read(event, payload, rules_of(settings))
    if isinstance(found, Skipped):
        return answered(Ignored(ignored=found.reason), 202)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            taken = await take(call.services.acceptance, settings, found)
    except TimeoutError:
        raise EngineError("the engine is slow; deliver it again, or leave it to the poll") from None
    location = f"/v1/sessions/{taken.task_id}"
    answer = Submitted(task_id=taken.task_id, is_new=taken.is_new, location=location)
    return answered(answer, 201 if taken.is_new else 200, {"location": location})


def rules_of(settings: Settings) -> Rules:
    """What the settings say of GitHub.

    Raises:
        BadInput: a repository is not `owner/name`.
    """
    for name in settings.github_repositories:
        if re.fullmatch(REPOSITORY, name) is None:
            raise BadInput(f"github_repositories: {name!r} is not owner/name; give it in that form")
    return Rules(settings.github_repositories, settings.github_label, settings.github_command)


async def take(acceptance: Acceptance, settings: Settings, task: IssueTask) -> Taken:
    """Hand the task to the engine. An issue that was edited since the first time stays the session that it was.

    Raises:
        BadInput: the engine cannot hold it.
        QueueFull: the backlog has reached its limit.
        EngineError: the engine cannot be reached.
    """
    try:
        submission = await acceptance.accept(task.delivery(settings.github_api_url))
    except KeyTaken:
        taken = Taken(ids.keyed_task_id(SOURCE, task.key), is_new=False)
    else:
        taken = Taken(task_id_of_workflow(submission.handle.id), submission.is_new)
    log.info("github task", key=task.key, session=taken.task_id, is_new=taken.is_new)
    return taken


def require_signed(secret: str, signature: str, body: bytes) -> None:
    """Make sure that who sent the body knows the secret.

    Raises:
        Problem: 401.
    """
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise Problem(
            401,
            "unauthorized",
            f"{SIGNATURE}: does not fit the body; give the webhook the secret that LONGSHIFT_GITHUB_WEBHOOK_SECRET has",
            field=SIGNATURE,
        )
