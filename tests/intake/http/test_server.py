"""Where it listens, how others on this host find it, and what is logged."""

import socket
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from longshift.contracts import errors
from longshift.contracts.errors import BadInput, LongshiftError
from longshift.intake.http.address import read_address, write_address
from longshift.intake.http.problems import STATUSES
from longshift.intake.http.server import serve
from longshift.sessions import failures
from tests.intake.http.conftest import Running


async def hello(request: Request) -> Response:
    del request
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])


async def test_two_servers_find_two_ports_and_tell_where(tmp_path: Path) -> None:
    async with serve(APP, data_dir=tmp_path / "a") as first, serve(APP, data_dir=tmp_path / "b") as second:
        assert first.address != second.address
        async with httpx.AsyncClient() as http:
            assert ["hello"] * 2 == [(await http.get(each.url)).text for each in (first, second)]
        assert first == read_address(tmp_path / "a")
    assert [None, None] == [read_address(tmp_path / each) for each in ("a", "b")]


async def test_the_file_of_a_process_that_is_gone_is_not_believed(tmp_path: Path) -> None:
    async with serve(APP, "127.0.0.1:0", data_dir=tmp_path) as address:
        write_address(tmp_path, replace(address, starttime=address.starttime - 1))
        assert None is read_address(tmp_path)
    assert (tmp_path / "api.json").exists(), "the file of another server was removed"


async def test_an_address_that_is_taken_or_wrong_is_bad_input() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for address in (f"127.0.0.1:{taken.getsockname()[1]}", "127.0.0.1:99999", "no.such.host.invalid:80"):
            with pytest.raises(BadInput, match="api_address"):
                async with serve(APP, address):
                    pass


async def test_it_listens_on_ipv6_too() -> None:
    async with serve(APP, "[::1]:0") as address, httpx.AsyncClient() as http:
        assert (True, "hello") == (address.url.startswith("http://[::1]:"), (await http.get(address.url)).text)


@pytest.mark.engine
async def test_a_request_is_one_line_without_secrets(api: Running) -> None:
    header = api.token(name="logged")
    with structlog.testing.capture_logs() as lines:
        async with httpx.AsyncClient(base_url=api.url, headers=header) as http:
            await http.get("/v1/sessions?page_token=secret&%1b=x")
            await http.get("/healthz")
            await http.get("/nowhere%1b[31m")
    assert [("/v1/sessions", 400, "logged"), ("/nowhere%1b[31m", 404, None)] == [
        (line["path"], line["status"], line.get("token")) for line in lines
    ]
    assert (False, False) == ("secret" in str(lines), header["authorization"].split("_", 2)[-1] in str(lines))


def test_every_failure_of_ours_has_a_status() -> None:
    kinds = [
        kind
        for module in (errors, failures)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, LongshiftError) and kind is not LongshiftError
    ]
    assert [] == [kind for kind in kinds if not any(issubclass(kind, each) for each, _ in STATUSES)]
