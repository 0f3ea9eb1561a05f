"""People over HTTP: what they tell a session is one decision for one key, and the session says what does not fit."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from temporalio.client import Client

from longshift.contracts.errors import WorkspaceFailed
from longshift.contracts.model import ModelOutcome
from longshift.contracts.session import SessionState
from tests.intake.http.conftest import TASK, Running, listed, lone_worker
from tests.workflows.scripted import Script, digest_of

pytestmark = pytest.mark.engine


@asynccontextmanager
async def session(api: Running, client: Client, task_id: str, script: Script) -> AsyncGenerator[httpx.AsyncClient]:
    """A session that somebody works on."""
    async with lone_worker(client, script, task_id), api.http() as http:
        assert 201 == (await http.post("/v1/sessions", json={**TASK, "id": task_id})).status_code
        yield http
        await http.post(f"/v1/sessions/{task_id}/cancel")
        await until(http, task_id, lambda found: SessionState(found["status"]["state"]).is_final)


async def until(http: httpx.AsyncClient, task_id: str, is_so: Callable[[dict[str, dict[str, str]]], bool]) -> None:
    """Wait until a session's status is as wanted."""
    for _ in range(300):
        if is_so((await http.get(f"/v1/sessions/{task_id}")).json()):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"{task_id} did not come to be as wanted")


async def test_a_repeated_request_is_one_decision_and_its_answer_the_same(api: Running, client: Client) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with session(api, client, "one-decision", script) as http:
        await script.tool_started.wait()
        key = {"idempotency-key": "click"}
        steered = [
            await http.post("/v1/sessions/one-decision/steer", json={"text": "Faster."}, headers=key) for _ in range(3)
        ]
        paused = [await http.post("/v1/sessions/one-decision/pause", headers=key) for _ in range(2)]
        another = await http.post("/v1/sessions/one-decision/pause")
        resumed = await http.post("/v1/sessions/one-decision/resume", headers=key)
        assert script.hold_tools
        script.hold_tools.set()
        script.model_asked.clear()
        await script.model_asked.wait()
    assert [200] * 3 == [answer.status_code for answer in steered]
    assert [200, 200, 409, 200] == [answer.status_code for answer in (*paused, another, resumed)]
    assert "the session is paused already" == another.json()["error"]["message"]
    assert ["Faster."] == [note.text for request in script.asked for note in request.notes]


async def test_a_session_that_waits_is_answered_once_and_goes_on(api: Running, client: Client) -> None:
    refused = digest_of(outcome=ModelOutcome.REFUSED, error="which database?")
    script = Script([refused, digest_of("finish")])
    async with session(api, client, "asks", script) as http:
        await until(http, "asks", lambda found: found["status"]["state"] == "waiting")
        waiting = (await http.get("/v1/sessions/asks")).json()
        asking = await listed(http, "attention=true")
        key = {"idempotency-key": "the-answer"}
        told = [
            await http.post("/v1/sessions/asks/answer", json={"text": "The second."}, headers=key) for _ in range(2)
        ]
        await until(http, "asks", lambda found: found["status"]["state"] == "done")
        late = await http.post("/v1/sessions/asks/answer", json={"text": "The second."}, headers=key)
        other = await http.post("/v1/sessions/asks/answer", json={"text": "The third."})
    assert (True, "refused") == (waiting["needs_person"], waiting["status"]["attention"]["kind"])
    assert "asks" in [each["task_id"] for each in asking]
    assert [(200, "delivered with the next model call")] * 3 == [
        (answer.status_code, answer.json()["answer"]) for answer in (*told, late)
    ]
    assert ["The second."] == [note.text for request in script.asked for note in request.notes]
    assert (409, True) == (other.status_code, "waits for no answer" in other.json()["error"]["message"])


async def test_a_session_that_waits_for_a_host_is_told_to_go_on(api: Running, client: Client) -> None:
    script = Script([digest_of("finish")], failures={"deliver": [WorkspaceFailed("no space")]})
    async with session(api, client, "mended", script) as http:
        await until(http, "mended", lambda found: found["status"]["state"] == "waiting")
        answer = await http.post("/v1/sessions/mended/answer", json={"text": "There is space now."})
        await until(http, "mended", lambda found: found["status"]["state"] == "done")
    assert 200 == answer.status_code


async def test_a_session_that_works_takes_no_answer(api: Running, client: Client) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with session(api, client, "works", script) as http:
        await script.tool_started.wait()
        answer = await http.post("/v1/sessions/works/answer", json={"text": "Yes."})
        status = (await http.get("/v1/sessions/works")).json()
        assert script.hold_tools
        script.hold_tools.set()
    assert (409, "refused") == (answer.status_code, answer.json()["error"]["kind"])
    assert (1, 15, False, True) == (
        status["step"],
        status["tokens"],
        status["needs_person"],
        bool(status["next_action"]),
    )
    assert [] == [note.text for request in script.asked for note in request.notes]


