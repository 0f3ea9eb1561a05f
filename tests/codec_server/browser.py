"""A headless Chromium, driven by its own debugging protocol."""

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
START_SECONDS = 60


@dataclass
class Page:
    """One tab."""

    socket: aiohttp.ClientWebSocketResponse
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def told(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command."""
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        async for message in self.socket:
            answer = json.loads(message.data)
            if answer.get("id") == number:
                return answer["result"]
        raise AssertionError("the browser has ended")

    async def run(self, script: str) -> Any:
        """The value of an expression, promises waited for."""
        answer = await self.told("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def opened(self, url: str) -> None:
        """Go to an address."""
        await self.told("Page.navigate", url=url)

    async def text_with(self, wanted: str, seconds: float = 30) -> str:
        """The page's text, as soon as `wanted` is in it, or what it is in the end."""
        text = ""
        for _ in range(int(seconds / 0.25)):
            text = str(await self.run("document.body ? document.body.innerText : ''"))
            if wanted in text:
                break
            await asyncio.sleep(0.25)
        return text


@asynccontextmanager
async def browser(folder: Path) -> AsyncGenerator[Page]:
    """A browser with a profile of its own, in `folder`; it ends with the block."""
    assert CHROMIUM is not None
    options = ["--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own does not start for root
    options += ["--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *options,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"HOME": str(folder), "PATH": os.environ.get("PATH", os.defpath)},
    )
    try:
        port = (await _written(folder / "DevToolsActivePort")).splitlines()[0]
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [each for each in await answer.json() if each["type"] == "page"]
            async with http.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                await page.told("Page.enable")
                yield page
    finally:
        process.terminate()
        await process.wait()


async def _written(path: Path) -> str:
    """The text of a file of another process, once it is whole."""
    async with asyncio.timeout(START_SECONDS):
        while not path.exists() or len(path.read_text().splitlines()) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return path.read_text()
