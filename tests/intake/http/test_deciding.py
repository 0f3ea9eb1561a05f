"""What sessions ask of people, over HTTP: listed for those who may see it, and decided once by what they saw."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from longshift.contracts import ids
from longshift.contracts.reviews import AskKind
from longshift.contracts.session import AgentStatus
from longshift.intake.http.tokens import Scope
from longshift.policy import reviews
from tests.intake.http.conftest import TASK, Running, lone_worker
from tests.intake.http.test_telling import until
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session

pytestmark = pytest.mark.engine


@asynccontextmanager
async def asking(api: Running, client: Client, task_id: str, kind: AskKind) -> AsyncGenerator[httpx.AsyncClient]:
    """A session whose agent asks this."""
    script = Script([digest_of("finish")], hold_model=asyncio.Event())
    async with lone_worker(client, script, task_id), api.http() as http:
        assert 201 == (await http.post("/v1/sessions", json={**TASK, "id": task_id})).status_code
        await script.model_asked.wait()
        await ask(client, http, task_id, kind)
        yield http
        await http.post(f"/v1/sessions/{task_id}/cancel")
        await until(http, task_id, lambda found: found["status"]["state"] == "cancelled")


async def ask(client: Client, http: httpx.AsyncClient, task_id: str, kind: AskKind) -> None:
    """The agent asks."""
    asked = reviews.question(f"lead-s1-{kind.value}", kind, f"{kind.value}?", step=1)
    told = AgentStatus(agent=ids.agent_id(task_id), waiting=True, step=1, ask=asked)
    await client.get_workflow_handle(ids.session_workflow_id(task_id)).signal(Session.agent_status, told)
    await until(http, task_id, lambda found: (found["status"].get("attention") or {"kind": ""})["kind"] == kind.value)  # type: ignore[index]


async def listed(http: httpx.AsyncClient, task_id: str) -> list[dict[str, Any]]:
    """Its open questions, when the engine lists it."""
    for _ in range(100):
        answer = (await http.get("/v1/reviews")).json()
        found = [each["review"] for each in answer["reviews"] if each["task_id"] == task_id]
        if found:
            return found
        await asyncio.sleep(0.1)
    return []


async def test_a_question_is_listed_and_decided_once_by_what_was_seen(api: Running, client: Client) -> None:
    async with asking(api, client, "decides", AskKind.PLAN) as http:
        (review,) = await listed(http, "decides")
        path, seen = "/v1/sessions/decides/reviews/lead-s1-plan", review["shown_hash"]
        answers = {
            "stale": await http.post(path, json={"option": "approve", "shown_hash": "0"}),
            "option": await http.post(path, json={"option": "retry", "shown_hash": seen}),
            "no text": await http.post(path, json={"option": "reject", "shown_hash": seen}),
            "no hash": await http.post(path, json={"option": "approve"}),
            "unknown": await http.post(f"{path}x", json={"option": "approve", "shown_hash": seen}),
            "too long": await http.post(f"{path}{'x' * 300}", json={"option": "approve", "shown_hash": seen}),
            "session": await http.post(path.replace("decides", "none"), json={"option": "approve", "shown_hash": seen}),
        }
        key, body = {"idempotency-key": "click"}, {"option": "approve", "shown_hash": seen}
        decided = [await http.post(path, json=body, headers=key) for _ in range(2)]
        decided.append(await http.post(path, json=body))
        second = httpx.Headers(api.token(name="bob"))
        late = await http.post(path, json=body, headers=second)
    assert {
        "stale": 409,
        "option": 409,
        "no text": 409,
        "no hash": 422,
        "unknown": 409,
        "too long": 422,
        "session": 404,
    } == {name: answer.status_code for name, answer in answers.items()}
    assert "shown_hash: what you saw of lead-s1-plan has changed" in answers["stale"].json()["error"]["message"]
    told = decided[0].json()["answer"]
    assert [(200, told)] * 3 == [(each.status_code, each.json()["answer"]) for each in decided]
    assert (409, f"review: {told}; nothing is left to decide") == (
        late.status_code,
        late.json()["error"]["message"],
    )
    assert told.startswith("lead-s1-plan is decided: approve (Approve the plan), by all")


async def test_words_answer_the_one_question_that_takes_them_and_no_other(api: Running, client: Client) -> None:
    async with asking(api, client, "words", AskKind.PLAN) as http:
        path, key = "/v1/sessions/words/answer", {"idempotency-key": "k"}
        plan = await http.post(path, json={"text": "Looks good."})
        await ask(client, http, "words", AskKind.STUCK)
        advised = [await http.post(path, json={"text": "Use tabs."}, headers=key) for _ in range(2)]
        status = (await http.get("/v1/sessions/words")).json()["status"]
    assert (409, True) == (plan.status_code, "lead-s1-plan (approve|reject)" in plan.json()["error"]["message"])
    assert [200, 200] == [each.status_code for each in advised]
    assert [("advise", "Use tabs.", "http")] == [
        (each["decision"]["option"], each["decision"]["text"], each["via"])
        for each in status["reviews"]
        if each["decision"]
    ]


async def test_questions_of_others_are_not_seen_nor_decided(api: Running, client: Client) -> None:
    async with asking(api, client, "private", AskKind.RISK) as http:
        (review,) = await listed(http, "private")
        path, body = (
            "/v1/sessions/private/reviews/lead-s1-risk",
            {"option": "approve", "shown_hash": review["shown_hash"]},
        )
        other, reader = api.token(name="other", tenant="acme"), api.token(Scope.READ, name="reader")
        elsewhere = api.token(name="elsewhere", repositories=("https://github.com/acme/*",))
        seen = [(await http.get("/v1/reviews", headers=each)).json()["reviews"] for each in (other, elsewhere)]
        refused = [await http.post(path, json=body, headers=each) for each in (other, elsewhere, reader)]
    assert ([[], []], [404, 404, 403]) == (seen, [each.status_code for each in refused])
