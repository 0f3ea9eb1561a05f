"""No face fails, or tells anything, whatever is sent to it by somebody who shows no token.

The HTTP API with its webhooks, the codec server, the health of a worker and the metrics. Slack has no face: the gateway
dials out. What is in the API's document is also sent with a token, by `tests/intake/http/test_fuzz.py`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.client import Client

from longshift.codec_server.process import codec_server
from longshift.health import health_app, listener_on, served
from longshift.intake.http.routes import ENDPOINTS
from longshift.settings import Settings
from longshift.telemetry import Telemetry
from tests.codec_server.conftest import settings_in
from tests.intake.http.conftest import running
from tests.network.cases import CASES, filled
from tests.network.raw import Reply, sent
from tests.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

PLACES = {
    "health": (("GET", "/healthz"), ("GET", "/readyz")),
    "codec": (("POST", "/decode"), ("GET", "/healthz"), ("POST", "/ls_0123456789abcdef_xxxxxxxxxxxxxxxxxxxx/decode")),
    "metrics": (("GET", "/metrics"),),
    "api": (
        ("GET", "/openapi.json"),
        *(
            (endpoint.method, endpoint.path.replace("{task_id}", "x").replace("{name:path}", "../../x"))
            for endpoint in ENDPOINTS
        ),
    ),
}
LEAST = 4
"""Places of the API that each case goes to in the fast test; the slow one takes all."""


@dataclass
class Faces:
    """Where each face listens."""

    urls: dict[str, str]
    secrets: tuple[str, ...]


@asynccontextmanager
async def listening(client: Client, folder: Path) -> AsyncGenerator[Faces]:
    """All faces at once."""
    codec = settings_in(folder / "codec")
    async with AsyncExitStack() as stack:
        facts = {"ready": True, "draining": False}
        health = await stack.enter_async_context(
            served(health_app(lambda: facts), listener_on("127.0.0.1:0", "health_address"))
        )
        codec_url = (await stack.enter_async_context(codec_server(codec))).url
        api = await stack.enter_async_context(
            running(client, folder / "api", ends_sessions=False, webhook_secrets=("ci=whsec_c2VjcmV0LW9mLWE=",))
        )
        metrics = f"127.0.0.1:{free_port()}"
        telemetry = Telemetry.from_settings(Settings(data_dir=folder, metrics_address=metrics))
        stack.callback(telemetry.close)
        urls = {"health": health, "codec": codec_url, "api": api.url, "metrics": f"http://{metrics}"}
        yield Faces(urls, (str(folder), *(secret.get_secret_value() for secret in codec.codec_secrets().values())))


@pytest_asyncio.fixture
async def faces(client: Client, tmp_path: Path) -> AsyncGenerator[Faces]:
    async with listening(client, tmp_path) as found:
        yield found


async def complaints(faces: Faces, face: str, case: str, method: str, path: str) -> list[str]:
    """What is wrong with the answer to one case at one place."""
    reply = await sent(faces.urls[face], filled(CASES[case], method, path))
    return [f"{face} {method} {path} {case}: {fault}" for fault in reply.faults(faces.secrets)]


async def all_of(asked: list[Awaitable[list[str]]]) -> list[str]:
    """Twenty at a time."""
    gate = asyncio.Semaphore(20)

    async def one(each: Awaitable[list[str]]) -> list[str]:
        async with gate:
            return await each

    return [fault for found in await asyncio.gather(*(one(each) for each in asked)) for fault in found]


@pytest.mark.parametrize("face", PLACES)
async def test_what_no_client_sends_fails_nowhere_and_tells_nothing(
    faces: Faces, face: str, caplog: pytest.LogCaptureFixture
) -> None:
    places = PLACES[face][:LEAST]
    with caplog.at_level(logging.ERROR):
        found = await all_of([complaints(faces, face, case, method, path) for case in CASES for method, path in places])
    assert ([], []) == (found, [record.getMessage() for record in caplog.records]), "a traceback each fills the log"


@pytest.mark.slow
@pytest.mark.release
async def test_the_same_at_every_place_of_the_api(faces: Faces, caplog: pytest.LogCaptureFixture) -> None:
    places = PLACES["api"][LEAST:]
    with caplog.at_level(logging.ERROR):
        found = await all_of(
            [complaints(faces, "api", case, method, path) for case in CASES for method, path in places]
        )
    assert ([], []) == (found, [record.getMessage() for record in caplog.records])


TOKENS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=20)
NAMES = st.sampled_from(
    [
        *("Authorization", "Origin", "X-Namespace", "Content-Type", "Content-Length", "Transfer-Encoding", "Accept"),
        *("Expect", "Connection", "Idempotency-Key", "X-Hub-Signature-256", "webhook-id", "webhook-timestamp", "Range"),
    ]
)
VALUES = st.one_of(
    st.binary(max_size=60).filter(lambda value: not set(value) & set(b"\r\n\0")),
    st.sampled_from([b"chunked", b"application/json", b"0", b"5", b"Bearer x", b"sha256=\xff", b"v1,\xff", b"1e9"]),
)
BODIES = st.one_of(
    st.binary(max_size=200), st.sampled_from([b"{}", b"[]", b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"nul\x00l"])
)


@st.composite
def requests(draw: st.DrawFn, places: tuple[tuple[str, str], ...]) -> bytes:
    """A head that is nearly one, with a body that need not be what it says."""
    method, path = draw(st.sampled_from(places))
    query = draw(st.one_of(st.just(""), TOKENS.map(lambda text: f"?{text}")))
    headers = draw(st.lists(st.tuples(NAMES, VALUES), max_size=6))
    lines = [b"Host: a", *(name.encode() + b": " + value for name, value in headers)]
    head = f"{method} {path}{query} HTTP/1.{draw(st.sampled_from('01'))}\r\n".encode()
    return head + b"\r\n".join(lines) + b"\r\n\r\n" + draw(BODIES)


async def draw_and_send(faces: Faces, face: str, count: int) -> None:
    """Send so many requests, and fail with the smallest whose answer has a fault."""
    loop = asyncio.get_running_loop()

    def ask(raw: bytes) -> Reply:
        return asyncio.run_coroutine_threadsafe(sent(faces.urls[face], raw, seconds=0.05), loop).result()

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(requests(PLACES[face]))
    def run(raw: bytes) -> None:
        assert [] == ask(raw).faults(faces.secrets), raw

    await asyncio.to_thread(run)


@pytest.mark.parametrize("face", PLACES)
async def test_requests_that_are_nearly_right_fail_nowhere(
    faces: Faces, face: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        await draw_and_send(faces, face, 30)
    assert [] == [record.getMessage() for record in caplog.records]


@pytest.mark.slow
@pytest.mark.release
@pytest.mark.parametrize("face", PLACES)
async def test_a_thousand_of_them_fail_nowhere(faces: Faces, face: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await draw_and_send(faces, face, 1_000)
    assert [] == [record.getMessage() for record in caplog.records]
