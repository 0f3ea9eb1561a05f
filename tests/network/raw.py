"""Bytes to a socket and what comes back; and what nobody who has not shown who he is may learn from that."""

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import longshift

CLOSED, OPEN, RESET = "closed", "open", "reset"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
TELLING = re.compile(
    rb"Traceback|File \"|\.py\b|site-packages|/tmp/|/root/|/home/|/var/|uvicorn|starlette|python/|hypercorn|"
    rb"127\.0\.0\.1:\d"
)
"""Traces, paths, programs and addresses."""


@dataclass(frozen=True)
class Reply:
    """What came back, and what became of the connection."""

    body: bytes
    end: str

    @property
    def statuses(self) -> list[int]:
        """Of all answers on the connection."""
        return [int(status) for status in STATUS.findall(self.body)]

    def faults(self, secrets: tuple[str, ...] = ()) -> list[str]:
        """What is wrong with it: a failure of the server's own, or something that is told and should not be."""
        told = [found.group().decode() for found in TELLING.finditer(self.body)]
        told += [text for text in (longshift.__version__, *secrets) if text.encode() in self.body]
        return [f"status {status}" for status in self.statuses if status >= 500] + [f"tells {text}" for text in told]


async def sent(url: str, raw: bytes, *, seconds: float = 0.3) -> Reply:
    """Send bytes, and read until the server ends the connection or says nothing for `seconds`."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body, end = b"", OPEN
    try:
        writer.write(raw)
        while True:
            async with asyncio.timeout(seconds):
                chunk = await reader.read(65_536)
            if not chunk:
                end = CLOSED
                break
            body += chunk
    except TimeoutError:
        pass
    except ConnectionError:
        end = RESET
    finally:
        writer.close()
    return Reply(body, end)
