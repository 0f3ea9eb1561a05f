"""The stream of a session: what changes, to the end; resumed after a break, and cheap for many listeners."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from tests.intake.http.conftest import TASK, Running, lone_worker, running
from tests.workflows.scripted import Script, digest_of

pytestmark = pytest.mark.engine


@asynccontextmanager
async def listening(http: httpx.AsyncClient, task_id: str, last_id: str = "") -> AsyncGenerator[httpx.Response]:
    """A stream that is open."""
    headers = {"last-event-id": last_id} if last_id else {}
    async with http.stream("GET", f"/v1/sessions/{task_id}/events", headers=headers) as answer:
        yield answer


async def events(answer: httpx.Response) -> AsyncGenerator[tuple[str, str, Any]]:
    """Id, name and data, as they come."""
    found: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line:
            found[name] = value
        elif "event" in found:
            yield found["id"], found["event"], json.loads(found["data"])
            found = {}


async def told(
    http: httpx.AsyncClient, task_id: str, last_id: str = "", *, opened: asyncio.Event | None = None
) -> list[tuple[str, str, Any]]:
    """All events until the server ends the stream."""
    async with listening(http, task_id, last_id) as answer:
        assert (200, True) == (
            answer.status_code,
            answer.headers["content-type"].startswith("text/event-stream"),
        )
        if opened:
            opened.set()
        return [event async for event in events(answer)]


async def test_the_stream_tells_progress_and_ends_with_the_final_state(api: Running, client: Client) -> None:
    script = Script([digest_of("bash"), digest_of("finish")], hold_tools=asyncio.Event())
    async with lone_worker(client, script, "streamed"), api.http() as http:
        await http.post("/v1/sessions", json={**TASK, "id": "streamed"})
        stream = asyncio.create_task(told(http, "streamed"))
        await script.tool_started.wait()
        async with listening(http, "streamed") as answer:
            async for _, name, data in events(answer):
                if name == "progress" and data["step"] == 1:
                    break
        assert script.hold_tools
        script.hold_tools.set()
        found = await stream
        again = await told(http, "streamed")
        over = await http.get("/v1/sessions/streamed/events", headers={"last-event-id": found[-1][0]})
    states = [data["state"] for _, name, data in found if name == "state"]
    assert ("running" in states, "done") == (True, states[-1])
    assert ("end", "end", "done") == (found[-1][0], found[-1][1], found[-1][2]["status"]["state"])
    assert ["state", "end"] == [name for _, name, _ in again]
    assert (204, b"") == (over.status_code, over.content)


async def test_a_listener_that_comes_back_is_told_what_it_missed_and_nothing_twice(
    api: Running, client: Client
) -> None:
    script = Script([digest_of("bash"), digest_of("finish")], hold_tools=asyncio.Event())
    async with lone_worker(client, script, "resumed"), api.http() as http:
        await http.post("/v1/sessions", json={**TASK, "id": "resumed"})
        await script.tool_started.wait()
        other = asyncio.create_task(told(http, "resumed"))
        before: list[tuple[str, str, Any]] = []
        async with listening(http, "resumed") as answer:
            async for event in events(answer):
                before.append(event)
                if event[1] == "progress":
                    break
        assert script.hold_tools
        script.hold_tools.set()
        whole = await other
        after = await told(http, "resumed", before[-1][0])
        unknown = await told(http, "resumed", "deadbeef.7")
    # the feed may have ended with the session before the listener came back: then it is told the present
    missed = whole[[event[0] for event in whole].index(before[-1][0]) + 1 :]
    assert [event[2] for event in missed][-1:] == [event[2] for event in after][-1:]
    assert set() == {event[0] for event in after} & {event[0] for event in before}
    assert "end" == unknown[-1][1]


async def test_many_listeners_cost_one_poller(api: Running, client: Client) -> None:
    script = Script([digest_of("bash"), digest_of("finish")], hold_tools=asyncio.Event())
    async with lone_worker(client, script, "crowd"), api.http() as http:
        await http.post("/v1/sessions", json={**TASK, "id": "crowd"})
        await script.tool_started.wait()
        before = api.feeds.polls
        streams = [asyncio.create_task(told(http, "crowd")) for _ in range(40)]
        await asyncio.sleep(2)
        looks = api.feeds.polls - before
        assert script.hold_tools
        script.hold_tools.set()
        found = await asyncio.gather(*streams)
    assert (True, {"end"}) == (2 <= looks <= 15, {each[-1][1] for each in found})


async def test_an_unknown_session_and_a_wrong_form_are_answers_not_streams(api: Running) -> None:
    async with api.http() as http:
        unknown = await http.get("/v1/sessions/none/events")
        as_text = await http.get("/v1/sessions/none/events", headers={"accept": "text/html"})
    assert [404, 406] == [unknown.status_code, as_text.status_code]


@pytest.mark.slow
async def test_a_silent_stream_has_heartbeats_until_its_token_is_revoked(api: Running) -> None:
    async with httpx.AsyncClient(timeout=30, base_url=api.url, headers=api.token(name="listener")) as http:
        await http.post("/v1/sessions", json={**TASK, "id": "silent"})
        async with listening(http, "silent") as answer:
            lines: list[str] = []
            async for line in answer.aiter_lines():
                lines.append(line)
                if line == ": heartbeat" and lines.count(line) == 2:
                    api.tokens.revoke("listener")
    assert (True, False) == (2 <= lines.count(": heartbeat") <= 3, "event: end" in lines)


async def test_streams_end_when_the_server_does(client: Client, tmp_path: Path) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with lone_worker(client, script, "ended"):
        async with running(client, tmp_path, ends_sessions=False) as api:
            http = api.http()
            await http.post("/v1/sessions", json={**TASK, "id": "ended"})
            await script.tool_started.wait()
            opened = asyncio.Event()
            stream = asyncio.create_task(told(http, "ended", opened=opened))
            await opened.wait()
        assert "end" not in [name for _, name, _ in await stream]
        await http.aclose()
        session = client.get_workflow_handle("session/ended")
        await session.cancel()
        await session.result()
