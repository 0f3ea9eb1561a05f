"""What is told of sessions: the list page by page, transcripts and artifacts out of the store; and in which form."""

import json

import httpx
import pytest
from temporalio.client import Client

from tests.cli.test_store_commands import put_session
from tests.intake.http.conftest import TASK, Running, listed, lone_worker
from tests.workflows.conftest import a_task
from tests.workflows.scripted import Script, digest_of

pytestmark = pytest.mark.engine


async def test_the_list_comes_in_pages_with_nothing_twice_and_nothing_missing(api: Running) -> None:
    async with httpx.AsyncClient(timeout=30, base_url=api.url, headers=api.token(tenant="pages")) as http:
        for number in range(7):
            await http.post("/v1/sessions", json={**TASK, "id": f"page-{number}"})
        await listed(http, "state=queued", 7)
        found: list[str] = []
        token, pages = "", 0
        while pages < 20:
            page = (await http.get("/v1/sessions", params={"limit": 3, "page_token": token, "state": "queued"})).json()
            found += [each["task_id"] for each in page["sessions"]]
            pages += 1
            token = page["next_page_token"]
            if not token:
                break
        none = (await http.get("/v1/sessions?state=done&state=failed")).json()
        quiet = (await http.get("/v1/sessions?attention=false")).json()
    assert [f"page-{number}" for number in reversed(range(7))] == found
    assert ([], 7) == (none["sessions"], len(quiet["sessions"]))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=sleepy", "state.0"),
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("attention=perhaps", "attention"),
        ("page_token=!", "page_token"),
        ("page_token=a", "page_token"),
        ("sort=up", "sort"),
    ],
)
async def test_a_query_that_makes_no_sense_names_its_field(api: Running, query: str, field: str) -> None:
    async with api.http() as http:
        answer = await http.get(f"/v1/sessions?{query}")
    assert (400, field) == (answer.status_code, answer.json()["error"]["field"])


async def test_a_page_token_that_nobody_gave_out_is_refused(api: Running) -> None:
    async with api.http() as http:
        given = (await http.get("/v1/sessions?limit=1")).json()["next_page_token"]
        for number in range(2):
            await http.post("/v1/sessions", json={**TASK, "id": f"two-{number}"})
        await listed(http, "state=queued", 2)
        given = given or (await http.get("/v1/sessions?limit=1")).json()["next_page_token"]
        answers = [
            await http.get(f"/v1/sessions?page_token={token}")
            for token in (given, given[:-2] + "AA", given[4:], "AAAA")
        ]
        async with api.http() as other:
            answers.append(await other.get(f"/v1/sessions?page_token={given}"))
    assert [200, 400, 400, 400, 400] == [answer.status_code for answer in answers]


async def test_a_session_without_a_worker_is_told_as_the_engine_knows_it(api: Running) -> None:
    async with api.http() as http:
        await http.post("/v1/sessions", json={**TASK, "id": "alone"})
        found = (await http.get("/v1/sessions/alone")).json()
    assert ("queued", "Mend it", True, None) == (
        found["status"]["state"],
        found["status"]["title"],
        "no worker answers" in found["remark"],
        found["closed_at"],
    )


async def test_numbers_are_those_of_the_whole_session_after_its_end(api: Running, client: Client) -> None:
    async with lone_worker(client, Script([digest_of("bash"), digest_of("finish")]), "counted"), api.http() as http:
        await http.post("/v1/sessions", json=a_task("counted").model_dump(mode="json", exclude_none=True))
        await client.get_workflow_handle("session/counted").result()
        found = (await http.get("/v1/sessions/counted")).json()
    assert ("done", 2, 30, False) == (found["status"]["state"], found["step"], found["tokens"], found["needs_person"])
    assert found["closed_at"] is not None


async def test_the_transcript_and_the_artifacts_are_read_without_engine_or_worker(api: Running) -> None:
    await put_session(api.store)
    async with api.http() as http:
        whole = await http.get("/v1/sessions/mend/transcript")
        one = await http.get("/v1/sessions/mend/transcript?step=2")
        names = (await http.get("/v1/sessions/mend/artifacts")).json()["artifacts"]
        patch = await http.get("/v1/sessions/mend/artifacts/patch.diff")
        log = await http.get("/v1/sessions/mend/artifacts/logs/suite.txt")
        missing = [
            await http.get(f"/v1/sessions/{path}")
            for path in ("mend/artifacts/none", "mend/artifacts/..%2f..%2ftasks%2fmend%2ftask.json", "none/transcript")
        ]
    lines = [json.loads(line) for line in whole.text.splitlines()]
    kinds = ["opening", "answer", "seal"] * 2 + ["handoff", "opening", "answer"]
    assert ("application/x-ndjson", kinds) == (whole.headers["content-type"], [line["event"] for line in lines])
    assert ["answer", "seal"] == [json.loads(line)["event"] for line in one.text.splitlines()]
    assert ["logs/suite.txt", "patch.diff"] == names
    assert (b"+again\n\xff", "nosniff", "attachment; filename*=UTF-8''patch.diff") == (
        patch.content,
        patch.headers["x-content-type-options"],
        patch.headers["content-disposition"],
    )
    assert (b"green\n", [404, 404, 404]) == (log.content, [answer.status_code for answer in missing])


async def test_a_limited_token_sees_no_foreign_transcript(api: Running) -> None:
    for name, tenant in (("own", "acme"), ("foreign", "bolt")):
        body = a_task(name, tenant=tenant).model_dump_json().encode()
        await api.store.create(f"tasks/{name}/task.json", body)
    await put_session(api.store)  # its task is one that this release cannot read
    async with httpx.AsyncClient(base_url=api.url, headers=api.token(tenant="acme")) as http:
        answers = [await http.get(f"/v1/sessions/{name}/transcript") for name in ("own", "foreign", "mend")]
    assert [200, 404, 404] == [answer.status_code for answer in answers]


async def test_every_answer_has_the_request_s_id_and_failures_have_one_shape(api: Running) -> None:
    async with api.http() as http:
        answers = {
            "own id": await http.get("/healthz", headers={"x-request-id": "trace-7"}),
            "bad id": await http.get("/healthz", headers={"x-request-id": "a b"}),
            "no path": await http.get("/nowhere"),
            "slash": await http.get("/v1/sessions/"),
            "method": await http.delete("/v1/sessions"),
            "document": await http.post("/openapi.json"),
            "form": await http.get("/v1/queue", headers={"accept": "text/html, application/xml;q=0.9"}),
            "any form": await http.get("/v1/queue", headers={"accept": "text/html, */*;q=0.1"}),
        }
    assert {
        "own id": 200,
        "bad id": 200,
        "no path": 404,
        "slash": 404,
        "method": 405,
        "document": 405,
        "form": 406,
        "any form": 200,
    } == {name: answer.status_code for name, answer in answers.items()}
    assert ("trace-7", True, "GET, POST") == (
        answers["own id"].headers["x-request-id"],
        answers["bad id"].headers["x-request-id"] != "a b",
        answers["method"].headers["allow"],
    )
    failures = [answer for answer in answers.values() if answer.status_code >= 400]
    assert [True] * 5 == [{"kind", "message"} <= set(answer.json()["error"]) for answer in failures]
    assert all("x-request-id" in answer.headers for answer in answers.values())
