"""Who is let in, what is decrypted, and that nobody else learns anything."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from longshift.adapters.codec import KeyRing, new_key_text, read_key
from longshift.codec_server.app import BODY
from longshift.codec_server.origins import origin_of
from longshift.codec_server.process import codec_server
from longshift.contracts.errors import BadInput
from longshift.intake.http.tokens import Scope
from longshift.payload_codec import data_converter
from tests.codec_server.conftest import CANARY, UI, Running, as_json, settings_in, values

FROM_UI = {"origin": UI}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["kind"]


async def test_a_token_with_the_scope_has_payloads_decrypted(server: Running) -> None:
    async with server.http(server.token()) as http:
        answer = await http.post("/decode", json=await server.body())
    assert (200, [f'"{CANARY}"'.encode()]) == (answer.status_code, values(answer))
    assert ("no-store", "nosniff") == (answer.headers["cache-control"], answer.headers["x-content-type-options"])


async def test_the_web_ui_brings_its_token_in_the_path(server: Running) -> None:
    async with server.http(**FROM_UI) as http:
        answer = await http.post(f"/{server.token()}/decode", json=await server.body())
    assert (200, UI) == (answer.status_code, answer.headers["access-control-allow-origin"])
    assert [f'"{CANARY}"'.encode()] == values(answer)


async def test_payloads_in_clear_come_back_as_they_are(server: Running) -> None:
    clear = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": base64.b64encode(b'"x"').decode()}
    async with server.http(server.token()) as http:
        answer = await http.post("/decode", json={"payloads": [clear, *(await server.body())["payloads"], clear]})
    assert [clear, clear] == answer.json()["payloads"][::2]


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.DECODE])
async def test_other_scopes_are_not_enough(server: Running, scope: Scope) -> None:
    async with server.http(server.token(scope)) as http:
        assert (403, "forbidden") == refusal(await http.post("/decode", json=await server.body()))


async def test_a_token_that_is_limited_to_some_sessions_sees_none(server: Running) -> None:
    async with server.http(server.token(Scope.DECODE, tenant="acme")) as http:
        assert (403, "forbidden") == refusal(await http.post("/decode", json=await server.body()))


async def test_nobody_is_let_in_without_a_valid_token(server: Running) -> None:
    good = server.token()
    over = server.token(name="over", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    wrong = [good[:-1] + ("A" if good[-1] != "A" else "B"), good.replace("ls_", "LS_"), "x", over]
    body = await server.body()
    async with server.http() as http:
        answers = [await http.post("/decode", json=body)]
        for text in wrong:
            answers += [
                await http.post("/decode", json=body, headers={"authorization": f"Bearer {text}"}),
                await http.post("/decode", json=body, headers={"authorization": f"Basic {text}"}),
                await http.post(f"/{text}/decode", json=body, headers=FROM_UI),
            ]
    assert {401, 404} == {answer.status_code for answer in answers}, "404: what is no token's form is a path"
    assert [] == [answer.text for answer in answers if CANARY in answer.text]


async def test_a_revoked_token_is_refused_with_the_next_request(server: Running) -> None:
    token = server.token(name="leaver")
    async with server.http(**FROM_UI) as http:
        before = await http.post(f"/{token}/decode", json=await server.body())
        server.tokens.revoke("leaver")
        after = await http.post(f"/{token}/decode", json=await server.body())
    assert (200, 401) == (before.status_code, after.status_code)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{UI}.evil.example", "http://ui.example", UI.upper()]
)
async def test_pages_of_other_addresses_are_refused_with_a_valid_token_too(server: Running, origin: str) -> None:
    token = server.token()
    async with server.http(origin=origin) as http:
        for path, headers in ((f"/{token}/decode", {}), ("/decode", {"authorization": f"Bearer {token}"})):
            answer = await http.post(path, json=await server.body(), headers=headers)
            assert (403, "origin") == refusal(answer)
            assert "access-control-allow-origin" not in answer.headers
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        preflight = await http.options(f"/{token}/decode", headers=asked)
    assert (400, False) == (preflight.status_code, "access-control-allow-origin" in preflight.headers)


async def test_the_preflight_of_the_web_ui_allows_what_it_sends(server: Running) -> None:
    asked = "authorization,authorization-extras,content-type,x-namespace"
    headers = {**FROM_UI, "access-control-request-method": "POST", "access-control-request-headers": asked}
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.options(f"/{server.token()}/decode", headers=headers)
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert (200, UI) == (answer.status_code, answer.headers["access-control-allow-origin"])
    assert [] == [name for name in asked.split(",") if name not in allowed]
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_token_in_the_path_is_for_pages_alone(server: Running) -> None:
    async with server.http() as http:
        assert (403, "origin") == refusal(await http.post(f"/{server.token()}/decode", json=await server.body()))


async def test_the_namespace_has_to_be_named_and_the_right_one(server: Running) -> None:
    body, authorization = await server.body(), {"authorization": f"Bearer {server.token()}"}
    async with httpx.AsyncClient(base_url=server.url, headers=authorization) as http:
        missing = await http.post("/decode", json=body)
        other = await http.post("/decode", json=body, headers={"x-namespace": "other"})
        twice = await http.post("/decode", json=body, headers=[("x-namespace", "default"), ("x-namespace", "other")])
    assert [400, 403, 403] == [missing.status_code, other.status_code, twice.status_code]
    assert "default" not in other.text, "the name is not told"


async def test_the_token_stands_in_no_log(server: Running) -> None:
    token, body = server.token(), await server.body()
    with structlog.testing.capture_logs() as lines:
        async with server.http(**FROM_UI) as http:
            for path in (f"/{token}/decode", f"/{token}", f"/{token}/else", f"/{token}/decode?{token}"):
                await http.post(path, json=body)
    assert (4, False, False) == (len(lines), token in str(lines), CANARY in str(lines))
    assert ["/decode", "/", "/else", "/decode"] == [line["path"] for line in lines]


async def test_a_key_that_the_server_lacks_is_named(server: Running) -> None:
    stranger = KeyRing([read_key("k9", new_key_text())])
    body = {"payloads": [as_json(each) for each in await data_converter(stranger).encode(["x"])]}
    async with server.http(server.token()) as http:
        answer = await http.post("/decode", json=body)
    assert ((422, "payload"), True) == (refusal(answer), "'k9'" in answer.text)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'{"payloads": 1}',
        b'{"payloads": [{"metadata": {"encoding": 1}}]}',
        b'{"payloads": [{"data": "\xff"}]}',
        b'{"payloads": [{"data": "a"}]}',
        b'{"payloads": [{"metadata": {"encoding": "YmluYXJ5L2VuY3J5cHRlZA=="}, "data": "%%%"}]}',
        b"[" * 100_000,
        b'{"payloads": [' * 5_000,
    ],
)
async def test_bodies_that_make_no_sense_are_refused(server: Running, raw: bytes) -> None:
    async with server.http(server.token(), **{"content-type": "application/json"}) as http:
        answer = await http.post("/decode", content=raw)
    assert answer.status_code in {400, 422}, answer.text


@pytest.mark.parametrize("raw", [b"{}", b'{"payloads": []}', b'{"payloads": null}', b'{"more": 1}'])
async def test_nothing_to_decrypt_is_no_fault(server: Running, raw: bytes) -> None:
    async with server.http(server.token(), **{"content-type": "application/json"}) as http:
        answer = await http.post("/decode", content=raw)
    assert (200, []) == (answer.status_code, answer.json()["payloads"])


async def test_a_body_beyond_the_limit_is_refused(server: Running) -> None:
    async with server.http(server.token(), **{"content-type": "application/json"}) as http:
        answer = await http.post("/decode", content=b" " * (BODY.limit_bytes + 1))
    assert (413, "too_large") == refusal(answer)


async def test_there_is_nothing_else(server: Running) -> None:
    async with server.http(server.token()) as http:
        answers = {
            path: (await http.request(method, path)).status_code
            for method, path in (
                ("POST", "/encode"),
                ("GET", "/decode"),
                ("POST", "/decode/"),
                ("POST", "/"),
                ("GET", "/healthz"),
            )
        }
    assert {"/encode": 404, "/decode": 405, "/decode/": 404, "/": 404, "/healthz": 200} == answers


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"codec_address": None}, "codec_address: is not set; set LONGSHIFT_CODEC_ADDRESS"),
        ({"payload_keys": ()}, "payload_keys: there are none"),
        ({"ui_url": None}, "ui_url: the codec server has to know whose pages it answers"),
        ({"codec_address": "127.0.0.1:99999"}, "codec_address: cannot listen on 127.0.0.1:99999"),
    ],
)
async def test_what_is_missing_is_named(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        async with codec_server(settings_in(tmp_path, **more)):
            pass


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://ui.example/namespaces/default", "https://ui.example"),
        ("https://ui.example:443/x", "https://ui.example"),
        ("http://UI.example:8080", "http://ui.example:8080"),
        ("http://[::1]:8233/namespaces/default", "http://[::1]:8233"),
    ],
)
def test_origins_are_written_as_browsers_do(url: str, origin: str) -> None:
    assert origin == origin_of(url)