async def test_what_a_session_cannot_be_told_is_named(api: Running, client: Client) -> None:
    async with session(api, client, "told", Script([digest_of("finish")])) as http:
        await until(http, "told", lambda found: found["status"]["state"] == "done")
        answers = {
            "steer": await http.post("/v1/sessions/told/steer", json={"text": "x"}),
            "blank": await http.post("/v1/sessions/told/steer", json={"text": "  "}),
            "long": await http.post("/v1/sessions/told/steer", json={"text": "x" * 20_001}),
            "number": await http.post("/v1/sessions/told/steer", json={"text": 5}),
            "more": await http.post("/v1/sessions/told/steer", json={"text": "x", "to": "y"}),
            "form": await http.post("/v1/sessions/told/steer", data={"text": "x"}),
            "broken": await http.post(
                "/v1/sessions/told/steer", content="{", headers={"content-type": "application/json"}
            ),
            "huge": await http.post("/v1/sessions/told/steer", json={"text": "x" * 300_000}),
            "ended": await http.post("/v1/sessions/told/rollback", json={"to_step": 0}),
            "below": await http.post("/v1/sessions/told/rollback", json={"to_step": -1}),
            "no step": await http.post("/v1/sessions/told/rollback", json={"reason": "x"}),
            "hours": await http.post("/v1/sessions/told/extend", json={"active_hours": 0}),
            "nothing": await http.post("/v1/sessions/told/extend", json={}),
            "unknown": await http.post("/v1/sessions/none/pause"),
            "no id": await http.post("/v1/sessions/No_Id!/pause"),
            "key": await http.post("/v1/sessions/told/pause", headers={"idempotency-key": ""}),
        }
    assert {
        "steer": 409,
        "blank": 422,
        "long": 422,
        "number": 422,
        "more": 422,
        "form": 415,
        "broken": 400,
        "huge": 413,
        "ended": 409,
        "below": 422,
        "no step": 422,
        "hours": 422,
        "nothing": 422,
        "unknown": 404,
        "no id": 404,
        "key": 400,
    } == {name: answer.status_code for name, answer in answers.items()}
    assert ("cannot steer: the session is done", "active_hours") == (
        answers["steer"].json()["error"]["message"],
        answers["hours"].json()["error"]["field"],
    )


async def test_steps_are_undone_once_for_one_key_and_the_agent_gets_the_reason(api: Running, client: Client) -> None:
    script = Script([*[digest_of("bash")] * 3, digest_of("finish")], hold_model=asyncio.Event(), hold_model_from=3)
    async with session(api, client, "undone", script) as http:
        await until(http, "undone", lambda _: len(script.asked) == 3)
        key = {"idempotency-key": "k"}
        body = {"to_step": 1, "reason": "use the other parser"}
        answers = [await http.post("/v1/sessions/undone/rollback", json=body, headers=key) for _ in range(2)]
        refused = await http.post("/v1/sessions/undone/rollback", json={"to_step": 9})
        assert script.hold_model is not None
        script.hold_model.set()
        await until(http, "undone", lambda found: found["status"]["state"] == "done")
    told = {"task_id": "undone", "action": "rollback", "answer": "goes back to step 1 when the current step is over"}
    assert [told, told] == [answer.json() for answer in answers]
    message = "to_step: there is no step 9 yet; steps 0 (the beginning) to 3 are there"
    assert (409, message) == (refused.status_code, refused.json()["error"]["message"])
    assert [(3, 1)] == [(each.step, each.to_step) for each in script.rolled_back_files]
    assert "use the other parser" == script.asked[3].notes[1].text


async def test_extending_adds_hours_and_cancelling_keeps_its_reason(api: Running, client: Client) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with session(api, client, "ends", script) as http:
        await script.tool_started.wait()
        extended = await http.post("/v1/sessions/ends/extend", json={"active_hours": 1.5})
        more = await http.post("/v1/sessions/ends/extend", json={"steps": 100})
        unlimited = await http.post("/v1/sessions/ends/extend", json={"usd": 5.0})
        cancelled = await http.post("/v1/sessions/ends/cancel", json={"reason": "wrong branch"})
        await until(http, "ends", lambda found: found["status"]["state"] == "cancelled")
        status = (await http.get("/v1/sessions/ends")).json()["status"]
    assert ("13.5 active hours in all", 200) == (extended.json()["answer"], cancelled.status_code)
    assert "13.5 active hours in all, budget +100 steps" == more.json()["answer"]
    message = "usd: this task has no such limit, so there is nothing to raise"
    assert (409, message) == (unlimited.status_code, unlimited.json()["error"]["message"])
    assert "wrong branch" == status["reason"]
