"""Tasks over HTTP: one session for one key, whoever repeats it and however often; what cannot be a task is refused."""

import asyncio
import json
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from temporalio.client import Client

from longshift.adapters.store import Transcripts
from longshift.contracts import ids
from longshift.contracts.task import TaskSpec
from longshift.contracts.transcript import EpochBase, SealInput
from longshift.intake.http.meter import Meter
from longshift.intake.http.problems import Problem
from longshift.intake.http.tokens import Scope
from tests.intake.http.conftest import TASK, Running, running
from tests.workflows.conftest import dev_server

pytestmark = pytest.mark.engine

JSON_TYPE = {"content-type": "application/json"}
MARKDOWN = "---\ntitle: Mend it by hand\n---\nDo it by hand.\n"


async def test_a_task_is_a_session_when_it_is_answered(api: Running, client: Client) -> None:
    async with api.http() as http:
        first = await http.post("/v1/sessions", json={**TASK, "id": "held"})
        again = await http.post("/v1/sessions", json={**TASK, "id": "held"})
    assert (201, {"task_id": "held", "is_new": True, "location": "/v1/sessions/held"}) == (
        first.status_code,
        first.json(),
    )
    assert (200, False, first.headers["location"]) == (
        again.status_code,
        again.json()["is_new"],
        again.headers["location"],
    )
    assert (
        "Mend it"
        == await (await client.get_workflow_handle(ids.session_workflow_id("held")).describe()).static_summary()
    )


async def test_thirty_posts_of_one_key_at_once_are_one_session(api: Running) -> None:
    async with api.http() as http:
        key = {"idempotency-key": "build 42 / main"}
        answers = await asyncio.gather(*(http.post("/v1/sessions", json=TASK, headers=key) for _ in range(30)))
    assert [200] * 29 + [201] == sorted(answer.status_code for answer in answers)
    assert 1 == len({answer.json()["task_id"] for answer in answers})


async def test_a_key_belongs_to_one_task_of_one_sender(api: Running) -> None:
    key = {"idempotency-key": "build-43"}
    async with api.http() as http, api.http() as other:
        first = await http.post("/v1/sessions", json=TASK, headers=key)
        changed = await http.post("/v1/sessions", json={**TASK, "title": "Another"}, headers=key)
        elsewhere = await other.post("/v1/sessions", json=TASK, headers=key)
    assert (201, 409, "key_taken") == (first.status_code, changed.status_code, changed.json()["error"]["kind"])
    assert (201, True) == (elsewhere.status_code, elsewhere.json()["task_id"] != first.json()["task_id"])


async def test_markdown_and_yaml_are_tasks_too_and_the_content_is_the_last_key(api: Running) -> None:
    async with api.http() as http:
        given = [("text/markdown; charset=utf-8", MARKDOWN), ("application/yaml", "title: Y\ninstructions: Do it.\n")]
        for media_type, text in given:
            twice = [
                await http.post("/v1/sessions", content=text, headers={"content-type": media_type}) for _ in range(2)
            ]
            assert [201, 200] == [answer.status_code for answer in twice], media_type
            assert 1 == len({answer.json()["task_id"] for answer in twice})


@pytest.mark.parametrize(
    ("body", "status", "kind", "field", "words"),
    [
        ({"instructions": "x", "budget": {"usd": -1}}, 422, "bad_input", "budget.usd", "must be more than 0"),
        ({"title": "x"}, 422, "bad_input", "instructions", "is missing; add it"),
        ({**TASK, "workspace": {"directory": "/etc"}}, 422, "bad_input", "workspace.directory", "use a git URL"),
        ({**TASK, "priorty": 1}, 422, "bad_input", "priorty", "did you mean priority"),
        ({**TASK, "model": "none-such"}, 422, "bad_input", "model", "choose one of"),
    ],
)
async def test_a_task_that_cannot_be_used_is_refused_with_field_and_remedy(
    api: Running, body: dict[str, object], status: int, kind: str, field: str, words: str
) -> None:
    async with api.http() as http:
        answer = await http.post("/v1/sessions", json=body)
    error = answer.json()["error"]
    assert (status, kind, field) == (answer.status_code, error["kind"], error["field"])
    assert (True, False) == (words in error["message"], "api:" in error["message"])


async def test_what_is_no_task_at_all_is_refused(api: Running) -> None:
    async with api.http() as http:
        json_type = {"content-type": "application/json"}
        answers = [
            await http.post("/v1/sessions", content=b"{", headers=json_type),
            await http.post("/v1/sessions", content=b"\xff", headers=json_type),
            await http.post("/v1/sessions", content=b"", headers=json_type),
            await http.post("/v1/sessions", content=b"[" * 100_000, headers=json_type),
            await http.post("/v1/sessions", content=b'{"budget": {"steps": %s}}' % (b"9" * 5_000), headers=json_type),
            await http.post("/v1/sessions", content=b"{}", headers={"content-type": "application/xml"}),
            await http.post("/v1/sessions", json=TASK, headers={"idempotency-key": "k" * 501}),
            await http.post("/v1/sessions", json={**TASK, "id": "own"}, headers={"idempotency-key": "k"}),
            await http.post("/v1/sessions?hurry=1", json=TASK),
            await http.post("/v1/sessions", content=b'{"title": "x", "instructions": "\\ud800"}', headers=json_type),
        ]
    assert [422, 422, 422, 422, 422, 415, 400, 422, 400, 422] == [answer.status_code for answer in answers]


