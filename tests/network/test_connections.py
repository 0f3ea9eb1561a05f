"""What was found by sending bad bytes, each defect by its name; and that the servers go on working for others."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from longshift.health import health_app, listener_on, served
from longshift.intake.http.server import serve
from longshift.intake.http.token_file import FILE
from tests.intake.http.conftest import Running, running
from tests.network.raw import CLOSED, sent
from tests.workflows.conftest import dev_server

HALF = (b"", b"G", b"GET /healthz HTTP/1.1\r\nHos", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: y\r\n")
GARBAGE = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n"


@asynccontextmanager
async def health() -> AsyncGenerator[str]:
    app = health_app(lambda: {"ready": True, "draining": False})
    async with served(app, listener_on("127.0.0.1:0", "health_address")) as url:
        yield url


async def test_a_head_that_does_not_come_ends_its_connection() -> None:
    app = health_app(lambda: {"ready": True, "draining": False})
    async with served(app, listener_on("127.0.0.1:0", "health_address"), head_seconds=0.4) as url:
        replies = await asyncio.gather(*(sent(url, raw, seconds=3) for raw in HALF))
        behind_an_answer = await sent(url, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /he", seconds=3)
    assert [(CLOSED, [])] * len(HALF) == [(reply.end, reply.statuses) for reply in replies]
    assert (CLOSED, [200]) == (behind_an_answer.end, behind_an_answer.statuses)


async def test_a_head_that_drips_does_not_last_longer() -> None:
    async def dripping(url: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        number = 0
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
            while not reader.at_eof() and number < 100:
                number += 1
                writer.write(b"X%d: y\r\n" % number)
                with_timeout = asyncio.wait_for(reader.read(1), 0.05)
                try:
                    await with_timeout
                except TimeoutError:
                    continue
        except ConnectionError:
            pass
        finally:
            writer.close()
        return number

    async with serve(Starlette(), "127.0.0.1:0", head_seconds=0.4) as address:
        assert await dripping(address.url) < 50


async def test_an_answer_that_takes_long_is_not_cut_off() -> None:
    async def slow(_request: Request) -> Response:
        await asyncio.sleep(1)
        return Response("late")

    app = Starlette(routes=[Route("/", slow)])
    async with serve(app, "127.0.0.1:0", head_seconds=0.3) as address, httpx.AsyncClient() as http:
        assert ["late", "late"] == [(await http.get(address.url)).text for _ in range(2)]


async def test_a_body_that_is_no_http_is_one_line_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with health() as url:
        with caplog.at_level(logging.INFO):
            reply = await sent(url, GARBAGE)
    assert ([400], CLOSED) == (reply.statuses, reply.end)
    assert [None] == [record.exc_info for record in caplog.records]


async def test_garbage_in_the_middle_of_an_answer_ends_it_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def endless(_request: Request) -> Response:
        async def parts() -> AsyncGenerator[bytes]:
            while True:
                yield b"part"
                await asyncio.sleep(0.05)

        return StreamingResponse(parts())

    app = Starlette(routes=[Route("/", endless, methods=["POST"])])
    async with serve(app, "127.0.0.1:0") as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.url.rpartition(":")[2]))
        with caplog.at_level(logging.INFO):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            await reader.readuntil(b"part")
            writer.write(b"ZZ\r\n")
            await asyncio.wait_for(reader.read(), 5)
            await asyncio.sleep(0.2)
        writer.close()
    assert [None] == [record.exc_info for record in caplog.records]


async def test_health_tells_nobody_who_and_how_many() -> None:
    async with health() as url, httpx.AsyncClient(base_url=url) as http:
        answers = {path: (await http.get(path)).json() for path in ("/healthz", "/readyz")}
    assert {"/healthz": {"status": "alive"}, "/readyz": {"ready": True, "draining": False}} == answers


@pytest.mark.engine
async def test_a_damaged_file_of_tokens_is_told_to_the_log_alone(api: Running) -> None:
    (api.settings.data_dir / FILE).write_text("{")
    with structlog.testing.capture_logs() as lines:
        async with httpx.AsyncClient(base_url=api.url, headers={"authorization": "Bearer x"}) as http:
            answer = await http.get("/v1/sessions")
    assert (503, False) == (answer.status_code, FILE in answer.text)
    assert [True] == [FILE in line["error"] for line in lines if line["event"] == "nobody is let in"]


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.release
async def test_why_the_api_is_not_ready_is_told_to_the_log_alone(tmp_path: Path) -> None:
    async with dev_server() as other, running(other.client, tmp_path, ends_sessions=False) as api:
        await other.shutdown()
        await asyncio.sleep(2.1)  # the last look at the queue has grown old
        async with httpx.AsyncClient(base_url=api.url, timeout=60) as http:
            answer = await http.get("/readyz")
    assert (503, "the engine does not answer") == (answer.status_code, answer.json()["error"]["message"])


@pytest.mark.engine
async def test_nothing_that_anybody_may_ask_tells_the_release(api: Running) -> None:
    async with httpx.AsyncClient(base_url=api.url) as http:
        document = (await http.get("/openapi.json")).json()
    assert "1" == document["info"]["version"]


async def test_a_thousand_connections_that_say_nothing_leave_room_for_others() -> None:
    async def hello(_request: Request) -> Response:
        return Response("ok")

    async with serve(Starlette(routes=[Route("/", hello)]), "127.0.0.1:0") as address:
        port = int(address.url.rpartition(":")[2])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(1_000)]
        try:
            async with httpx.AsyncClient() as http:
                assert 200 == (await http.get(address.url)).status_code
        finally:
            for each in idle:
                each.close()
