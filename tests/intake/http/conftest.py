"""A real engine, and the HTTP application in front of it on a free port of the loopback interface."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from longshift.adapters.store import Store, open_store
from longshift.intake.acceptance import Acceptance
from longshift.intake.http.app import build_app
from longshift.intake.http.feeds import Feeds
from longshift.intake.http.server import serve
from longshift.intake.http.token_file import TokenFile, Tokens
from longshift.intake.http.tokens import Scope, Token, new_secret
from longshift.settings import Settings
from tests.workflows.conftest import kept_server, scripted_worker
from tests.workflows.scripted import Script

TASK = {"title": "Mend it", "instructions": "Do it."}
WEBHOOK_SECRET = "whsec_" + "c2VjcmV0LW9mLWEtdGVzdC1zb3VyY2U="
GITHUB_SECRET = "a-secret-of-the-test"
Api = Callable[..., AbstractAsyncContextManager["Running"]]


@dataclass
class Running:
    """An API that runs."""

    url: str
    settings: Settings
    acceptance: Acceptance
    store: Store
    feeds: Feeds
    tokens: TokenFile

    def token(self, *scopes: Scope, name: str = "ci", **limits: Any) -> dict[str, str]:
        """The header of a new token."""
        return self.shown(self.add(*scopes, name=name, **limits))

    def add(self, *scopes: Scope, name: str = "ci", **limits: Any) -> str:
        """A new token."""
        token_id, salt, hashed, shown = new_secret()
        given = scopes or tuple(Scope)
        now = datetime.now(UTC)
        self.tokens.add(Token(name=name, id=token_id, salt=salt, hash=hashed, scopes=given, created_at=now, **limits))
        return shown

    def shown(self, token: str) -> dict[str, str]:
        """The header of a token."""
        return {"authorization": f"Bearer {token}"}

    def http(self, **headers: str) -> httpx.AsyncClient:
        """A client that may do everything."""
        names = {token.name for token in self.tokens.read()}
        name = f"all{len(names)}"
        return httpx.AsyncClient(base_url=self.url, headers={**self.token(name=name), **headers}, timeout=30)


@pytest.fixture(scope="session")
def engine() -> Iterator[WorkflowEnvironment]:
    """One dev server for all tests of HTTP."""
    with kept_server() as environment:
        yield environment


@pytest.fixture
def client(engine: WorkflowEnvironment) -> Client:
    return engine.client


@asynccontextmanager
async def running(
    client: Client, data_dir: Path, *, ends_sessions: bool = True, **settings: Any
) -> AsyncGenerator[Running]:
    """An API on a free port."""
    given: dict[str, Any] = {"data_dir": data_dir, "store_url": "memory://", **settings}
    configured = Settings(**given)
    acceptance = Acceptance(client, configured)
    store = open_store(configured.store_url)
    feeds = Feeds(client, configured, poll_seconds=0.2, linger_seconds=2.0, heartbeat_seconds=1.0)
    app = build_app(client, configured, acceptance, Tokens(data_dir), store=store, feeds=feeds)
    try:
        async with serve(app, "127.0.0.1:0", data_dir=data_dir) as address:
            yield Running(address.url, configured, acceptance, store, feeds, TokenFile(data_dir))
    finally:
        if ends_sessions:
            await end_all(client)


@asynccontextmanager
async def lone_worker(client: Client, script: Script, task_id: str) -> AsyncGenerator[None]:
    """A worker that plays `script` for the sessions of this test, and for no other's."""
    await end_all(client)
    async with scripted_worker(client, script, task_id):
        yield


async def listed(http: httpx.AsyncClient, query: str, count: int = 1) -> list[dict[str, Any]]:
    """The sessions of a list, when there are so many: the engine lists a session a moment after it holds it."""
    found: list[dict[str, Any]] = []
    for _ in range(100):
        found = (await http.get(f"/v1/sessions?limit=200&{query}")).json()["sessions"]
        if len(found) >= count:
            break
        await asyncio.sleep(0.1)
    return found


async def end_all(client: Client) -> None:
    """End what a test has left in the engine, so that the next one's worker does not take it up."""
    with contextlib.suppress(RPCError):  # an engine that the test itself has ended, or a session that just did
        async for execution in client.list_workflows("ExecutionStatus = 'Running'"):
            await client.get_workflow_handle(execution.id).terminate()


@pytest_asyncio.fixture
async def api(client: Client, tmp_path: Path) -> AsyncGenerator[Running]:
    """An API with every way in switched on."""
    async with running(
        client,
        tmp_path / "data",
        webhook_secrets=(f"ci={WEBHOOK_SECRET}",),
        github_webhook_secret=GITHUB_SECRET,
        github_repositories=("acme/tool",),
    ) as started:
        yield started
