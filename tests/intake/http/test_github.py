"""GitHub's deliveries: signed, answered at once, one session for one wish, however often it is told."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from temporalio.client import Client

from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from tests.intake.http.conftest import GITHUB_SECRET, Running, running

pytestmark = pytest.mark.engine


def labelled(number: int, **issue: Any) -> dict[str, Any]:
    """An issue that gets the label."""
    about = {
        "number": number,
        "title": "It fails",
        "body": "Always.",
        "state": "open",
        "user": {"login": "stranger"},
        "author_association": "NONE",
        "labels": [{"name": "longshift"}],
        **issue,
    }
    return {
        "action": "labeled",
        "issue": about,
        "label": {"name": "longshift"},
        "repository": {"full_name": "acme/tool"},
        "sender": {"login": "maintainer"},
    }


async def delivered(
    api: Running, payload: Any, event: str = "issues", *, secret: str = GITHUB_SECRET, **headers: str
) -> httpx.Response:
    """One delivery."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x-hub-signature-256": signature,
        **headers,
    }
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as http:
        return await http.post("/webhooks/github", content=body, headers=given)


async def test_a_label_that_is_removed_and_set_again_is_the_same_session(api: Running, client: Client) -> None:
    first = await delivered(api, labelled(1))
    removed = await delivered(api, {**labelled(1), "action": "unlabeled"})
    again = await delivered(api, labelled(1))
    edited = await delivered(api, labelled(1, title="It fails even more"))
    assert [201, 202, 200, 200] == [answer.status_code for answer in (first, removed, again, edited)]
    assert 1 == len({answer.json()["task_id"] for answer in (first, again, edited)})
    task_id = first.json()["task_id"]
    assert ids.keyed_task_id("github", "acme/tool#1:label") == task_id
    about = await client.get_workflow_handle(ids.session_workflow_id(task_id)).describe()
    assert "acme/tool#1: “It fails”" == await about.static_summary()


async def test_each_command_is_a_session_of_its_own(api: Running) -> None:
    def commented(comment_id: int) -> dict[str, Any]:
        who = {"user": {"login": "maintainer"}, "author_association": "OWNER"}
        return {**labelled(2), "action": "created", "comment": {"id": comment_id, "body": "/longshift go", **who}}

    answers = [await delivered(api, commented(each), "issue_comment") for each in (5, 6, 5)]
    assert [201, 201, 200] == [answer.status_code for answer in answers]


async def test_who_does_not_know_the_secret_is_refused(api: Running) -> None:
    answers = [
        await delivered(api, labelled(3), secret="another"),
        await delivered(api, labelled(3), **{"x-hub-signature-256": ""}),
        await delivered(api, labelled(3), **{"x-hub-signature-256": "sha256=00"}),
    ]
    assert [401] * 3 == [answer.status_code for answer in answers]


async def test_what_makes_no_task_is_acknowledged_with_its_reason(api: Running) -> None:
    ping = await delivered(api, {"zen": "Keep it logically awesome."}, "ping")
    push = await delivered(api, {"ref": "x"}, "push")
    other = await delivered(api, {**labelled(4), "repository": {"full_name": "evil/tool"}})
    assert [(200, True), (202, True), (202, True)] == [
        (answer.status_code, bool(answer.json()["ignored"])) for answer in (ping, push, other)
    ]


async def test_what_is_not_github_is_refused(api: Running) -> None:
    answers = [
        await delivered(api, b"[]"),
        await delivered(api, b"\xff"),
        await delivered(api, {**labelled(5), "issue": {"title": "no number"}}),
        await delivered(api, b"payload=x", **{"content-type": "application/x-www-form-urlencoded"}),
        await delivered(api, b"x" * 25_000_001),
    ]
    assert [400, 400, 400, 415, 413] == [answer.status_code for answer in answers]


async def test_without_a_secret_or_a_repository_github_is_off(client: Client, tmp_path: Path) -> None:
    async with running(client, tmp_path, github_webhook_secret=GITHUB_SECRET) as api:
        answer = await delivered(api, labelled(6))
    assert (404, True) == (answer.status_code, "LONGSHIFT_GITHUB_REPOSITORIES" in answer.json()["error"]["message"])


async def test_a_repository_that_is_none_is_said_at_the_start(client: Client, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="owner/name"):
        async with running(client, tmp_path, github_repositories=("https://github.com/acme/tool",)):
            pass


async def test_the_delivery_is_named_in_the_log(api: Running) -> None:
    with structlog.testing.capture_logs() as lines:
        await delivered(api, labelled(7))
    line = next(each for each in lines if each["event"] == "request")
    assert ("72d3162e-cc78-11e3-81ab-4c9367dc0958", "issues") == (line["delivery"], line["github_event"])