async def test_a_body_over_the_limit_is_cut_whatever_its_length_says(api: Running) -> None:
    body = json.dumps({**TASK, "constraints": ["x" * 4_100_000]}).encode()

    async def chunks():  # what httpx takes
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    async with api.http(**{"content-type": "application/json"}) as http:
        told = await http.post("/v1/sessions", content=body)
        untold = await http.post("/v1/sessions", content=chunks())
    assert [413, 413] == [told.status_code, untold.status_code]
    assert "too_large" == untold.json()["error"]["kind"]


async def test_what_comes_after_a_length_that_lies_is_not_part_of_the_task(api: Running) -> None:
    address = urlsplit(api.url)
    task = json.dumps({**TASK, "id": "short"}).encode()
    head = (
        f"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(task)}\r\n"
        f"authorization: {api.token()['authorization']}\r\n\r\n"
    ).encode()
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(head + task + b"x" * 5_000_000)
    answer = await reader.readuntil(b"\r\n")
    writer.close()
    assert b"HTTP/1.1 201" == answer[:12]


async def test_bodies_of_all_requests_together_are_bounded_and_let_go(client: Client, tmp_path: Path) -> None:
    meter = Meter(limit_bytes=100)
    with meter.account() as first, meter.account() as second:
        first.add(60)
        with pytest.raises(Problem, match="too many large requests"):
            second.add(60)
        second.add(40)
    assert 0 == meter.held_bytes
    async with running(client, tmp_path) as api, api.http() as http:
        answers = [await http.post("/v1/sessions", content=b"{" * 3_900_000, headers=JSON_TYPE) for _ in range(70)]
    assert {422} == {answer.status_code for answer in answers}


async def test_a_full_queue_says_when_to_come_again(client: Client, tmp_path: Path) -> None:
    async with running(client, tmp_path, intake_backlog_limit=1) as api, api.http() as http:
        # the place that is counted before the engine's own count is asked for again
        answers = [await http.post("/v1/sessions", json={**TASK, "id": f"full-{number}"}) for number in range(3)]
        queue = await http.get("/v1/queue")
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (True, "30") == (len(refused) >= 2 or len(answers) == len(refused), refused[0].headers["retry-after"])
    assert (200, 1, True) == (queue.status_code, queue.json()["limit"], queue.json()["is_full"])


@pytest.mark.slow
@pytest.mark.release
async def test_an_engine_that_is_away_is_said_so_and_nothing_is_taken(tmp_path: Path) -> None:
    async with dev_server() as engine:
        other = engine.client
        async with running(other, tmp_path) as api, api.http() as http:
            assert 200 == (await http.get("/readyz")).status_code
            await engine.shutdown()
            await asyncio.sleep(2.1)  # the last look at the queue has grown old
            answers = await asyncio.gather(
                http.post("/v1/sessions", json=TASK), http.get("/v1/sessions"), http.get("/readyz")
            )
            alive = await http.get("/healthz")
    assert [(503, True)] * 3 == [(answer.status_code, "retry-after" in answer.headers) for answer in answers]
    assert 200 == alive.status_code


async def until_listed(http: httpx.AsyncClient, started_from: str) -> None:
    """The engine's lists know a session a little later than the engine does."""
    async with asyncio.timeout(20):
        while True:
            listed = (await http.get("/v1/sessions")).json()["sessions"]
            if started_from in [each["started_from"] for each in listed]:
                return
            await asyncio.sleep(0.05)


async def test_a_task_goes_on_only_from_what_there_is_and_its_sender_may_see(client: Client, tmp_path: Path) -> None:
    store_url = (tmp_path / "store").as_uri()
    async with running(client, tmp_path, store_url=store_url) as api:
        task = TaskSpec(id="old", title="T", instructions="Do it.", tenant="ours")
        await api.store.create(ids.task_key("old"), task.model_dump_json().encode())
        transcripts, agent = Transcripts(api.store), ids.agent_id("old")
        await transcripts.put_base(agent, 1, EpochBase(system="s", tools=(), messages=(), first_step=1))
        await transcripts.put_seal(SealInput(agent=agent, epoch=1, step=1))
        body = {**TASK, "id": f"on-{uuid.uuid4().hex[:8]}"}
        async with api.http() as http:
            refused = [
                await http.post("/v1/sessions", json={**body, "start_from": start})
                for start in ({"session": "old", "step": 2}, {"session": "none"}, {"session": "old", "shift": 2})
            ]
            taken = await http.post("/v1/sessions", json={**body, "start_from": {"session": "old", "step": 1}})
            await until_listed(http, "old@1")
        theirs = api.token(Scope.SUBMIT, name="theirs", tenant="theirs")
        async with api.http(**theirs) as http:
            hidden = await http.post("/v1/sessions", json={**TASK, "start_from": {"session": "old", "step": 1}})
    assert [(422, "start_from.step"), (422, "start_from.session"), (422, "start_from.shift")] == [
        (answer.status_code, answer.json()["error"]["field"]) for answer in refused
    ], [answer.text for answer in refused]
    assert "its last closed one is 1" in refused[0].text
    assert 201 == taken.status_code, taken.text
    assert (422, "start_from.session") == (hidden.status_code, hidden.json()["error"]["field"]), hidden.text
