"""A codec server on loopback, with a key and tokens; and payloads that it can decrypt."""

import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload

from longshift.adapters.codec import new_key_text
from longshift.codec_server.process import codec_server
from longshift.intake.http.token_file import TokenFile
from longshift.intake.http.tokens import Scope, Token, new_secret
from longshift.payload_codec import data_converter
from longshift.settings import Settings

UI = "https://ui.example"
CANARY = "canary-of-the-codec-server"


@dataclass
class Running:
    """A codec server that runs."""

    url: str
    settings: Settings
    tokens: TokenFile

    def token(self, *scopes: Scope, name: str = "ui", **about: Any) -> str:
        """A new token."""
        token_id, salt, hashed, shown = new_secret()
        given: dict[str, Any] = {"id": token_id, "salt": salt, "hash": hashed, "created_at": datetime.now(UTC), **about}
        self.tokens.add(Token(name=name, scopes=scopes or (Scope.DECODE,), **given))
        return shown

    def http(self, token: str = "", **headers: str) -> httpx.AsyncClient:
        """A program that shows a token, or none."""
        given = {"x-namespace": "default", **({"authorization": f"Bearer {token}"} if token else {}), **headers}
        return httpx.AsyncClient(base_url=self.url, headers=given, timeout=30)

    async def body(self, value: Any = CANARY) -> dict[str, Any]:
        """A request for one encrypted value."""
        return {"payloads": [as_json(each) for each in await data_converter(self.settings.key_ring).encode([value])]}


def as_json(payload: Payload) -> dict[str, Any]:
    """A payload in the form of Temporal's codec servers."""
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(payload.data).decode()}


def values(answer: httpx.Response) -> list[bytes]:
    """The data of the payloads in an answer."""
    return [base64.b64decode(payload["data"]) for payload in answer.json()["payloads"]]


def settings_in(data_dir: Path, **more: Any) -> Settings:
    """The settings of a codec server on a free port, for a Web UI elsewhere."""
    given: dict[str, Any] = {
        "payload_keys": (SecretStr(f"k1:{new_key_text()}"),),
        "codec_address": "127.0.0.1:0",
        "ui_url": UI,
    }
    return Settings(data_dir=data_dir, **{**given, **more})


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Running]:
    """A codec server."""
    settings = settings_in(tmp_path / "data")
    async with codec_server(settings) as address:
        yield Running(address.url, settings, TokenFile(settings.data_dir))
