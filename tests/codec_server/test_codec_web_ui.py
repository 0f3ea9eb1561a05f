"""The embedded engine's Web UI in a real browser, and its command line: both show what is encrypted, with a token."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from longshift.adapters.engine import EmbeddedEngine, EngineAddress, find_engine_binary
from longshift.codec_server.process import codec_server
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.intake.http.token_file import TokenFile
from longshift.payload_codec import data_converter
from tests.codec_server.browser import CHROMIUM, browser
from tests.codec_server.conftest import CANARY, Running, settings_in
from tests.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@dataclass
class Shown:
    """An engine with its Web UI and an encrypted session, and the codec server beside it."""

    engine: EngineAddress
    codec: Running
    page: str


@pytest_asyncio.fixture
async def shown(tmp_path: Path) -> AsyncGenerator[Shown]:
    settings = settings_in(tmp_path / "data", ui_url=None)
    settings.data_dir.mkdir()
    engine = EmbeddedEngine(
        settings.data_dir,
        binary=find_engine_binary(),
        search_attributes=SEARCH_ATTRIBUTES,
        ui=True,
        port=free_port(),
    )
    address = await engine.start()
    try:
        client = await Client.connect(address.address, data_converter=data_converter(settings.key_ring))
        handle = await client.start_workflow("Session", {"task": CANARY}, id="session/x", task_queue="nobody")
        page = f"{address.ui_url}/namespaces/default/workflows/session%2Fx/{handle.result_run_id}/history"
        async with codec_server(settings) as served:
            yield Shown(address, Running(served.url, settings, TokenFile(settings.data_dir)), page)
    finally:
        await engine.stop()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
async def test_the_web_ui_shows_what_is_encrypted_once_it_has_the_address_with_a_token(
    shown: Shown, tmp_path: Path
) -> None:
    def entered(token: str) -> str:
        """What the Web UI's form of the data encoder keeps in the browser."""
        address = json.dumps(json.dumps(f"{shown.codec.url}/{token}"))
        return f"localStorage.endpoint = {address}; localStorage.overrideRemoteCodecConfiguration = 'true'"

    async with browser(tmp_path / "browser") as page:
        await page.opened(shown.page)
        assert CANARY not in await page.text_with("Event History"), "without a codec server it is ciphertext"
        await page.run(entered("ls_0000000000000000_not-a-token-of-this-server"))
        await page.opened(shown.page + "?wrong")
        assert CANARY not in await page.text_with(CANARY, seconds=5)
        await page.run(entered(shown.codec.token()))
        await page.opened(shown.page + "?right")
        assert CANARY in await page.text_with(CANARY)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
@pytest.mark.slow
async def test_a_page_of_another_origin_gets_nothing_in_a_real_browser(server: Running, tmp_path: Path) -> None:
    body = json.dumps(json.dumps(await server.body()))
    ask = (
        f"fetch('{server.url}/{server.token()}/decode', {{method: 'POST', body: {body}, "
        "headers: {'content-type': 'application/json', 'x-namespace': 'default'}})"
        ".then(answer => answer.text(), error => 'refused: ' + error)"
    )
    async with browser(tmp_path / "browser") as page:
        await page.opened(f"{server.url}/healthz")  # an origin that is not the Web UI's
        await page.text_with("ok")
        answer = str(await page.run(ask))
    assert (True, False) == ("may not ask" in answer or answer.startswith("refused"), CANARY in answer)


@pytest.mark.slow
async def test_the_engines_command_line_shows_it_with_a_token(shown: Shown) -> None:
    async def history(*options: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(find_engine_binary().required_path()),
            *("workflow", "show", "--address", shown.engine.address, "-w", "session/x", *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return (out + err).decode()

    codec = ("--codec-endpoint", shown.codec.url, "--codec-auth")
    assert CANARY in await history("--detailed", *codec, f"Bearer {shown.codec.token()}")
    assert CANARY not in await history("--detailed")
    assert CANARY not in await history("--detailed", *codec, "Bearer ls_0000000000000000_not-a-token-of-this-server")
